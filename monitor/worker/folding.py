"""One segment of the log into the state: joins, summaries, streams and counts, in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
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
    """Which buckets a fold changed, so that only their windows are looked at."""

    predictions: set[int] = field(default_factory=set)
    outcomes: set[int] = field(default_factory=set)


def batch_of(segment: Segment) -> Batch:
    """A segment's rows as they were made durable."""
    protected = None if segment.protected is None else from_ipc(segment.protected)
    return Batch(segment.kind, from_ipc(segment.payload), protected)


def fold_segment(db: Connection, model: ModelState, watch: Watch, joins: Joins, segment: Segment) -> Touched:
    """Fold predictions or outcomes. Late rows are those whose drift window was closed before they came."""
    space, spec, batch = watch.reference.space, watch.spec, batch_of(segment)
    if segment.kind == "predictions":
        rows = read_predictions(space, spec, batch.table, batch.protected)
        known, waiting = joins.entries(db, rows.ids), None
        # Only an orphan waits, or the outcome of another version's prediction of the same id.
        if known is not None or (model.counts or {}).get("orphans", 0):
            waiting = joins.outcomes(db, rows.ids)
        result = fold_predictions(space, span_micros(spec.grain), rows, known, waiting, segment.sampling_rate)
        if result.entries is not None:
            joins.add_entries(result.entries)
            result.count("late", result.kept[_late(model, watch, result.entries.buckets)])
        _note_times(model, segment, rows.timestamps, predictions=True)
    else:
        truths = read_outcomes(space, spec, batch.table)
        result = fold_outcomes(space, truths, joins.outcomes(db, truths.ids), joins.entries(db, truths.ids))
        if result.outcomes is not None:
            joins.add_outcomes(result.outcomes)
        _note_times(model, segment, truths.timestamps, predictions=False)
    _store(db, model, space, result)
    step_values(db, model.id, spec, result, batch.table)
    model.count(result.total)
    _record(db, model, segment, result)
    return Touched({s.bucket for s in result.predictions}, {s.bucket for s in result.joined})


def note_waiting(db: Connection, model: ModelState, segment: Segment) -> None:
    """Rows that came before any reference: they are folded when one comes."""
    result = Folded(segment.rows)
    result.count("waiting_for_reference", np.arange(segment.rows))
    _record(db, model, segment, result)


def _store(db: Connection, model: ModelState, space: Space, result: Folded) -> None:
    rows = summaries.row_counts(space, "predictions", result.predictions)
    summaries.merge(db, model.id, "predictions", result.predictions, rows)
    rows = summaries.row_counts(space, "outcomes", result.joined)
    summaries.merge(db, model.id, "outcomes", result.joined, rows)


def _note_times(model: ModelState, segment: Segment, timestamps: Ints, *, predictions: bool) -> None:
    """Move the model's clock: to the latest event time in a replay, else to the arrival."""
    latest = int(timestamps.max()) if timestamps.size else 0
    if predictions:
        model.last_prediction = max(model.last_prediction, latest)
    model.event_clock = segment.event_clock
    model.clock = max(model.clock, latest if segment.event_clock else segment.received_at)


def _late(model: ModelState, watch: Watch, buckets: Ints) -> npt.NDArray[np.bool_]:
    """Which rows' drift window ended before the model's clock stood where it stands."""
    track = next(t for t in watch.tracks if t.family == "drift")
    horizon = model.last_prediction if model.event_clock else model.clock
    return np.asarray(buckets + span_micros(watch.spec.grain) <= track.window_of(horizon)[0])


def _record(db: Connection, model: ModelState, segment: Segment, result: Folded) -> None:
    """What became of each batch of a segment, for those who ask."""
    ends = np.cumsum([part.rows for part in segment.parts])
    totals = {name: np.diff(np.cumsum(n)[ends - 1], prepend=0) for name, n in result.counts.items()}
    conflicts = np.flatnonzero(result.counts.get("conflicts", np.zeros(0)))
    rows = []
    for i, (part, end) in enumerate(zip(segment.parts, ends.tolist(), strict=True)):
        mine = conflicts[slice(*np.searchsorted(conflicts, [end - part.rows, end]))] - (end - part.rows)
        rows.append({
            "batch_id": part.batch_id,
            "model": model.id,
            "seq": segment.seq,
            "counts": {name: int(n[i]) for name, n in totals.items() if n[i]},
            "conflicts": mine[:MOST_CONFLICTS].tolist(),
        })
    db.execute(upsert(folded, ["seq", "counts", "conflicts"]), rows)      # a new reference folds all anew
