"""Data quality: what is missing, never seen before, gone, out of range, alike or repeated in a window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.drift import scope_of
from detectors.intervals import proportion
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid, NumericGrid
from detectors.summaries.space import CONTENTS
from detectors.summaries.summary import Ints

MOST_LOAD = 6.0     # distinct rows for each cell of their contents, beyond which too few cells are left empty to count


def measure_quality(
    reference: Reference, predictions: Ints, metrics: frozenset[str] | None = None
) -> list[tuple[str, Scope, Measurement]]:
    """``row_count``, ``duplicate_rate`` and ``undeclared_field_rate`` of the model, and of each column what its kind
    allows.

    ``predictions`` is a window's dense prediction summary, ``metrics`` the names wanted (``None``: all). Rates are
    shares of rows, 0 to 1: the missing, and the type errors, which are missing too, of all rows; the others of the rows
    that are not missing. A value is out of range if it lies below the reference's lowest cell or above its highest:
    outside its minimum and maximum by more than the width of a cell. Intervals of rates are Wilson's (1927) and take
    rows as independent.

    >>> from detectors.summaries.space import example_space
    >>> from detectors.summaries.summary import Summary
    >>> space = example_space()
    >>> plan = space.column_offsets[1]
    >>> reference = Reference.build("may", space, [Summary.of(plan + np.array([1, 2]))])
    >>> window = Summary.of(plan + np.array([0, 1, 1, 3])).dense(space.prediction_size)
    >>> points = {(m, s.text): p.value for m, s, p in measure_quality(reference, window)}
    >>> points["missing_rate", "feature:plan"], round(points["unseen_category_rate", "feature:plan"], 3)
    (0.25, 0.333)
    >>> points["vanished_category_rate", "feature:plan"].__round__(2), points["distinct_count", "feature:plan"]
    (0.5, 1.0)
    """
    space = reference.space
    rows = space.rows(predictions)
    found = [("row_count", Scope(), Measurement(float(rows), rows))]
    if space.features and (metrics is None or "duplicate_rate" in metrics):
        contents = space.predictions.view(predictions, "contents")
        found.append(("duplicate_rate", Scope(), duplicate_rate(contents, int(contents.sum()))))
    undeclared = int(space.predictions.view(predictions, "undeclared")[0])
    found.append(("undeclared_field_rate", Scope(), proportion(min(undeclared, rows), rows, Reason.EMPTY_WINDOW)))
    mistyped = space.predictions.view(predictions, "mistyped").tolist()
    for column, wrong in zip(space.columns, mistyped, strict=True):
        if column.kind == "feature":
            rate = proportion(min(wrong, rows), rows, Reason.EMPTY_WINDOW)
            found.append(("type_error_rate", scope_of(column), rate))
    each = zip(space.column_counts(predictions), space.column_counts(reference.predictions), strict=True)
    for (column, counts), (_, before) in each:
        scope = scope_of(column)
        if isinstance(column.grid, CategoryGrid):
            of_column = _of_categories(column.grid, before, counts)
        else:
            of_column = _of_numbers(before, counts, bounded=not isinstance(column.grid, NumericGrid))
        found += [(name, scope, m) for name, m in of_column]
    return [f for f in found if metrics is None or f[0] in metrics]


def duplicate_rate(contents: Ints, rows: int) -> Measurement:
    """The share of ``rows`` whose features are those of another row before it, from counts by hash of the contents.

    The distinct contents are counted linearly from the cells that stayed empty; rows that differ by less than a grid
    cell in every feature count as alike. The interval is that of linear counting; with more than six distinct rows a
    cell (49,152 in all) the rate is unknown. Whang, Vander-Zanden and Taylor, ACM Trans. Database Syst. 15 (1990).

    >>> duplicate_rate(np.bincount([5, 5, 5, 9], minlength=8192), 4).value.__round__(2)
    0.5
    >>> duplicate_rate(np.zeros(8192, np.int64), 0).reason.value
    'empty_window'
    """
    if not rows:
        return Measurement.unknown(Reason.EMPTY_WINDOW)
    empty = int((contents == 0).sum())
    if not empty or (load := -np.log(empty / CONTENTS)) > MOST_LOAD:
        return Measurement.unknown(Reason.HIGH_CARDINALITY, rows)
    spread = 1.96 * np.sqrt(CONTENTS * (np.exp(load) - load - 1))
    shares = [min(max(1 - (load * CONTENTS + d) / rows, 0.0), 1.0) for d in (0.0, spread, -spread)]
    return Measurement(float(shares[0]), rows, (float(shares[1]), float(shares[2])))


def _of_categories(grid: CategoryGrid, before: Ints, counts: Ints) -> Iterator[tuple[str, Measurement]]:
    missing, total = int(counts[0]), int(counts.sum())
    n, none = total - missing, Reason.ALL_MISSING if missing else Reason.EMPTY_WINDOW
    yield "missing_rate", proportion(missing, total, Reason.EMPTY_WINDOW)
    yield "mode_share", proportion(int(counts[1:].max()), n, none)
    seen = float((counts[1:-1] > 0).sum())
    if grid.complete:
        yield "unseen_category_rate", proportion(int(counts[grid.other]), n, none)
        yield "distinct_count", Measurement(seen, n) if n else Measurement.unknown(none)
    else:
        for metric in ("unseen_category_rate", "distinct_count"):
            yield metric, Measurement.unknown(Reason.HIGH_CARDINALITY, n)
    yield "vanished_category_rate", _vanished(before[1:-1], counts[1:-1], n, none)


def _vanished(before: Ints, counts: Ints, n: int, none: Reason) -> Measurement:
    """The reference's share of categories that the window lacks. The interval begins with those whose absence is no
    chance: a category of share p stays away from n rows with probability (1 - p)^n, corrected for their number."""
    if not n or not before.any():
        return Measurement.unknown(Reason.NO_REFERENCE if n else none, n)
    shares = before / before.sum()
    away = (counts == 0) & (before > 0)
    alpha = (1 - CONFIDENCE) / max(int((before > 0).sum()), 1)
    surely = away & (n * np.log1p(-np.minimum(shares, 1 - 1e-12)) < np.log(alpha))
    return Measurement(float(shares[away].sum()), n, (float(shares[surely].sum()), float(shares[away].sum())))


def _of_numbers(before: Ints, counts: Ints, *, bounded: bool) -> Iterator[tuple[str, Measurement]]:
    """Scores are ``bounded``: they have no range but their own."""
    missing, total = int(counts[0]), int(counts.sum())
    n, none = total - missing, Reason.ALL_MISSING if missing else Reason.EMPTY_WINDOW
    yield "missing_rate", proportion(missing, total, Reason.EMPTY_WINDOW)
    yield "mode_share", proportion(int(counts[1:].max()), n, none)
    if bounded:
        return
    occupied = np.flatnonzero(before[1:]) + 1
    if not occupied.size:
        yield "out_of_range_rate", Measurement.unknown(Reason.NO_REFERENCE, n)
    else:
        inside = int(counts[occupied[0] : occupied[-1] + 1].sum())
        yield "out_of_range_rate", proportion(n - inside, n, none)
