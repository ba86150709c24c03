"""The loop: for each model, take what is new in its log, and commit state and cursor together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import structlog
from sqlalchemy import Connection, Engine

from incidents.events import Actor
from incidents.notices import Origin
from monitor.clock import Now
from monitor.database import reading, writing
from monitor.judge.watch import Watch
from monitor.log import cuts, seals
from monitor.log.port import Command, Segment, Tick
from monitor.log.sql import SqlLog, iter_segments
from monitor.store import incidents, models, rollups, streams, summaries
from monitor.store.joins import Joins, JoinStore
from monitor.store.joins import forget as forget_joins
from monitor.store.models import ModelState
from monitor.times import span_micros, to_micros
from monitor.worker import commands, exchanges
from monitor.worker.ahead import Ahead, Group, read_group
from monitor.worker.commands import Reason, Recorded
from monitor.worker.evaluation import Change, carry_out, changes, note_touched
from monitor.worker.folding import Touched, batch_of, fold_events, fold_pieces, note_waiting
from monitor.worker.grouping import alike
from monitor.worker.reference import build_reference, is_same
from monitor.worker.restoring import Told, nobody, restore
from monitor.worker.spaces import build_space, feature_types
from monitor.worker.watches import Watches

ROWS_A_COMMIT = 40_000      # enough to make a commit cheap, few enough that a reader of the incidents never waits long
ROLLUPS_A_COMMIT = 8     # so that nobody waits long for the write lock
SEGMENTS_A_READ = 256
UNWRITTEN = 64      # segments of a refold whose keys are held unwritten: each is looked into for every row

logger = structlog.get_logger("vigil.worker")


class Worker:
    """Folds and judges. One worker owns a database: its transactions take the write lock from their start."""

    def __init__(
        self,
        log: SqlLog,
        state: Engine,
        now: Now,
        timing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.log = log
        self.state = state
        self.now = now
        self.timing = timing
        self.joins = JoinStore()
        self.ahead = Ahead(self._read_ahead)
        watches = Watches(log)
        self.watch, self.spec = watches.watch, watches.spec

    def waiting(self) -> list[str]:
        """The models that have something to fold: two questions for all of them, where a step of each costs a
        transaction."""
        heads = self.log.head()
        with reading(self.state) as db:
            cursors = models.cursors(db)
        return sorted(name for name, head in heads.items() if head > cursors.get(name, 0))

    def step(self, name: str) -> int:
        """Fold the next segments of a model and judge what they close; the rows taken, 0 where there was nothing."""
        self.restore(name)
        with writing(self.state) as db:
            model = self._state(db, name)
            joins = self.joins.take(db, model)
            lanes = self._lanes(model)
            changed, taken, touched = self._catch_up(db, model, lanes), 0, Touched()
            for group in self._next(model, lanes):
                with self.timing():
                    joins = self._take(db, model, joins, group, touched)
                model.cursor = group.segments[-1].seq
                taken += sum(segment.rows for segment in group.segments)
                self._catch_up(db, model, lanes)
                if taken >= ROWS_A_COMMIT:
                    break
            if taken and not lanes:
                self._look(db, model, touched)
            if changed or taken:
                joins.flush(db)
                models.save(db, model)
        self.joins.settle(model, joins)
        return taken

    def _next(self, model: ModelState, lanes: Sequence[Command | Tick]) -> list[Group]:
        """The groups that come next. Where they are many rows, more wait: these are read ahead meanwhile."""
        found = self.ahead.take(model.name, model.cursor)
        if not found or lanes:      # what was not there then may have come since
            segments = self.log.read(model.name, model.cursor, SEGMENTS_A_READ, ROWS_A_COMMIT)
            found = [Group(group) for group in alike(segments, {entry.after_seq for entry in lanes}, ROWS_A_COMMIT)]
        many = sum(segment.rows for group in found for segment in group.segments) >= ROWS_A_COMMIT
        if many and not lanes and model.reference is not None:
            self.ahead.begin(model.name, found[-1].segments[-1].seq, self.watch(model))
        return found

    def _read_ahead(self, name: str, after: int, watch: Watch | None) -> list[Group]:
        segments = self.log.read(name, after, SEGMENTS_A_READ, ROWS_A_COMMIT)
        return [read_group(group, watch) for group in alike(segments, frozenset(), ROWS_A_COMMIT)]

    def restore(self, name: str, told: Told = nobody) -> bool:
        """Make a model's state again from its seal, where it is not there, or older than the seal is: as after a power
        cut, for the state is not as durable as the log. Whether it was."""
        with reading(self.log.engine) as db:
            seal = seals.find(db, name)
        if seal is None:
            return False
        with reading(self.state) as db:
            cursor, _ = models.place(db, name)
        if cursor >= seal.seq:
            return False
        at = to_micros(self.now())
        made = restore(self.log, self.state, name, self.watch, lambda version: self.spec(name, version), at, told)
        if made:
            logger.info("restored", model=name, seq=seal.seq)
        return made

    def roll_up(self, name: str) -> int:
        """Make some of the roll-ups that are wanting, for what reads long windows; how many were looked at."""
        with reading(self.state) as db:
            model = models.load(db, name)
            if model is None or not rollups.wanting(db, model.id, model.clock, 1):
                return 0
        with writing(self.state) as db:
            return rollups.refresh(db, model.id, model.clock, ROLLUPS_A_COMMIT)

    def tick(self, name: str) -> bool:
        """Read the clock for a model, and judge the windows that time alone has closed. Replays have no clock."""
        at = to_micros(self.now())
        with reading(self.state) as db:
            model = models.load(db, name)
            if model is None or not (self._due(db, model, Touched(), at) or exchanges.due(db, model, at)):
                return False
        with writing(self.state) as db:
            model = self._state(db, name)
            lanes = self._lanes(model)
            self._catch_up(db, model, lanes)
            if not lanes:       # else it would be judged before what it was judged for then has come
                self._look(db, model, Touched())
            models.save(db, model)
        return not lanes

    def command(self, name: str, incident: str, body: dict[str, object], actor: Actor) -> Reason:
        """Make a command durable and carry it out at once; the reason says what came of it. While the state is being
        made again it is recorded, and carried out when the state is as far as it was."""
        who = {"id": actor.id, "kind": actor.kind.value}
        with writing(self.state) as db:
            model = models.load(db, name)
            if model is None and not commands.is_begun(self.log, name):
                model = self._state(db, name)
            lanes: list[Command | Tick] = []
            if model is not None:
                self._catch_up(db, model, lanes := self._lanes(model))
            at, behind = to_micros(self.now()), commands.behind_all(self.log, name, lanes)
            if model is None or lanes or not self._knows(db, model, incident, behind[0]):
                reason: Reason = Recorded.RECORDED
                self.log.append_command(Command(name, *behind, at, who, incident, body))
            else:
                asked = Command(name, model.cursor, model.tick_cursor, at, who, incident, body)
                reason = commands.carry_out(db, model, self.log.append_command(asked))
            if model is not None:
                models.save(db, model)
        return reason

    def _knows(self, db: Connection, model: ModelState, incident: str, head: int) -> bool:
        """Whether an incident is there, or none is named, or it will not come any more."""
        return not incident or model.cursor >= head or incidents.find(db, incident) is not None

    def _state(self, db: Connection, name: str) -> ModelState:
        found = models.load(db, name)
        if found is None:
            declaration = self.log.declaration(name)
            assert declaration is not None, "only what was declared is folded"
            found = models.create(db, name, declaration.number)
        return found

    def _lanes(self, model: ModelState) -> list[Command | Tick]:
        """What was logged and not carried out yet, in the order in which it is to be: after a kill before it reached
        the state, or in a rebuild."""
        found = self.log.commands(model.name, model.command_cursor)
        return sorted([*found, *self.log.ticks(model.name, model.tick_cursor)], key=commands.place)

    def _catch_up(self, db: Connection, model: ModelState, lanes: list[Command | Tick]) -> bool:
        """Carry out what was logged at this cursor, and take it from the lanes. Whether there was anything."""
        done = 0
        while done < len(lanes) and lanes[done].after_seq <= model.cursor:
            entry = lanes[done]
            if isinstance(entry, Command):
                commands.carry_out(db, model, entry)
            else:
                self._tick(db, model, entry)
            done += 1
        del lanes[:done]
        return bool(done)

    def _look(self, db: Connection, model: ModelState, touched: Touched) -> None:
        """Judge what is due now. When that was is logged, since what follows depends on it."""
        at = to_micros(self.now())
        found = self._due(db, model, touched, at)
        if found or exchanges.due(db, model, at):
            self._tick(db, model, self.log.append_tick(Tick(model.name, model.cursor, at)), found)

    def _due(self, db: Connection, model: ModelState, touched: Touched, at: int) -> list[Change]:
        if model.event_clock or model.reference is None:
            return []
        return changes(db, replace(model, clock=max(model.clock, at)), self.watch(model), touched)

    def _tick(self, db: Connection, model: ModelState, tick: Tick, found: list[Change] | None = None) -> None:
        """Let the model's clock go on to a tick; ``found``: what that changes, where it is known."""
        model.clock = max(model.clock, tick.at)
        model.tick_cursor = tick.seq
        exchanges.expire(db, model, tick.at)
        if model.reference is not None:
            watch = self.watch(model)
            found = changes(db, model, watch) if found is None else found
            carry_out(db, model, watch, found, Origin("tick", tick.seq))

    def _take(
        self, db: Connection, model: ModelState, joins: Joins, group: Group, touched: Touched
    ) -> Joins:
        """Take alike segments in, and give back the joins that hold now. A replay is judged as it goes, by its own
        clock; live data are when the clock is read."""
        first = group.segments[0]
        if first.kind == "reference":
            return self._regrid(db, model, joins, first)
        if model.reference is None:
            note_waiting(db, model, group.segments)
            return joins
        watch = self.watch(model)
        new = self._fold(db, model, watch, joins, group)
        note_touched(db, model, watch, new)
        touched.add(new)
        if model.event_clock:
            origin = Origin("segment", group.segments[-1].seq)
            carry_out(db, model, watch, changes(db, model, watch, touched), origin)
            touched.clear()
        return joins

    def _fold(self, db: Connection, model: ModelState, watch: Watch, joins: Joins, group: Group) -> Touched:
        """Fold alike segments, of rows or of events."""
        first = group.segments[0]
        if first.kind == "events":
            return fold_events(db, model, watch, joins, self.spec(model.name, first.declaration), group.segments)
        return fold_pieces(db, model, watch, joins, group.under(watch))

    def _regrid(self, db: Connection, model: ModelState, joins: Joins, segment: Segment) -> Joins:
        """A new reference: its grid, and the whole log of the model folded anew onto it. The same one again is none."""
        spec = self.spec(model.name, segment.declaration)
        if model.reference_seq and model.declaration == segment.declaration and is_same(self.log, model, segment):
            return joins
        batch = batch_of([segment])
        features = feature_types(spec, batch.table)
        space = build_space(spec, features, batch)
        reference = build_reference(spec, space, batch, spec.reference)
        model.declaration, model.features = segment.declaration, dict(features)
        is_first = not model.reference_seq
        model.reference, model.reference_seq = reference.to_bytes(), segment.seq
        clock, last_prediction = model.clock, model.last_prediction
        model.clock = model.last_prediction = 0         # so that the refold calls late what was late then
        model.event_clock = False
        model.counts = {}
        for forget in (forget_joins, summaries.forget, streams.forget, exchanges.forget):
            forget(db, model.id)
        watch, joins = self.watch(model), self.joins.load(db, model)
        folded = unwritten = 0
        with reading(self.log.engine) as log:
            cut = cuts.find(log, model.name)
        for earlier in iter_segments(self.log, model.name, segment.seq - 1, after=cut.rows_upto):
            if earlier.kind != "reference":
                self._fold(db, model, watch, joins, Group([earlier]))
                folded += earlier.rows
            unwritten += 1
            if folded >= ROWS_A_COMMIT or unwritten >= UNWRITTEN:
                joins.flush(db)
                folded = unwritten = 0
        self._leave_out(db, model, cut.cut_to)
        model.clock, model.last_prediction = max(model.clock, clock), max(model.last_prediction, last_prediction)
        if is_first:        # what came before there was anything to compare with is measured, and opens nothing
            model.judged_from = model.clock
        model.see_reference(segment.seq, segment.declaration, segment.received_at)
        carry_out(db, model, watch, changes(db, model, watch), Origin("segment", segment.seq))
        logger.info("reference", model=model.name, rows=segment.rows, features=len(features))
        return joins

    def _leave_out(self, db: Connection, model: ModelState, cut_to: int) -> None:
        """Of windows whose rows were cut from the log a refold knows a part only: they are measured no more, and keep
        the points that they have. ``cut_to``: before which the times of all those rows lie."""
        grain = span_micros(self.watch(model).spec.grain)
        model.measured_from = max(model.measured_from, -(-cut_to // grain) * grain)
        summaries.forget(db, model.id, before=model.measured_from)
