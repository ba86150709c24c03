"""Retention: what is too old is taken from log, state and seals, in small steps, while ingest and fold go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection, Table, delete, select, update

from monitor.database import reading, writing
from monitor.database.days import DAY
from monitor.errors import NotDurable
from monitor.log import cuts, seals
from monitor.log.cuts import Cuts
from monitor.log.tables import protected_segments, segments
from monitor.store import models, summaries
from monitor.store.joins import KINDS
from monitor.store.keys import cuts as key_cuts
from monitor.store.keys.runs import Runs
from monitor.store.models import ModelState
from monitor.store.tables import folded, refusals
from monitor.store.tables import models as models_table
from monitor.times import span_micros
from monitor.worker.keeping import Keeper

PIECES = 256            # of the joins, in a step

logger = structlog.get_logger("vigil.retention")


@dataclass(frozen=True, slots=True)
class Ages:
    """How long what came is kept, counted from its arrival; protected attributes from when outcomes are due."""

    rows: timedelta = timedelta(days=400)
    protected: timedelta = timedelta(days=30)
    summaries: timedelta = timedelta(days=1095)
    rejects: timedelta = timedelta(days=90)

    @classmethod
    def of_days(cls, *days: int) -> Ages:
        """
        >>> Ages.of_days(400, 30, 1095, 90) == Ages()
        True
        """
        return cls(*(timedelta(days=n) for n in days))


@dataclass(frozen=True, slots=True)
class Due:
    """Up to which segments a model is to be cut, and the instant before which rejects are."""

    rows: int
    protected: int
    summaries: int
    rejects_before: int


class Retention:
    """Cuts what is older than ``ages``, of one model at a time."""

    def __init__(self, keeper: Keeper, ages: Ages) -> None:
        self.keeper, self.ages = keeper, ages
        self._from: dict[tuple[str, str], int] = {}     # where the search for what is old goes on

    def run(self, name: str) -> dict[str, int]:
        """Cut what is too old of a model; what went. Nothing, where another process is at it."""
        with self.keeper.holding(name) as mine:
            return self._run(name) if mine else {}

    def _run(self, name: str) -> dict[str, int]:
        with reading(self.keeper.log) as db:
            before = cuts.find(db, name)
        due = self.due(name, before)
        if due is not None:
            if max(due.rows, due.protected, due.summaries) > 0:
                self._cut(name, due)
            self.keeper.every(lambda db: cuts.cut_rejects(db, name, due.rejects_before))
            self._cut_refusals(name, due.rejects_before)
        with reading(self.keeper.log) as db:
            after = cuts.find(db, name)
        went = {what: n - before.counts.get(what, 0) for what, n in after.counts.items()}
        if any(went.values()):
            logger.info("cut", model=name, **went)
        return {what: n for what, n in went.items() if n}

    def drop_days(self, names: list[str]) -> int:
        """On PostgreSQL, drop the days of which all may go, without a look at their rows; how many parts. What cannot
        be dropped now, as while a backup reads the table, is deleted by ``run``."""
        dropped = 0
        with suppress(NotDurable):
            for _ in self._drop_days(names):
                dropped += 1
                self.keeper.pause()
        return dropped

    def _drop_days(self, names: list[str]) -> Iterator[int]:
        old = self.keeper.now() - span_micros(min(self.ages.rows, self.ages.protected))
        for table, what in ((segments, "rows"), (protected_segments, "protected")):
            with reading(self.keeper.log) as db:
                days = cuts.whole_days(db, table, old)
            for day in days:
                with reading(self.keeper.log) as db:
                    there = cuts.models_of_day(db, table, day)
                with ExitStack() as held:
                    mine = all(held.enter_context(self.keeper.holding(name)) for name in there)
                    if not mine or not self._may_drop(names, there, what):
                        break
                    with writing(self.keeper.state) as state:
                        found = [m for name in there if (m := models.load(state, name)) is not None]
                        may_go = [self.keeper.is_sealed(m) and not _in(m, there[m.name]) for m in found]
                        if len(found) < len(there) or not all(may_go):
                            continue
                        with writing(self.keeper.log) as db:
                            cuts.drop_day(db, table, day)
                yield day

    def _may_drop(self, names: list[str], there: dict[str, tuple[int, int]], what: str) -> bool:
        for name, (_, last) in there.items():
            with reading(self.keeper.log) as db:
                due = self.due(name, cuts.find(db, name)) if name in names else None
            if due is None or getattr(due, what) < last:
                return False
            self.keeper.sealed_upto(name, last)
        return True

    def due(self, name: str, cut: Cuts) -> Due | None:
        """What is too old now, as far as it is folded; ``None`` for a model of which nothing is."""
        with reading(self.keeper.state) as db:
            model = models.load(db, name)
        declared = self.keeper.worker.log.declaration(name)
        if model is None or declared is None:
            return None
        ages, delay = self.ages, span_micros(self.keeper.worker.spec(name, declared.version).label_delay)
        rows = self._old(name, "rows", cut.rows_upto, span_micros(ages.rows), model)
        protected = self._old(name, "protected", cut.blind_upto, delay + span_micros(ages.protected), model)
        sums = self._old(name, "summaries", cut.summaries_upto, span_micros(ages.summaries), model)
        return Due(rows, max(rows, protected), sums, self.keeper.now() - span_micros(ages.rejects))

    def _old(self, name: str, what: str, cut: int, age: int, model: ModelState) -> int:
        """The last folded segment up to which all are older than an age in whole days."""
        begin = max(cut, self._from.get((name, what), 0))
        with reading(self.keeper.log) as db:
            found = cuts.last_before(db, name, begin, (self.keeper.now() - age) // DAY * DAY)
        self._from[name, what] = found
        return min(found, model.cursor)

    def _cut(self, name: str, due: Due) -> None:
        with reading(self.keeper.log) as db:
            cut = cuts.find(db, name)
            rows = _any_upto(db, segments, name, due.rows)
            protected = _any_upto(db, protected_segments, name, due.protected)
        if due.rows > cut.rows_upto or rows:
            self.keeper.under_seal(
                name, due.rows, lambda db, model: cuts.cut_rows(db, name, due.rows, model.reference_seq)
            )
        if protected:
            self.keeper.under_seal(
                name, due.protected, lambda db, model: cuts.cut_protected(db, name, due.protected, model.reference_seq)
            )
        self._cut_joins(name)
        self._blind_joins(name)
        if due.summaries:
            self._cut_summaries(name, due.summaries)

    def _cut_joins(self, name: str) -> None:
        with reading(self.keeper.log) as db:
            upto = cuts.find(db, name).rows_upto
        for kind in KINDS:
            with reading(self.keeper.state) as db:
                model = models.load(db, name)
                due = model is not None and key_cuts.is_due(db, model.id, kind, upto)
            if due:
                self.keeper.change_joins(name, lambda db, model, runs: key_cuts.cut(db, runs(kind), upto, PIECES))  # noqa: B023

    def _blind_joins(self, name: str) -> None:
        """Take from entries what follows from protected attributes that were cut."""
        with reading(self.keeper.log) as db:
            upto = cuts.find(db, name).blind_upto
        with reading(self.keeper.state) as db:
            model = models.load(db, name)
        if model is None or model.blind_upto >= upto:
            return
        with reading(self.keeper.log) as db:
            lost = cuts.blinded_events(db, name, model.blind_upto, upto)
        if lost:
            self.keeper.change_joins(name, lambda db, model, runs: key_cuts.erase_segments(db, runs("entries"), lost))
        groups = self._protected_groups(model)
        begin: int | None = 0

        def blind(db: Connection, model: ModelState, runs: Callable[[str], Runs]) -> bool:
            nonlocal begin
            assert begin is not None, "it ends with the last piece"
            begin = key_cuts.rewrite(
                db, runs("entries"), begin, model.blind_upto, upto,
                lambda rows: key_cuts.blinded(rows, upto, groups), PIECES,
            )  # fmt: skip
            return begin is not None

        self.keeper.change_joins(name, blind)
        with writing(self.keeper.state) as db:
            db.execute(update(models_table).where(models_table.c.id == model.id).values(blind_upto=upto))

    def _protected_groups(self, model: ModelState) -> list[str]:
        if model.reference is None:
            return []
        axes = self.keeper.worker.watch(model).reference.space.axes
        return [f"group{i}" for i, axis in enumerate(axes) if axis.kind == "attribute"]

    def _cut_summaries(self, name: str, upto: int) -> None:
        """Summaries, and what is told of batches, of segments so old that neither can be asked for."""
        self.keeper.sealed_upto(name, upto)
        with writing(self.keeper.state) as db:
            model = models.load(db, name)
            assert model is not None, "only what is folded is cut"
            last = summaries.cut(db, model.id, upto)
            grain = span_micros(self.keeper.worker.spec(name, model.declaration).grain) if model.declaration else 0
            db.execute(delete(folded).where(folded.c.model == model.id, folded.c.seq <= upto))
            with writing(self.keeper.log) as log:
                measured_from = max(cuts.find(log, name).measured_from, 0 if last is None else last + grain)
                cuts.note(log, name, summaries_upto=upto, measured_from=measured_from)
            models.save(db, replace(model, measured_from=max(model.measured_from, measured_from)))
        self.keeper.every(lambda db: seals.cut(db, name, ("summaries", "folded"), upto))
        self.keeper.every(lambda db: cuts.cut_batches(db, name, upto))

    def _cut_refusals(self, name: str, before: int) -> None:
        with writing(self.keeper.state) as db:
            own = select(models_table.c.id).where(models_table.c.name == name).scalar_subquery()
            db.execute(delete(refusals).where(refusals.c.model == own, refusals.c.at < before))


def _in(model: ModelState, seqs: tuple[int, int]) -> bool:
    """Whether the reference in force may lie among these segments."""
    return seqs[0] <= model.reference_seq <= seqs[1]


def _any_upto(db: Connection, table: Table, model: str, upto: int) -> bool:
    query = select(table.c.seq).where(table.c.model == model, table.c.seq <= upto).limit(1)
    return db.execute(query).first() is not None
