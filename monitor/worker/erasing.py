"""Erasures carried out: what the log holds of someone is taken from segments, joins, halves, refusals and the seal.

Summaries stay: they are counts of many. The order is such that whoever is killed between two steps can begin again,
though nobody's name is kept: outcomes are found by the predictions of the person, so predictions go last; and what is
kept under ids goes before the rows that tell which.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from sqlalchemy import Connection, delete, select

from monitor.batch import Kind
from monitor.codecs.segment import column_of, from_ipc
from monitor.database import empty_journal, forget_well, reading, writing
from monitor.errors import Conflict
from monitor.fold.ids import Ids
from monitor.log import cuts, erasures
from monitor.log.erasures import Erasure, Of, hashed
from monitor.log.port import Segment
from monitor.log.rewriting import Mask, take_out
from monitor.log.sql import iter_segments
from monitor.store import models
from monitor.store.joins import KINDS
from monitor.store.keys import cuts as key_cuts
from monitor.store.keys.runs import Runs
from monitor.store.models import ModelState
from monitor.store.tables import halves, refusals
from monitor.worker.events_again import ScratchEvents
from monitor.worker.keeping import Keeper

_LAST: tuple[Kind, ...] = ("outcomes", "events", "reference", "predictions")    # the order in which they are rewritten

logger = structlog.get_logger("vigil.erasure")


@dataclass(slots=True)
class Sought:
    """The erasures of one model and key: which of them each hash stands for."""

    key: bytes
    of: dict[Of, dict[str, str]] = field(default_factory=lambda: {"subject": {}, "prediction": {}})

    def matches(self, of: Of, values: pa.Array) -> dict[str, str]:
        """Which of some texts are sought, each with its erasure."""
        wanted = self.of[of]
        if not wanted:
            return {}
        found = ((v, wanted.get(hashed(self.key, of, v))) for v in pc.unique(values).to_pylist() if v is not None)
        return {value: erasure for value, erasure in found if erasure is not None}


@dataclass(slots=True)
class Found:
    """What is to go: predictions by id, with their erasure; of exchanges the events by id; more ids whose entries are
    of these exchanges; and the segments that hold any of it, by kind."""

    ids: dict[str, str] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    beside: set[str] = field(default_factory=set)
    segments: dict[Kind, set[int]] = field(default_factory=lambda: defaultdict(set))

    def hold(self, kind: Kind, seq: int) -> None:
        self.segments[kind].add(seq)


class Eraser:
    """Carries out the erasures of a model that wait, all of them in one go."""

    def __init__(self, keeper: Keeper, name: str) -> None:
        self.keeper, self.name = keeper, name
        self.log, self.state, self.worker = keeper.log, keeper.state, keeper.worker

    def run(self) -> list[Erasure]:
        """Those that are done now. One whose rows are not all folded yet waits for the next time, as do all where
        another process is at it."""
        with reading(self.log) as db:
            if not erasures.pending(db, self.name):
                return []
        with self.keeper.holding(self.name) as mine:
            return self._run() if mine else []

    def _run(self) -> list[Erasure]:
        with reading(self.log) as db:
            waiting = erasures.pending(db, self.name)
        with reading(self.state) as db:
            model = models.load(db, self.name)
        ready = [e for e in waiting if e.upto <= (model.cursor if model is not None else 0)]
        for key, upto in sorted({(e.key, e.upto) for e in ready}):
            self._erase([e for e in ready if (e.key, e.upto) == (key, upto)], upto, model)
        if ready:
            with writing(self.log) as db:
                erasures.finish(db, (e.id for e in ready), self.keeper.now())
            for engine in (self.log, self.state):
                empty_journal(engine)
            logger.info("erased", model=self.name, erasures=[e.id for e in ready])
        return ready

    def _erase(self, asked: Sequence[Erasure], upto: int, model: ModelState | None) -> None:
        if model is None:       # nothing was ever sent
            return
        sought = Sought(asked[0].key)
        for e in asked:
            sought.of[e.of][e.hash] = e.id
        found = self._find(sought, upto, model)
        if not found.segments:
            return
        self._from_state(found, upto)
        self.keeper.seal(self.name)
        for kind in _LAST:
            for seq in sorted(found.segments.get(kind, ())):
                self._from_segment(kind, seq, found, sought, upto)

    def _find(self, sought: Sought, upto: int, model: ModelState) -> Found:
        found, events = Found(), ScratchEvents(model)
        try:
            for segment in self._segments(upto, model.reference_seq):
                if segment.kind == "events":
                    self._find_events(segment, sought, found, events)
                elif segment.kind != "outcomes":
                    here = _ids_in(from_ipc(segment.payload), sought)
                    found.ids |= here
                    if here:
                        found.hold(segment.kind, segment.seq)
        finally:
            events.close()
        for segment in self._segments(upto, model.reference_seq):
            if segment.kind == "outcomes":
                ids = column_of(segment.payload, "prediction_id")
                found.ids |= sought.matches("prediction", ids)
                if found.ids and pc.any(pc.is_in(ids, pa.array(list(found.ids), pa.string()))).as_py():
                    found.hold("outcomes", segment.seq)
            elif segment.kind == "events" and found.events:
                ids = column_of(segment.payload, "event_id")
                if pc.any(pc.is_in(ids, pa.array(list(found.events), pa.string()))).as_py():
                    found.hold("events", segment.seq)
            elif segment.kind in ("predictions", "reference"):      # other versions, and a reference of the same rows
                ids = column_of(segment.payload, "prediction_id")
                if found.ids and pc.any(pc.is_in(ids, pa.array(list(found.ids), pa.string()))).as_py():
                    found.hold(segment.kind, segment.seq)
        return found

    def _segments(self, upto: int, reference: int) -> Iterator[Segment]:
        """What is there up to a segment: the reference in force, though all around it was cut, and what was not."""
        with reading(self.log) as db:
            after = cuts.find(db, self.name).rows_upto
        if 0 < reference <= after:
            yield from (s for s in self.worker.log.read(self.name, reference - 1, 1) if s.seq == reference)
        for segment in iter_segments(self.worker.log, self.name, upto, after=after):
            self.keeper.check()
            yield segment

    def _find_events(self, segment: Segment, sought: Sought, found: Found, events: ScratchEvents) -> None:
        """An exchange goes whole: its body may hold other rows beside the person's."""
        told = from_ipc(segment.payload)
        owners = [number for number, part in enumerate(segment.parts) for _ in range(part.rows)]
        places = zip(owners, told.column("row").to_pylist(), strict=True)
        named = dict(zip(places, told.column("event_id").to_pylist(), strict=True))
        spec = self.worker.spec(self.name, segment.declaration)
        for part in events.take(spec, segment).predictions:
            table = part.batch.table
            of = [named[at] for at in zip(part.parts.tolist(), table.column("row").to_pylist(), strict=True)]
            ids, here = table.column("prediction_id").to_pylist(), _ids_in(table, sought)
            found.ids |= here
            found.events |= {event: here[id_] for event, id_ in zip(of, ids, strict=True) if id_ in here}
            found.beside |= {id_ for event, id_ in zip(of, ids, strict=True) if event in found.events}
        found.events |= sought.matches("prediction", told.column("event_id"))

    def _from_state(self, found: Found, upto: int) -> None:
        ids = Ids.of(sorted({*found.ids, *found.beside}))

        def from_joins(db: Connection, model: ModelState, runs: Callable[[str], Runs]) -> bool:
            forget_well(db)
            for kind in KINDS:
                key_cuts.erase(db, runs(kind), ids if kind == "entries" else Ids.of(sorted(found.ids)), upto)
            return False

        self.keeper.change_joins(self.name, from_joins)
        with writing(self.state) as db:
            model = models.load(db, self.name)
            assert model is not None, "it was there before"
            for event in found.events:
                db.execute(delete(halves).where(halves.c.model == model.id, halves.c.event_id == event))
            query = select(refusals.c.id, refusals.c.reason).where(refusals.c.model == model.id)
            named = [f"request {event!a}" for event in found.events]
            gone = [id_ for id_, reason in db.execute(query) if any(name in reason for name in named)]
            if gone:
                db.execute(delete(refusals).where(refusals.c.id.in_(gone)))

    def _from_segment(self, kind: Kind, seq: int, found: Found, sought: Sought, upto: int) -> None:
        went: Counter[str] = Counter()

        def step(db: Connection, _model: ModelState) -> bool:
            went.clear()
            take_out(db, self.name, seq, lambda table: _mask(kind, table, found, sought, went))
            for erasure, n in went.items():
                erasures.count(db, [erasure], Counter({kind: n}))
            return False

        self.keeper.under_seal(self.name, upto, step)
        self.keeper.pause()


