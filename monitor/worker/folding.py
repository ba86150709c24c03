"""One segment of the log into the state: joins, summaries, streams and counts, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from detectors.summaries.space import Space
from detectors.summaries.summary import Summary
from monitor.batch import Batch
from monitor.codecs.segment import from_ipc
from monitor.database import upsert
from monitor.fold.join import SERVING, Folded, fold_outcomes, fold_predictions
from monitor.fold.rows import Ints, read_outcomes, read_predictions
from monitor.judge.watch import Watch
from monitor.log.port import Segment
from monitor.store import joins, summaries
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


def fold_segment(db: Connection, model: ModelState, watch: Watch, segment: Segment) -> Touched:
    """Fold predictions or outcomes. Late rows are those whose drift window was closed before they came."""
    space, spec, batch = watch.reference.space, watch.spec, batch_of(segment)
    if segment.kind == "predictions":
        rows = read_predictions(space, spec, batch.table, batch.protected)
        known = joins.find_digests(db, model.id, rows.ids)
        # Only an orphan waits, or the outcome of another version's prediction of the same id.
        orphans = (model.counts or {}).get("orphans", 0)
        waiting = joins.find_outcomes(db, model.id, rows.ids if orphans else [id_ for id_, _ in known])
        result = fold_predictions(space, span_micros(spec.grain), rows, known, waiting)
        if result.entries is not None:
            _count_faults(space, segment, result)
            joins.add_entries(db, model.id, result.entries)
            result.counts["late"] = _late(model, watch, result.entries.buckets)
        _note_times(model, segment, rows.timestamps, predictions=True)
    else:
        truths = read_outcomes(space, spec, batch.table)
        stored = joins.find_outcomes(db, model.id, truths.ids)
        entries = joins.find_entries(db, model.id, truths.ids, space)
        result = fold_outcomes(space, truths, stored, entries)
        joins.set_outcomes(db, model.id, result.outcomes)
        _note_times(model, segment, truths.timestamps, predictions=False)
    _store(db, model, space, result)
    step_values(db, model.id, spec, result, batch.table)
    _record(db, model, segment, result.counts, result.conflicts)
    return Touched({s.bucket for s in result.predictions}, {s.bucket for s in result.joined})


def _count_faults(space: Space, segment: Segment, result: Folded) -> None:
    """What was wrong with a batch beside its good rows: refused rows by feature, and rows with fields that nobody
    declared. Refused rows have neither a time nor a role that can be trusted: they count with the latest of the good
    ones, of the serving role where there are any."""
    at, refused = space.predictions, segment.parts[0].envelope.get("refused", {})
    undeclared = segment.parts[0].envelope.get("notes", {}).get("undeclared", {})
    counts = {at.start("refused") + i: refused.get(c.name, 0) for i, c in enumerate(space.columns)}
    counts[at.start("undeclared")] = max(undeclared.values(), default=0)
    cells = np.array([cell for cell, n in counts.items() if n], np.int64)
    if cells.size:
        n = np.array([counts[c] for c in cells.tolist()], np.int64)
        latest = max(result.predictions, key=lambda s: (s.role == SERVING, s))
        result.predictions[latest] += Summary(cells, n, np.zeros(space.prediction_sums.size))


def note_waiting(db: Connection, model: ModelState, segment: Segment) -> None:
    """Rows that came before any reference: they are folded when one comes."""
    _record(db, model, segment, Counter({"waiting_for_reference": segment.rows}), [], counted=False)


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


def _late(model: ModelState, watch: Watch, buckets: Ints) -> int:
    """Rows whose drift window ended before the model's clock stood where it stands."""
    track = next(t for t in watch.tracks if t.family == "drift")
    horizon = model.last_prediction if model.event_clock else model.clock
    return int((buckets + span_micros(watch.spec.grain) <= track.window_of(horizon)[0]).sum())


def _record(
    db: Connection,
    model: ModelState,
    segment: Segment,
    counts: Counter[str],
    conflicts: Iterable[int],
    *,
    counted: bool = True,
) -> None:
    """What became of the batch, for those who ask; and the model's totals."""
    if counted:
        model.count(counts)
    row = {"seq": segment.seq, "model": model.id, "batch_id": segment.parts[0].batch_id, "counts": dict(counts)}
    row["conflicts"] = list(conflicts)[:MOST_CONFLICTS]
    db.execute(upsert(folded, ["seq", "counts", "conflicts"]), row)      # a new reference folds all anew

