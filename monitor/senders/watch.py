"""The dead man's switch: whether evaluation, relay and delivery still go on, asked from any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from monitor.clock import Now
from monitor.database import reading
from monitor.log import notifications
from monitor.senders import queue
from monitor.store import heartbeats
from monitor.store.heartbeats import Heartbeat
from monitor.times import to_micros

PARTS = ("evaluation", "relay", "delivery")
SILENT = 300_000_000        # microseconds since a part's last round without a fault after which it counts as stalled
OVERDUE = 600_000_000       # microseconds for which something was due and not sent


@dataclass(frozen=True, slots=True)
class Signs:
    """When each part last went round without a fault, and since when the oldest row of each channel is due. Instants
    are microseconds since 1970, UTC."""

    rounds: Mapping[str, int]
    due: Mapping[str, int]


def signs(log: Connection, beat: Heartbeat | None, now: int) -> Signs:
    """What the log and the worker's last word say of each part."""
    rounds = notifications.last_rounds(log)
    if beat is not None and beat.last_round is not None:
        rounds["evaluation"] = beat.last_round
    return Signs(rounds, queue.oldest_due(log, now))


def stalled(found: Signs, now: int) -> frozenset[str]:
    """The parts that stand still, or of which nothing was ever heard.

    >>> sorted(stalled(Signs({"relay": 0, "delivery": 0, "evaluation": 0}, {"hook": 0}), SILENT))
    []
    >>> sorted(stalled(Signs({"relay": 0, "delivery": OVERDUE, "evaluation": OVERDUE}, {"hook": 0}), OVERDUE + 1))
    ['delivery', 'relay']
    """
    silent = {part for part in PARTS if part not in found.rounds or now - found.rounds[part] > SILENT}
    late = {"delivery"} if any(now - since > OVERDUE for since in found.due.values()) else set()
    return frozenset(silent | late)


def stalled_now(log: Engine, state: Engine, now: Now) -> frozenset[str]:
    """The same, read just now."""
    at = to_micros(now())
    with reading(log) as told, reading(state) as true:
        return stalled(signs(told, heartbeats.load(true), at), at)
