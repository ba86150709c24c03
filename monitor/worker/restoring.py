"""A model's state made again from its seal: what was sealed is copied back, and the joins are made anew from the rows
of the log that are still there. From there on the fold goes on as ever.

The model's own row is written last. Until then it counts as not there, and who is killed begins again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Engine, select

from monitor.database import reading, writing
from monitor.fold.entries import Entries
from monitor.fold.join import fold_predictions
from monitor.fold.rows import Ints, read_outcomes, read_predictions
from monitor.judge.watch import Watch
from monitor.log import cuts, seals
from monitor.log.port import Segment
from monitor.log.seals import Seal, unpack
from monitor.log.sql import SqlLog
from monitor.model import ModelSpec
from monitor.store import models, sealed
from monitor.store.joins import Joins, JoinStore
from monitor.store.keys.runs import Search
from monitor.store.models import ModelState
from monitor.store.tables import folded
from monitor.times import span_micros
from monitor.worker.events_again import ScratchEvents
from monitor.worker.folding import batch_of, seqs_of, unpack_places

ROWS_A_COMMIT = 100_000
SEGMENTS_A_READ = 64

Told = Callable[[int, int], None]       # the segment that is made anew, and the last one


def nobody(_done: int, _of: int) -> None:
    """For whoever need not be told."""


def restore(
    log: SqlLog,
    state: Engine,
    name: str,
    watch_of: Callable[[ModelState], Watch],
    spec_of: Callable[[int], ModelSpec],
    at: int,
    told: Told = nobody,
) -> bool:
    """Make a model's state again from its seal; whether it has one. ``spec_of``: the model's declaration by version;
    ``at``: now."""
    with reading(log.engine) as db:
        seal, cut = seals.find(db, name), cuts.find(db, name)
        if seal is None:
            return False
        (own,) = [row for pieces in seals.read(db, seal, "models") for piece in pieces for row in unpack(piece.data)]
        model = ModelState(**own)
        model.measured_from = max(model.measured_from, cut.measured_from)
        model.blind_upto, model.joins_at = cut.blind_upto, at
        forget(state, model.id)
        for table in sealed.NAMES:
            for pieces in seals.read(db, seal, table) if table != "models" else ():
                with writing(state) as to:
                    sealed.restore(to, table, pieces, cut.summaries_upto, cut.rejects_before)
    if model.reference is not None:
        Joining(log, state, model, watch_of(model), spec_of).join(seal, cut.rows_upto, told)
    with writing(state) as to:
        sealed.settle(to, model.id)
        models.insert(to, model)
    return True


def forget(state: Engine, model: int) -> None:
    """Delete all of a model's state, a table at a time. Whoever looks for the model from now on does not find it."""
    for table in sealed.FORGOTTEN:
        with writing(state) as db:
            sealed.forget(db, model, table)


class Joining:
    """The joins of a model from the rows that are left, in the order of the log: what the fold kept of each segment is
    kept again, without counting it again."""

    def __init__(
        self, log: SqlLog, state: Engine, model: ModelState, watch: Watch, spec_of: Callable[[int], ModelSpec]
    ) -> None:
        self.log, self.state, self.model, self.watch, self.spec_of = log, state, model, watch, spec_of
        self.events = ScratchEvents(model)

    def join(self, seal: Seal, after: int, told: Told) -> None:
        """Keep the rows behind a segment, up to that of the seal."""
        try:
            self._join(seal, after, told)
        finally:
            self.events.close()

    def _join(self, seal: Seal, after: int, told: Told) -> None:
        joins = JoinStore()
        read = self.log.read
        while segments := [s for s in read(seal.model, after, SEGMENTS_A_READ, ROWS_A_COMMIT) if s.seq <= seal.seq]:
            with writing(self.state) as db:
                held, rows = joins.load(db, self.model), 0
                for segment in segments:
                    after = segment.seq
                    self._keep(db, held, segment)
                    rows += segment.rows
                    if rows >= ROWS_A_COMMIT:
                        break
                held.flush(db)
            told(after, seal.seq)

    def _keep(self, db: Connection, joins: Joins, segment: Segment) -> None:
        space, grain = self.watch.reference.space, span_micros(self.watch.spec.grain)
        if segment.kind == "events":
            self._keep_events(db, joins, segment)
        elif segment.kind == "predictions":
            batch = batch_of([segment])
            rows = read_predictions(space, self.watch.spec, batch.table, batch.protected)
            kept = self._kept(db, segment, batch.table)
            joins.add_entries(Entries.of(rows.take(kept), grain, segment.sampling_rate), seqs_of([segment])[kept])
        elif segment.kind == "outcomes":
            table = batch_of([segment]).table
            kept = self._kept(db, segment, table)
            joins.add_outcomes(read_outcomes(space, self.watch.spec, table).take(kept), seqs_of([segment])[kept])

    def _keep_events(self, db: Connection, joins: Joins, segment: Segment) -> None:
        """Pairs are made anew, and each prediction is looked up: how many rows an exchange has its body alone tells."""
        for part in self.events.take(self.spec_of(segment.declaration), segment).predictions:
            space, table = self.watch.reference.space, part.batch.table
            rows = read_predictions(space, self.watch.spec, table, part.batch.protected)
            known = joins.entries(db, Search.of(rows.ids))
            grain = span_micros(self.watch.spec.grain)
            found = fold_predictions(space, grain, rows, known, None, segment.sampling_rate)
            if found.entries is not None:
                joins.add_entries(found.entries, np.full(found.kept.size, segment.seq))

    def _kept(self, db: Connection, segment: Segment, table: pa.RecordBatch) -> Ints:
        """The rows of which something was kept under their ids, as their batches tell."""
        query = select(folded.c.batch_id, folded.c.skipped).where(
            folded.c.model == self.model.id, folded.c.seq == segment.seq, folded.c.skipped.is_not(None)
        )
        skipped = {batch_id: unpack_places(data) for batch_id, data in db.execute(query)}
        if not skipped:
            return np.arange(table.num_rows)
        places, kept = np.asarray(table.column("row")), np.ones(table.num_rows, np.bool_)
        ends = np.cumsum([part.rows for part in segment.parts])
        for part, end in zip(segment.parts, ends.tolist(), strict=True):
            mine = slice(end - part.rows, end)
            kept[mine] = ~np.isin(places[mine], skipped.get(part.batch_id, ()))
        return np.flatnonzero(kept)
