"""Events of payload loggers to durable rows: read, find whose they are, append those that came at once together.

Nothing of a body is looked at: what it means is the fold's to find out, so that the logger beside a model, which holds
a goroutine for each event that is not answered, never waits for it.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from monitor.access import Principal
from monitor.batch import Reject
from monitor.clock import Now
from monitor.codecs.segment import to_ipc
from monitor.errors import Forbidden, NoGoodRow, Overloaded
from monitor.events.cloudevents import Event, Refused, decode
from monitor.events.families import Logged, read
from monitor.events.pairing import Half
from monitor.events.route import Route
from monitor.events.stored import to_rows
from monitor.ingest.admission import Admission
from monitor.ingest.directory import Declarations, Directory
from monitor.ingest.receipt import MOST_ERRORS, new_batch_id
from monitor.log.port import Part, Segment
from monitor.log.sql import SqlLog
from monitor.log.writer import Append, LogWriter
from monitor.times import to_micros

MOST_EVENTS = 10_000        # of one request
SMALL_BODY = 16_384         # bytes that are read at once: a thread would cost more than they do
_GROUP_ROWS = 20_000
_GROUP_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events of one model that are durable; ``size`` in bytes of their bodies."""

    model: str
    batch_id: str
    events: int
    size: int

    def as_dict(self) -> dict[str, Any]:
        return {"model": self.model, "batch_id": self.batch_id, "accepted": self.events}


@dataclass(frozen=True, slots=True)
class EventReceipt:
    """The answer to a request of events: what is durable, by model, and which events were not taken."""

    batches: list[Accepted]
    refused: list[Reject]

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": sum(one.events for one in self.batches),
            "rejected": len(self.refused),
            "errors": [one.as_dict() for one in self.refused[:MOST_ERRORS]],
            "batches": [one.as_dict() for one in self.batches],
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """Events of one request for one source of a model, that wait to be written."""

    model: str
    version: int
    apart: bool
    rate: float
    halves: Sequence[Half]
    size: int
    answer: Future[Accepted]

    @property
    def key(self) -> tuple[str, int, float]:
        return self.model, self.version, self.rate


_Sorted = tuple[dict[Route, list[Half]], list[Reject]]


class EventIntake:
    """Takes events of whatever model they belong to."""

    def __init__(self, log: SqlLog, writer: LogWriter, now: Now, admission: Admission, most: int) -> None:
        self.writer = writer
        self.admission = admission
        self.most = min(most, MOST_EVENTS)
        self.declarations = Declarations(log)
        self._gathering = _Gathering(now)

    async def directory(self) -> Directory:
        known = self.declarations.peek()
        return await asyncio.to_thread(self.declarations.read) if known is None else known

    async def take(self, headers: Iterable[tuple[bytes, bytes]], body: bytes, who: Principal) -> EventReceipt:
        """Take the events of a request; each stands for itself. ``headers`` have lower-case names.

        Raises ``MalformedBody`` and its like where the request cannot be read; where not one event could be taken,
        ``Overloaded``, ``Forbidden`` or ``NoGoodRow`` with the reasons; ``NotDurable`` where nothing could be written.
        """
        directory = await self.directory()
        if len(body) <= SMALL_BODY:
            taken, refused = _sort(headers, body, directory, self.most)
        else:
            taken, refused = await asyncio.to_thread(_sort, headers, body, directory, self.most)
        stopped = await self._stopped(dict.fromkeys(route.model for route in taken), who)
        for route in [route for route in taken if route.model in stopped]:
            why = stopped[route.model]
            refused += [Reject(half.place, "source", f"is for '{route.model}': {why}") for half in taken.pop(route)]
        refused.sort(key=lambda reject: reject.row)
        if refused and not taken:
            raise _nothing(refused, list(stopped.values()))
        waiting = [_waiting(route, directory, halves) for route, halves in taken.items()]
        for one in waiting:
            self.writer.submit_few(one.model, one.size, one, self._gathering)
        return EventReceipt(await asyncio.gather(*(asyncio.wrap_future(one.answer) for one in waiting)), refused)

    async def _stopped(self, models: Iterable[str], who: Principal) -> dict[str, Overloaded | Forbidden]:
        """What keeps events of some models out now."""
        found: dict[str, Overloaded | Forbidden] = {}
        for model in models:
            try:
                who.require("ingest", model)
                if self.admission.peek(model, declared=True) is None:
                    await asyncio.to_thread(self.admission.admit, model)
            except (Overloaded, Forbidden) as error:
                found[model] = error
        return found


