"""Drift: how far the values of a window have moved from the reference's, for every column at once.

``measure_drift`` takes a reference and a dense prediction summary and does by segments what the plain functions of
``detectors.drift.distances`` and ``detectors.drift.cumulative`` do for one column.
"""

from __future__ import annotations

from collections.abc import Collection
from math import isnan

from detectors.drift.effects import MEASURES, Sides, intervals
from detectors.noise import weigh
from detectors.point import Measurement, Reason
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.space import Column
from detectors.summaries.summary import Ints

ANY_COLUMN = ("psi", "jensen_shannon", "hellinger", "total_variation", "kullback_leibler")
NUMERIC = (
    "kolmogorov_smirnov", "cramer_von_mises", "anderson_darling", "wasserstein", "normed_wasserstein", "energy",
)  # fmt: skip
CATEGORICAL = ("chi_square", "g_test", "cramers_v", "l_infinity")

METRICS = frozenset((*ANY_COLUMN, *NUMERIC, *CATEGORICAL))
HEADLINE = frozenset(("psi", "jensen_shannon", "kolmogorov_smirnov", "chi_square"))
"""What is measured of every window; the rest of ``METRICS`` on demand."""


def measure_drift(
    reference: Reference, predictions: Ints, metrics: Collection[str] = HEADLINE
) -> list[tuple[str, Scope, Measurement]]:
    """The ``metrics`` of every column: those of ``ANY_COLUMN``, and of ``NUMERIC`` or ``CATEGORICAL`` as it is.

    ``predictions`` is a window's dense prediction summary. Missing values are left out. A value is the plain one, which
    noise alone lifts above 0; the interval is of the effect without the noise (``detectors.noise``), so that its lower
    end is 0 where noise explains the value, and a small sample's value may lie above it. The p-value is of the
    hypothesis that the column has not changed: one for all metrics of a column, of all its bins and, where they have an
    order, of location and spread (``detectors.ordered``). ``chi_square`` and ``g_test`` grow with n and are no effects:
    they have no interval, and are taken over the bins as they are.

    What stands in "other" (categories beyond the grid's, known or new) is one bin: changes within it are not seen, so
    that a distance of a column with more categories than its grid is a lower bound. A column that was constant is
    measured like any other, its bins being below, at and above, or its category and other; only in units of a deviation
    of 0 nothing can be measured.

    >>> import numpy as np
    >>> from detectors.summaries.space import example_space
    >>> from detectors.summaries.summary import Summary
    >>> space = example_space()
    >>> before, now = (Summary.of(space.column_offsets[1] + np.array(x)) for x in ([1, 1, 2, 2], [1, 2, 2, 2]))
    >>> reference = Reference.build("may", space, [before])
    >>> points = measure_drift(reference, now.dense(space.prediction_size), {"total_variation", "chi_square"})
    >>> [(metric, m.value) for metric, scope, m in points if scope.feature == "plan"]
    [('total_variation', 0.25), ('chi_square', 0.5333333333333333)]
    """
    missing, current = reference.bins.count(predictions)
    sides = Sides(reference, predictions, current)
    evidence = weigh(reference.bins, reference.noise, reference.ordered, sides.before, current)
    columns = reference.space.columns
    kinds = [ANY_COLUMN + (CATEGORICAL if isinstance(c.grid, CategoryGrid) else NUMERIC) for c in columns]
    effects = {m: MEASURES[m](sides) for m in sorted({m for kind in kinds for m in kind if m in metrics})}
    values, ranges = {m: effect.values() for m, effect in effects.items()}, intervals(effects, evidence)
    none = [None] * len(columns)
    p_values, rows, before, absent = (x.tolist() for x in (evidence.p_value, sides.n, sides.total, missing))

    points = []
    for i, column in enumerate(columns):
        scope, reason = scope_of(column), None
        if not rows[i]:
            reason = Reason.ALL_MISSING if absent[i] else Reason.EMPTY_WINDOW
        elif not before[i]:
            reason = Reason.NO_REFERENCE
        for metric in kinds[i]:
            if metric not in values:
                continue
            if reason is not None:
                result = Measurement.unknown(reason, rows[i])
            elif isnan(value := values[metric][i]):
                result = Measurement.unknown(Reason.CONSTANT_REFERENCE, rows[i])
            else:
                result = Measurement(value, rows[i], ranges.get(metric, none)[i], p_values[i])
            points.append((metric, scope, result))
    return points


def scope_of(column: Column) -> Scope:
    """The scope under which a column's points stand."""
    return Scope(feature=column.name) if column.kind == "feature" else Scope(output=column.name)
