"""Data quality: what is missing, never seen before or out of range in a window, and how many rows there are."""

from __future__ import annotations

import numpy as np

from detectors.drift import scope_of
from detectors.intervals import proportion
from detectors.point import Measurement, Reason
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid, NumericGrid
from detectors.summaries.summary import Ints


def measure_quality(reference: Reference, predictions: Ints) -> list[tuple[str, Scope, Measurement]]:
    """``row_count`` of the model; of its columns ``missing_rate``, ``unseen_category_rate`` and ``out_of_range_rate``.

    ``predictions`` is a window's dense prediction summary. Rates are shares of rows, 0 to 1: the missing of all rows,
    the others of the rows that are not missing. A category is unseen if the reference does not have it, a value out of
    range if it lies below the reference's lowest cell or above its highest: outside its minimum and maximum by more
    than the width of a cell. Intervals are Wilson's (1927) and take rows as independent.

    >>> from detectors.summaries.space import example_space
    >>> from detectors.summaries.summary import Summary
    >>> space = example_space()
    >>> plan = space.column_offsets[1]
    >>> reference = Reference.build("may", space, [Summary.of(plan + np.array([1, 2]))], Summary.zero(2))
    >>> window = Summary.of(plan + np.array([0, 1, 1, 3])).dense(space.prediction_size)
    >>> points = {(m, s.text): p.value for m, s, p in measure_quality(reference, window)}
    >>> points["missing_rate", "feature:plan"], round(points["unseen_category_rate", "feature:plan"], 3)
    (0.25, 0.333)
    """
    rows = int(reference.space.decisions(predictions).sum())
    points = [("row_count", Scope(), Measurement(float(rows), rows))]
    before = dict(zip(reference.space.columns, _spans(reference), strict=True))
    for column, counts in reference.space.column_counts(predictions):
        scope, missing, total = scope_of(column), int(counts[0]), int(counts.sum())
        points.append(("missing_rate", scope, proportion(missing, total, Reason.EMPTY_WINDOW)))
        none = Reason.ALL_MISSING if missing else Reason.EMPTY_WINDOW
        n = total - missing
        if isinstance(column.grid, CategoryGrid):
            unseen = proportion(int(counts[column.grid.other]), n, none)
            if not column.grid.complete:
                unseen = Measurement.unknown(Reason.HIGH_CARDINALITY, n)
            points.append(("unseen_category_rate", scope, unseen))
        elif isinstance(column.grid, NumericGrid):
            span = before[column]
            outside = Measurement.unknown(Reason.NO_REFERENCE, n)
            if span is not None:
                outside = proportion(n - int(counts[span[0] : span[1] + 1].sum()), n, none)
            points.append(("out_of_range_rate", scope, outside))
    return points


def _spans(reference: Reference) -> list[tuple[int, int] | None]:
    """The lowest and highest occupied cell of each column of the reference, missing left out."""
    spans: list[tuple[int, int] | None] = []
    for _, counts in reference.space.column_counts(reference.predictions):
        occupied = np.flatnonzero(counts[1:]) + 1
        spans.append((int(occupied[0]), int(occupied[-1])) if occupied.size else None)
    return spans