def _sort(headers: Iterable[tuple[bytes, bytes]], body: bytes, directory: Directory, most: int) -> _Sorted:
    """The events of a request by the source that takes them, and those that cannot be taken."""
    events, refused = decode(headers, body, most)
    taken: dict[Route, list[Half]] = defaultdict(list)
    for event in events:
        try:
            logged = read(event)
            route = directory.routes.find(logged)
            taken[route].append(_half(event, logged, route.source))
        except Refused as why:
            refused.append(Reject(event.place, why.field, why.reason))
    return taken, refused


def _half(event: Event, logged: Logged, source: int) -> Half:
    """An event as it waits for the other half; when it arrived is its segment's to say."""
    time = None if event.time is None else to_micros(event.time)
    attributes = json.dumps(event.attributes, separators=(",", ":"), sort_keys=True)
    return Half(
        logged.id, logged.node, logged.side, 0, time, attributes, event.content_type, event.data, source,
        place=event.place,
    )  # fmt: skip


def _waiting(route: Route, directory: Directory, halves: list[Half]) -> _Waiting:
    version, spec = directory.declared[route.model]
    apart = bool(spec.protected_attributes)     # bodies may hold them, and they are kept apart from all else
    size = sum(len(half.data) for half in halves)
    rate = spec.sources[route.source].sampling_rate or 1.0
    return _Waiting(route.model, version, apart, rate, halves, size, Future())


def _nothing(refused: list[Reject], stopped: list[Overloaded | Forbidden]) -> Overloaded | Forbidden | NoGoodRow:
    """Not one event was taken: what kept them out, if it was one thing."""
    for kind in (Overloaded, Forbidden):
        for why in stopped:
            if isinstance(why, kind) and (kind is Overloaded or len(refused) == 1):
                return why
    return NoGoodRow("no event could be taken", "Mend what is listed", [r.as_dict() for r in refused[:MOST_ERRORS]])


class _Gathering:
    """Makes segments of what waits; ``now`` is when it arrived."""

    def __init__(self, now: Now) -> None:
        self.now = now

    def __call__(self, waiting: Sequence[_Waiting]) -> list[Append]:
        groups: dict[tuple[str, int, float], list[_Waiting]] = defaultdict(list)
        for one in waiting:
            if one.answer.set_running_or_notify_cancel():       # whoever has gone writes nothing
                groups[one.key].append(one)
        appends = []
        for part in chain.from_iterable(map(_bounded, groups.values())):
            try:
                appends.append(self._append(part))
            except Exception as error:      # a fault of Vigil's own: those who wait are told, and the others written
                _fail(part, error)
        return appends

    def _append(self, group: list[_Waiting]) -> Append:
        now, first = self.now(), group[0]
        told, bodies = to_rows(list(chain.from_iterable(one.halves for one in group)))
        parts = tuple(
            Part(new_batch_id(now), len(one.halves), envelope={"sampling_rate": one.rate, "bytes": one.size})
            for one in group
        )
        segment = Segment(
            model=first.model,
            kind="events",
            received_at=to_micros(now),
            event_clock=False,
            sampling_rate=first.rate,
            declaration=first.version,
            payload=to_ipc(told if first.apart else told.append_column("data", bodies.column("data"))),
            protected=to_ipc(bodies) if first.apart else None,
            parts=parts,
        )

        def written(_: Segment | None) -> None:
            for one, part in zip(group, parts, strict=True):
                one.answer.set_result(Accepted(one.model, part.batch_id, part.rows, one.size))

        return Append(segment, written, partial(_fail, group))


def _fail(group: Iterable[_Waiting], error: Exception) -> None:
    for one in group:
        one.answer.set_exception(error)


def _bounded(group: list[_Waiting]) -> Iterator[list[_Waiting]]:
    """A group in parts of a bounded number of events and bytes; one that is larger goes alone."""
    part: list[_Waiting] = []
    rows = size = 0
    for one in group:
        if part and (rows + len(one.halves) > _GROUP_ROWS or size + one.size > _GROUP_BYTES):
            yield part
            part, rows, size = [], 0, 0
        part.append(one)
        rows, size = rows + len(one.halves), size + one.size
    yield part