def _ids_in(table: pa.RecordBatch, sought: Sought) -> dict[str, str]:
    """The ids of the rows that are sought, by themselves or by the person that they are about."""
    ids = table.column("prediction_id")
    found = sought.matches("prediction", ids)
    if "subject_key" in table.schema.names:
        keys = table.column("subject_key")
        people = sought.matches("subject", keys)
        if people:
            mine = pc.is_in(keys, pa.array(list(people), pa.string()))
            pairs = zip(ids.filter(mine).to_pylist(), keys.filter(mine).to_pylist(), strict=True)
            found |= {id_: people[key] for id_, key in pairs}
    return found


def _mask(kind: Kind, table: pa.RecordBatch, found: Found, sought: Sought, went: Counter[str]) -> Mask:
    """The rows of a segment that go; how many for each erasure is added to ``went``."""
    by_id = found.events if kind == "events" else found.ids
    column = table.column("event_id" if kind == "events" else "prediction_id")
    mask = np.asarray(pc.is_in(column, pa.array(list(by_id), pa.string())))
    of = [by_id[id_] for id_ in column.filter(pa.array(mask)).to_pylist()]
    went.update(of)
    return mask


def carry_out(keeper: Keeper, names: Iterable[str]) -> list[Erasure]:
    """The erasures of some models that wait and whose rows are folded."""
    return [done for name in names for done in Eraser(keeper, name).run()]


def ask(keeper: Keeper, name: str, of: Of, whom: str, by: str, reason: str) -> Erasure:
    """Record an erasure of what is there of a person or a prediction now; ``carry_out`` does it. ``Conflict`` where no
    reason is given: the record must say why."""
    if not reason.strip():
        raise Conflict("an erasure without a reason is no record", "Say why, as in --reason 'request of 3 March'")
    with writing(keeper.log) as db:
        return erasures.ask(db, name, of, whom, keeper.now(), by, reason)
