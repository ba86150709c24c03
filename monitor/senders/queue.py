"""The queue of notifications: which are next, what becomes of each, and how an attempt is recorded.

A row is leased for as long as an attempt may take, and an attempt is recorded before its first byte leaves: so a
receiver never sees a key more often than the log says, and whoever is killed in mid-send leaves one more attempt to
make. Rows of an incident go to a channel one after the other: one waits for an earlier one that is due or was tried.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from incidents.delivery import GIVE_UP, Delivery, Drop, DropReason, Hold, Send, Told, decide_delivery, wait
from incidents.incident import Incident
from incidents.notices import CALLING, NoticeKind
from incidents.routing import Planned, planned_id
from incidents.silences import Silence
from monitor.clock import Now
from monitor.database import reading, writing
from monitor.log import notifications, silences
from monitor.log.notifications import DEAD, DELIVERED, DROPPED, WAITING, Fence, Queued
from monitor.senders.channels.base import Result
from monitor.store import incidents, outbox
from monitor.store.outbox import Place
from monitor.times import from_micros, span_micros, to_micros

LEASE = 60_000_000      # microseconds: longer than an attempt may take
AT_ONCE = 32            # rows that one transaction looks at
IN_FLIGHT = 2           # to one receiver
ALONE = "slack:"        # receivers that take one at a time
WITHDRAWN = "withdrawn: this incident is not found in the data any more"

_t = notifications.notifications


class Queue:
    """``holder`` names this process anew at each start; ``on``: whether anybody is told of anything at all; ``chance``
    gives numbers from 0 to 1 for the jitter of retries."""

    def __init__(
        self,
        log: Engine,
        state: Engine,
        now: Now,
        holder: str,
        on: bool = True,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.log, self.state, self.now, self.holder, self.on, self.chance = log, state, now, holder, on, chance

    def take(self, limit: int) -> list[Queued]:
        """Lease the next rows that are to be sent, ``limit`` at most; the others that were due are held or dropped."""
        now = to_micros(self.now())
        with reading(self.log) as db:
            rows = _due(db, self.holder, now, min(limit, AT_ONCE))
            if not rows:
                return []
            told = notifications.told(db, sorted({row.notice.incident for row in rows}))
            silenced = silences.ending_after(db, min(row.due_at for row in rows))
            fences = notifications.fences(db)
        with reading(self.state) as db:
            found = {row.notice.incident: incidents.find(db, row.notice.incident) for row in rows}
            places = outbox.places(db)
        taken = []
        with writing(self.log) as db:
            for row in rows:
                again = _behind(places.get(row.model), fences.get(row.model, Fence()))
                heard = told.get((row.notice.incident, row.channel), [])
                decision = self._decide(row, found[row.notice.incident], heard, silenced, now, again)
                if _is_free(db, row, now) and self._apply(db, row, decision, heard, now):
                    taken.append(row)
        return taken

    def _decide(
        self,
        row: Queued,
        incident: Incident | None,
        heard: Sequence[Told],
        silenced: Sequence[Silence],
        now: int,
        again: bool,
    ) -> Delivery:
        if not self.on:
            return Drop(DropReason.NOTIFY_OFF)
        if row.notice.note == WITHDRAWN:
            return Send()
        return decide_delivery(row.planned, incident, heard, silenced, from_micros(now), again)

    def _apply(self, db: Connection, row: Queued, decision: Delivery, heard: Sequence[Told], now: int) -> bool:
        """Write down what was decided; whether the row is now leased to be sent."""
        match decision:
            case Send():
                _set(db, row, holder=self.holder, lease_until=now + LEASE, held=False)
                return True
            case Hold(until, reason):
                _set(db, row, next_at=to_micros(until), held=True)
                if not row.held:
                    notifications.note(db, row.id, row.attempts, now, "held", detail=reason, until=to_micros(until))
            case Drop(reason):
                self._drop(db, row, reason, now)
                if reason is DropReason.NO_SUCH_INCIDENT and any(t.attempts for t in heard if t.kind in CALLING):
                    notifications.enqueue(db, [(_withdrawn(row), row.receiver)], now)
        return False

    def begin(self, row: Queued, payload: bytes | None) -> int | None:
        """Record that an attempt begins, with the bytes that it sends; its number, or ``None`` where another process
        has the row by now."""
        now = to_micros(self.now())
        attempt = row.attempts + 1
        values = {
            "attempts": attempt, "lease_until": now + LEASE, "payload": func.coalesce(_t.c.payload, payload),
            "tried_at": func.coalesce(_t.c.tried_at, now),
        }  # fmt: skip
        mine = (_t.c.holder == self.holder) & (_t.c.attempts == row.attempts)
        with writing(self.log) as db:
            if not _set(db, row, mine, **values):
                return None
            notifications.note(db, row.id, attempt, now, "begun")
        return attempt

    def end(self, row: Queued, attempt: int, result: Result) -> None:
        """Record how an attempt ended, and when the next one is to be."""
        now = to_micros(self.now())
        with writing(self.log) as db:
            if result.ok:       # it arrived, whoever has the row by now
                _set(db, row, state=DELIVERED, holder=None, lease_until=None)
                notifications.note(db, row.id, attempt, now, DELIVERED, result.status, result.detail)
                return
            mine = (_t.c.holder == self.holder) & (_t.c.attempts == attempt)
            given_up = now - (row.tried_at or now) >= span_micros(GIVE_UP)
            if not result.retry or given_up:
                _set(db, row, mine, state=DEAD, holder=None, lease_until=None)
                notifications.note(db, row.id, attempt, now, DEAD, result.status, result.detail)
                return
            until = now + span_micros(wait(attempt, result.retry_after, self.chance()))
            _set(db, row, mine, next_at=until, holder=None, lease_until=None)
            notifications.note(db, row.id, attempt, now, "failed", result.status, result.detail, until)

    def drop(self, row: Queued, reason: DropReason) -> None:
        """Give a row up that was taken."""
        with writing(self.log) as db:
            self._drop(db, row, reason, to_micros(self.now()))

    def _drop(self, db: Connection, row: Queued, reason: DropReason, now: int) -> None:
        _set(db, row, state=DROPPED, holder=None, lease_until=None)
        notifications.note(db, row.id, row.attempts, now, DROPPED, detail=reason)


def retry(db: Connection, id: str, now: int) -> bool:
    """Let a dead letter be tried again, for another day; whether there was one under this id. Within ``writing``."""
    dead = (_t.c.id == id) & (_t.c.state == DEAD)
    values = {"state": WAITING, "next_at": now, "tried_at": None, "holder": None, "lease_until": None}
    return bool(db.execute(update(_t).where(dead).values(**values)).rowcount)


def oldest_due(db: Connection, now: int) -> dict[str, int]:
    """Of each channel, since when its oldest row is due that waits for nothing but to be sent."""
    due = (_t.c.state == WAITING) & (_t.c.next_at <= now) & ~_waits(now)
    query = select(_t.c.channel, func.min(_t.c.next_at)).where(due).group_by(_t.c.channel)
    return {row[0]: row[1] for row in db.execute(query)}


def _due(db: Connection, holder: str, now: int, limit: int) -> list[Queued]:
    """The rows that are next, the longest due first: one an incident and channel, and no more to one receiver than it
    is to get from this process at a time: rows that a killed one still leases keep no receiver from others."""
    mine = (_t.c.state == WAITING) & (_t.c.holder == holder) & _leased(now)
    in_flight = select(_t.c.receiver, func.count()).where(mine).group_by(_t.c.receiver)
    busy: Counter[str] = Counter()
    for receiver, n in db.execute(in_flight):
        busy[receiver] = n
    full = [receiver for receiver, n in busy.items() if n >= _most(receiver)]
    query = (
        select(_t)
        .where(_t.c.state == WAITING, _t.c.next_at <= now, ~_leased(now), ~_waits(now))
        .order_by(_t.c.next_at, _t.c.number)
        .limit(AT_ONCE)
    )
    if full:
        query = query.where(_t.c.receiver.not_in(full))
    found: list[Queued] = []
    for row in notifications.read(db.execute(query)):
        if busy[row.receiver] < _most(row.receiver) and len(found) < limit:
            busy[row.receiver] += 1
            found.append(row)
    return found


def _waits(now: int) -> ColumnElement[bool]:
    """Whether an earlier row of the incident and channel is to be finished first. One that is not due yet, or is held,
    and was never tried holds nobody back."""
    other = _t.alias()
    earlier = (
        (other.c.incident == _t.c.incident)
        & (other.c.channel == _t.c.channel)
        & (other.c.number < _t.c.number)
        & (other.c.state == WAITING)
        & ((other.c.next_at <= now) | (other.c.attempts > 0) | other.c.holder.is_not(None))
    )
    return select(other.c.id).where(earlier).exists()


def _leased(now: int) -> ColumnElement[bool]:
    return func.coalesce(_t.c.lease_until, 0) > now


def _is_free(db: Connection, row: Queued, now: int) -> bool:
    """Whether nobody has taken the row since it was read."""
    same = (_t.c.id == row.id) & (_t.c.state == WAITING) & (_t.c.attempts == row.attempts) & ~_leased(now)
    return db.execute(select(_t.c.id).where(same)).first() is not None


def _set(db: Connection, row: Queued, and_: ColumnElement[bool] | None = None, **values: Any) -> bool:
    """Change a row that still waits; whether it was there."""
    where = (_t.c.id == row.id) & (_t.c.state == WAITING)
    changed = db.execute(update(_t).where(where if and_ is None else where & and_).values(**values))
    return bool(changed.rowcount)


def _behind(place: Place | None, fence: Fence) -> bool:
    """Whether the state of a model is being made again: it stands behind what was told of it."""
    return place is None or place.segment < fence.segment or place.command < fence.command or place.tick < fence.tick


def _most(receiver: str) -> int:
    return 1 if receiver.startswith(ALONE) else IN_FLIGHT


def _withdrawn(row: Queued) -> Planned:
    """What ends an incident at a channel that was told of it, where Vigil finds it in the data no more."""
    named = f"ntc_withdrawn_{row.notice.incident[-16:]}"
    notice = replace(row.notice, kind=NoticeKind.RESOLVED, id=named, note=WITHDRAWN)
    return Planned(planned_id(notice.id, row.channel, 0), notice, row.channel, 0, from_micros(row.due_at))
