"""Segments of the log into the state: joins, summaries, streams and counts, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import Connection

from detectors.summaries.space import Space
from monitor.batch import Batch
from monitor.codecs.segment import from_ipc
from monitor.database import upsert
from monitor.fold.join import Folded, fold_outcomes, fold_predictions
from monitor.fold.rows import Ints, read_outcomes, read_predictions
from monitor.judge.watch import Watch
from monitor.log.port import Segment
from monitor.store import summaries
from monitor.store.joins import Joins
from monitor.store.models import ModelState
from monitor.store.tables import folded
from monitor.times import span_micros
from monitor.worker.streaming import step_values

MOST_CONFLICTS = 100      # rows of a batch that are named as conflicts; all are counted


@dataclass(slots=True)
class Touched:
    """The buckets that a fold changed, so that only their windows are looked at."""

    predictions: set[int] = field(default_factory=set)
    outcomes: set[int] = field(default_factory=set)

    def add(self, other: Touched) -> None:
        self.predictions |= other.predictions
        self.outcomes |= other.outcomes

    def clear(self) -> None:
        self.predictions.clear()
        self.outcomes.clear()


def batch_of(segments: Sequence[Segment]) -> Batch:
    """The rows of alike segments as they were made durable, one after another."""
    table = _together([from_ipc(s.payload) for s in segments])
    apart = [from_ipc(s.protected) for s in segments if s.protected is not None]
    return Batch(segments[0].kind, table, _together(apart) if apart else None)


def _together(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches as one; a column that one of them lacks is null in its rows."""
    if len(parts) == 1:
        return parts[0]
    whole = pa.concat_tables([pa.Table.from_batches([part]) for part in parts], promote_options="default")
    (batch,) = whole.unify_dictionaries().combine_chunks().to_batches()
    return batch


def fold_segments(
    db: Connection, model: ModelState, watch: Watch, joins: Joins, segments: Sequence[Segment]
) -> Touched:
    """Fold predictions or outcomes of segments that are alike: it is the same as to fold one after another, for what
    they share is read and written once. Late rows are those whose drift window was closed before they came."""
    space, spec, batch, first = watch.reference.space, watch.spec, batch_of(segments), segments[0]
    if first.kind == "predictions":
        rows = read_predictions(space, spec, batch.table, batch.protected)
        known, waiting = joins.entries(db, rows.ids), None
        # Only an orphan waits, or the outcome of another version's prediction of the same id.
        if known is not None or (model.counts or {}).get("orphans", 0):
            waiting = joins.outcomes(db, rows.ids)
        result = fold_predictions(space, span_micros(spec.grain), rows, known, waiting, first.sampling_rate)
        if result.entries is not None:
            joins.add_entries(result.entries)
            horizon = _clocks(model, segments)[result.kept]
            result.count("late", result.kept[_late(watch, result.entries.buckets, horizon)])
        timestamps = rows.timestamps
        model.last_prediction = max(model.last_prediction, _latest(timestamps))
    else:
        truths = read_outcomes(space, spec, batch.table)
        result = fold_outcomes(space, truths, joins.outcomes(db, truths.ids), joins.entries(db, truths.ids))
        if result.outcomes is not None:
            joins.add_outcomes(result.outcomes)
        timestamps = truths.timestamps
    # The model's clock goes to the latest event time in a replay, else to the arrival.
    model.event_clock = first.event_clock
    model.clock = max(model.clock, _latest(timestamps) if first.event_clock else segments[-1].received_at)
    _store(db, model, space, result)
    step_values(db, model.id, spec, result, batch.table)
    model.count(result.total)
    _record(db, model, segments, result)
    return Touched({s.bucket for s in result.predictions}, {s.bucket for s in result.joined})


def note_waiting(db: Connection, model: ModelState, segments: Sequence[Segment]) -> None:
    """Rows that came before any reference: they are folded when one comes."""
    result = Folded(sum(s.rows for s in segments))
    result.count("waiting_for_reference", np.arange(result.n))
    _record(db, model, segments, result)


def _store(db: Connection, model: ModelState, space: Space, result: Folded) -> None:
    rows = summaries.row_counts(space, "predictions", result.predictions)
    summaries.merge(db, model.id, "predictions", result.predictions, rows)
    rows = summaries.row_counts(space, "outcomes", result.joined)
    summaries.merge(db, model.id, "outcomes", result.joined, rows)


def _latest(timestamps: Ints) -> int:
    return int(timestamps.max()) if timestamps.size else 0


def _clocks(model: ModelState, segments: Sequence[Segment]) -> Ints:
    """Where the model's clock stood before each row's segment came; shape (rows,). Of a replay there is one."""
    before = model.last_prediction if model.event_clock else model.clock
    arrived = np.maximum.accumulate([before, *(max(model.clock, s.received_at) for s in segments[:-1])])
    return np.repeat(np.asarray(arrived, np.int64), [s.rows for s in segments])


def _late(watch: Watch, buckets: Ints, clocks: Ints) -> npt.NDArray[np.bool_]:
    """Which rows' drift window ended before the model's clock stood where it stands."""
    track = next(t for t in watch.tracks if t.family == "drift")
    starts, of = np.unique(clocks, return_inverse=True)
    closed = np.array([track.window_of(clock)[0] for clock in starts.tolist()], np.int64)[of]
    return np.asarray(buckets + span_micros(watch.spec.grain) <= closed)


def _record(db: Connection, model: ModelState, segments: Sequence[Segment], result: Folded) -> None:
    """What became of each batch of some segments, for those who ask."""
    parts = [(segment.seq, part) for segment in segments for part in segment.parts]
    ends = np.cumsum([part.rows for _, part in parts])
    totals = {name: np.diff(np.cumsum(n)[ends - 1], prepend=0) for name, n in result.counts.items()}
    conflicts = np.flatnonzero(result.counts.get("conflicts", np.zeros(0)))
    rows = []
    for i, ((seq, part), end) in enumerate(zip(parts, ends.tolist(), strict=True)):
        mine = conflicts[slice(*np.searchsorted(conflicts, [end - part.rows, end]))] - (end - part.rows)
        rows.append({
            "batch_id": part.batch_id,
            "model": model.id,
            "seq": seq,
            "counts": {name: int(n[i]) for name, n in totals.items() if n[i]},
            "conflicts": mine[:MOST_CONFLICTS].tolist(),
        })
    db.execute(upsert(folded, ["seq", "counts", "conflicts"]), rows)      # a new reference folds all anew
