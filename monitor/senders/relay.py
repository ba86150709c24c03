"""Takes notices from the state over into the log's queue, each once, whatever is killed, lost or made again.

The state may lose its last commits, or be made again from the log, and its notices with it. So each model has a fence
in the log: up to which entry of each lane its notices are taken over. It moves in the transaction that queues them, and
what comes from behind it is dropped. Entries are carried out in the order of their lanes, with the cursors in the same
transaction: what a snapshot's cursors have passed is in the snapshot, or behind the fence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from incidents.routing import Planned, Route, plan
from monitor.clock import Now
from monitor.database import reading, writing
from monitor.log import notifications
from monitor.log.notifications import Fence
from monitor.store import outbox
from monitor.store.outbox import Place, Waiting
from monitor.times import from_micros, to_micros

AT_ONCE = 200               # notices of a model in one transaction
FENCE_EVERY = 60_000_000    # microseconds between two moves of fences where there was nothing to tell

RoutesOf = Callable[[str], Sequence[Route]]


class Relay:
    """``routes``: those of a model's declaration in force."""

    def __init__(self, log: Engine, state: Engine, routes: RoutesOf, now: Now) -> None:
        self.log, self.state, self.routes, self.now = log, state, routes, now
        self._fenced_at = 0

    def run(self) -> int:
        """Take over all that waits; how many notices were read."""
        with reading(self.state) as db:
            names, places = outbox.with_notices(db), outbox.places(db)
        read = sum(self._take(name) for name in names)
        now = to_micros(self.now())
        if now - self._fenced_at >= FENCE_EVERY:
            self._move(places)
            self._fenced_at = now
        return read

    def _take(self, model: str) -> int:
        read = 0
        while found := self._batch(model):
            read += len(found)
            with writing(self.state) as db:
                outbox.forget(db, [waiting.notice.id for waiting in found])
        return read

    def _batch(self, model: str) -> list[Waiting]:
        """Queue a model's next notices. The fence moves once none is left behind them."""
        with reading(self.state) as db:
            found = outbox.waiting(db, model, AT_ONCE + 1)
            place = outbox.places(db).get(model)
        found, more = found[:AT_ONCE], len(found) > AT_ONCE
        if not found or place is None:
            return []
        routes = {route.name: route for route in self.routes(model)}
        now = to_micros(self.now())
        with writing(self.log) as db:
            fence = notifications.fences(db).get(model, Fence())
            planned = taken_over(found, fence, list(routes.values()), now)
            notifications.enqueue(db, [(p, routes[p.channel].receiver) for p in planned], now)
            if not more:
                notifications.move(db, {model: fence.moved(_fence(place))})
        return found

    def _move(self, places: dict[str, Place]) -> None:
        """Let the fences follow lanes in which nothing was to be told, so that a later version of Vigil, which may find
        something in them, tells nobody of long ago. ``places``: of a snapshot whose notices were taken over since."""
        with writing(self.log) as db:
            there = notifications.fences(db)
            to = {model: there.get(model, Fence()).moved(_fence(place)) for model, place in places.items()}
            notifications.move(db, {model: fence for model, fence in to.items() if fence != there.get(model)})


def taken_over(found: Sequence[Waiting], fence: Fence, routes: Sequence[Route], now: int) -> list[Planned]:
    """What is to be queued of notices that were read: nothing of those whose origin lies behind the fence."""
    new = [waiting for waiting in found if not fence.behind(waiting.origin.lane, waiting.origin.seq)]
    return [planned for waiting in new for planned in plan(waiting.notice, routes, from_micros(now))]


def _fence(place: Place) -> Fence:
    return Fence(place.segment, place.command, place.tick)
