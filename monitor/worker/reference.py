"""A reference from its rows: summaries of the whole and of its blocks, and what its features do to the output."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from detectors.bins import Bins
from detectors.estimation import ErrorModel
from detectors.reference import Reference
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.space import Space
from detectors.summaries.summary import Summary
from monitor.batch import Batch
from monitor.fold import rankings
from monitor.fold.digest import row_digests
from monitor.fold.rows import Floats, Ints, Outcomes, Predictions, read_outcomes, read_predictions
from monitor.log.port import Segment
from monitor.log.sql import SqlLog
from monitor.model import ModelSpec
from monitor.store.models import ModelState
from monitor.times import from_micros
from monitor.worker.folding import batch_of

MOST_BINS = 2_000     # of all columns together, up to which a regression's errors are modelled
FEW_BLOCKS, MANY_BLOCKS = 64, 512     # pieces whose differences show how far apart two samples of one process lie


def build_reference(spec: ModelSpec, space: Space, batch: Batch, name: str) -> Reference:
    """Summarise the reference, whole and by contiguous blocks in the order of time (of the rows, where it has none)."""
    rows = read_predictions(space, spec, batch.table, batch.protected)
    order = np.argsort(rows.timestamps, kind="stable")
    times = rows.timestamps[rows.timestamps > 0]
    start, end = (from_micros(int(t)) for t in (times.min(), times.max())) if times.size else (None, None)
    pieces = np.array_split(order, _pieces(spec, start, end))
    blocks = [_block(space, rows.take(piece)) for piece in pieces if piece.size]
    outcomes = _outcomes(spec, space, batch, rows)
    found = Reference.build(name, space, blocks, outcomes, start, end, _mean_output(space, rows))
    return replace(found, error_model=_error_model(spec, batch, found.bins, rows, order))


def _error_model(spec: ModelSpec, batch: Batch, bins: Bins, rows: Predictions, order: Ints) -> ErrorModel | None:
    """What a regression's errors follow, learnt from the rows in the order of time; none for a model so wide that to
    learn it would take minutes."""
    if spec.task != "regression" or bins.starts.size > MOST_BINS:
        return None
    rows, actual = rows.take(order), read_outcomes(bins.space, spec, batch.table).actual
    assert actual is not None, "a regression's truth is a value"
    at = zip(rows.columns, bins.space.column_offsets[:-1], strict=True)
    codes = [np.searchsorted(bins.starts, cells + offset, side="right") - 1 for cells, offset in at]
    return ErrorModel.fit(np.stack(codes, axis=1), rows.predicted[:, 0] - actual[order], bins.starts.size)


def _mean_output(space: Space, rows: Predictions) -> Floats:
    """The mean output by cell of every column, 0 where there are no rows; shape (cells of all columns,)."""
    output = np.nan_to_num(rows.predicted[:, 0])
    means = []
    for cells, column in zip(rows.columns, space.columns, strict=True):
        total, n = (np.bincount(cells, weights, minlength=column.grid.size) for weights in (output, None))
        means.append(total / np.maximum(n, 1))
    return np.concatenate(means)


def _block(space: Space, rows: Predictions) -> Summary:
    return fold_predictions(space, rows.columns, rows.groups, rows.decisions, rows.subjects, rows.matrices)


def _pieces(spec: ModelSpec, start: datetime | None, end: datetime | None) -> int:
    """How many blocks: each no longer than a drift window, for a season within a block would not be seen as noise."""
    windows = (end - start) // spec.windows.drift + 1 if start and end else MANY_BLOCKS // 2
    return min(max(windows, FEW_BLOCKS), MANY_BLOCKS)


def _outcomes(spec: ModelSpec, space: Space, batch: Batch, rows: Predictions) -> Summary:
    truth = read_outcomes(space, spec, batch.table)
    known: Ints
    if truth.labels is not None:
        known = np.flatnonzero(truth.labels >= 0)
    elif truth.relevance is not None:
        known = np.flatnonzero([bool(r) for r in truth.relevance])
    else:
        assert truth.actual is not None, "a regression's truth is a value"
        known = np.flatnonzero(np.isfinite(truth.actual))
    if not known.size:
        return Summary.zero(space.outcome_sums.size)
    part = rows.take(known)
    return fold_outcomes(
        space,
        [part.columns[c] for c in space.scores],
        part.groups,
        part.decisions,
        None if truth.labels is None else truth.labels[known],
        part.predicted,
        _actual(space, part, truth, known),
    )


def _actual(space: Space, part: Predictions, truth: Outcomes, known: Ints) -> Floats | None:
    if truth.relevance is not None:
        return rankings.losses(part.lists, [truth.relevance[i] for i in known], space.top)
    return None if truth.actual is None else truth.actual[known]


def is_same(log: SqlLog, model: ModelState, segment: Segment) -> bool:
    """Whether a segment has the rows of the reference in force. Ids do not count: those not sent are made up."""
    there = log.read(model.name, model.reference_seq - 1, 1)
    if there[0].seq != model.reference_seq:     # it was erased to its last row
        return False
    before, after = batch_of(there), batch_of([segment])
    return np.array_equal(row_digests(before.table, before.protected), row_digests(after.table, after.protected))
