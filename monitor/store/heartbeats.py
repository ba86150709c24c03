"""What the worker says of itself, for whoever asks from another process: a scrape, and ``vigil doctor``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import Connection, select

from monitor.database import upsert
from monitor.store.tables import heartbeats


class Durations:
    """A histogram of times in seconds: how many lay at or below each bound, and their sum. Of one thread.

    >>> found = Durations((0.1, 1.0))
    >>> found.observe(0.1)
    >>> found.observe(3.0)
    >>> found.cumulative()
    [['0.1', 1], ['1.0', 1], ['+Inf', 2]]
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.sum = tuple(bounds), 0.0
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[list[str | int]]:
        """The buckets as Prometheus names and counts them: each holds what is in those before it."""
        names = [*map(str, self.bounds), "+Inf"]
        return [[name, n] for name, n in zip(names, accumulate(self._counts), strict=True)]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One worker's last word. Instants are microseconds since 1970, UTC.

    ``worker`` names it, anew at each start. ``at`` is when it said so; ``last_round`` when it last went round all
    models without a fault, ``None`` before there was such a round. ``buckets`` and ``seconds`` are the cumulative
    histogram of the times of its folds, and their sum.
    """

    worker: str
    started_at: int
    at: int
    last_round: int | None
    buckets: list[list[str | int]]
    seconds: float


def save(db: Connection, beat: Heartbeat) -> None:
    """Keep a worker's last word, in place of what was there."""
    values = {
        "number": 1, "worker": beat.worker, "started_at": beat.started_at, "at": beat.at,
        "last_round": beat.last_round, "folds": {"buckets": beat.buckets, "seconds": beat.seconds},
    }  # fmt: skip
    db.execute(upsert(heartbeats, [name for name in values if name != "number"]), values)


def load(db: Connection) -> Heartbeat | None:
    """The last word of the worker, ``None`` where none has spoken since the state was made."""
    row = db.execute(select(heartbeats)).one_or_none()
    if row is None:
        return None
    return Heartbeat(
        row.worker, row.started_at, row.at, row.last_round, row.folds["buckets"], row.folds["seconds"]
    )
