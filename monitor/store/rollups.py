"""Roll-ups: the serving role's summaries of days, and of blocks of 16 days, each in one row.

A roll-up is a copy and never a record: the fold outdates it in the transaction that writes a bucket of it,
``refresh`` makes it anew from the buckets, and a window that meets an outdated one reads the buckets themselves. So a
window's counts are the same with any of them, all of them, or none.

A stretch has a row for each sampling rate. What says that it is outdated is a row of the rate 0, which no stratum has:
it stands beside the rows that it outdates, and before them in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from detectors.summaries.packing import pack_sum
from monitor.database import insert_many
from monitor.fold.join import SERVING
from monitor.store.tables import rollups, summaries

DAY = 86_400_000_000
LENGTHS = (DAY, 16 * DAY)       # each a multiple of the one before; aligned to the epoch


_OUTDATED = 0.0      # in place of a sampling rate


class Part(NamedTuple):
    """A stored summary: its sampling rate, the rows behind it, and its bytes."""

    rate: float
    n: int
    data: bytes


def outdate(db: Connection, model: int, kind: str, buckets: Iterable[int]) -> None:
    """Note that buckets were written: what was rolled up of them no longer holds."""
    touched = sorted({(length, bucket // length * length) for bucket in buckets for length in LENGTHS})
    _save(db, [(model, kind, length, start, _OUTDATED, 0, None) for length, start in touched])


def parts(
    db: Connection, model: int, kind: str, start: int, end: int, lengths: Sequence[int] = LENGTHS
) -> list[Part]:
    """What ``[start, end)`` is the sum of: the longest roll-ups of ``lengths`` that hold, and the buckets of what they
    leave."""
    return list(_parts(db, model, kind, [(start, end)], lengths[::-1]))


def refresh(db: Connection, model: int, before: int, most: int) -> int:
    """Make up to ``most`` of the roll-ups that are wanting and whose time ended by ``before``: the short ones first,
    which the long are made of, and the latest first. How many were looked at; fewer than ``most``: none is left.

    Where a stretch holds one bucket of each rate only, its roll-up would be a copy: the note is dropped instead.
    """
    c = rollups.c
    todo = wanting(db, model, before, most)
    for kind, length, start in todo:
        shorter = tuple(x for x in LENGTHS[::-1] if x < length)
        found = by_rate(_parts(db, model, kind, [(start, start + length)], shorter))
        db.execute(delete(rollups).where(c.model == model, c.kind == kind, c.length == length, c.start == start))
        if any(len(same) > 1 for same in found.values()):
            total = [(rate, sum(p.n for p in same), pack_sum([p.data for p in same])) for rate, same in found.items()]
            _save(db, [(model, kind, length, start, *row) for row in total])
    return len(todo)


def by_rate(parts: Iterable[Part]) -> dict[float, list[Part]]:
    """Stored summaries by their sampling rate, the lowest first; those of one rate in their order."""
    found: dict[float, list[Part]] = {}
    for part in parts:
        found.setdefault(part.rate, []).append(part)
    return {rate: found[rate] for rate in sorted(found)}


def wanting(db: Connection, model: int, before: int, most: int) -> list[tuple[str, int, int]]:
    """The roll-ups that ``refresh`` would look at: kind, length and start."""
    c = rollups.c
    query = (
        select(c.kind, c.length, c.start)
        .where(c.model == model, c.data.is_(None), c.start + c.length <= before)
        .order_by(c.length, c.start.desc())
        .limit(most)
    )
    return [(kind, length, start) for kind, length, start in db.execute(query)]


def forget(db: Connection, model: int, before: int | None = None) -> None:
    """Delete a model's roll-ups, or those that begin before an instant."""
    mine = rollups.c.model == model
    db.execute(delete(rollups).where(mine if before is None else mine & (rollups.c.start < before)))


def _save(db: Connection, rows: list[tuple[int, str, int, int, float, int, bytes | None]]) -> None:
    insert_many(db, rollups, ("model", "kind", "length", "start", "rate", "n", "data"), rows, update=("n", "data"))


def _parts(
    db: Connection, model: int, kind: str, gaps: list[tuple[int, int]], lengths: Sequence[int]
) -> Iterator[Part]:
    for length in lengths:
        left = []
        for low, high in gaps:
            at = low
            for start, found in _held(db, model, kind, length, low, high) if high - low >= length else ():
                yield from found
                left.append((at, start))
                at = start + length
            left.append((at, high))
        gaps = [gap for gap in left if gap[0] < gap[1]]
    for low, high in gaps:
        yield from _buckets(db, model, kind, low, high)


def _held(
    db: Connection, model: int, kind: str, length: int, low: int, high: int
) -> Iterator[tuple[int, list[Part]]]:
    """The starts of the roll-ups of one length that hold and lie within ``[low, high)``, in order, each with its parts
    by rate."""
    rows = db.execute(_HELD, {"model": model, "kind": kind, "length": length, "low": low, "last": high - length})
    for start, found in groupby(rows, key=lambda row: int(row[0])):
        of_rate = [Part(rate, n, data) for _, rate, n, data in found]
        if of_rate[0].rate != _OUTDATED:
            yield start, of_rate


def _buckets(db: Connection, model: int, kind: str, low: int, high: int) -> Iterator[Part]:
    found = db.execute(_BUCKETS, {"model": model, "kind": kind, "low": low, "high": high})
    yield from (Part(rate, n, data) for rate, n, data in found)


# Every window asks these, so they are put together once.
_HELD = (
    select(rollups.c.start, rollups.c.rate, rollups.c.n, rollups.c.data)
    .where(
        rollups.c.model == bindparam("model"), rollups.c.kind == bindparam("kind"),
        rollups.c.length == bindparam("length"),
        rollups.c.start.between(bindparam("low"), bindparam("last")),
    )
    .order_by(rollups.c.start, rollups.c.rate)
)  # fmt: skip
_BUCKETS = (
    select(summaries.c.rate, summaries.c.n, summaries.c.data)
    .where(
        summaries.c.model == bindparam("model"), summaries.c.kind == bindparam("kind"),
        summaries.c.bucket >= bindparam("low"), summaries.c.bucket < bindparam("high"), summaries.c.role == SERVING,
    )
    .order_by(summaries.c.bucket, summaries.c.version, summaries.c.rate)
)  # fmt: skip
