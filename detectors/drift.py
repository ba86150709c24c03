"""Drift: how far the values of a window have moved from the reference's, for every column at once.

The plain functions take two arrays of counts over the same bins, shape (k,), and are ``None`` where a side is empty.
``measure_drift`` takes a reference and a dense prediction summary and does the same by segments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from detectors.noise import Evidence, weigh
from detectors.point import Measurement, Reason
from detectors.reference import Reference, shares_by_cell
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.space import Column
from detectors.summaries.summary import Floats, Ints

PSI_FLOOR = 1e-4
"""The least share that the population stability index reckons with, so that an empty bin does not make it infinite."""

_LN2 = float(np.log(2.0))


def psi(reference: Ints, current: Ints) -> float | None:
    """Population stability index, natural logarithm, shares floored at ``PSI_FLOOR`` and not made to sum to 1 again.

    Source: Siddiqi, "Credit Risk Scorecards" (2006); the symmetric divergence of Kullback and Leibler (1951).

    >>> psi(np.array([50, 50]), np.array([50, 50])), round(psi(np.array([50, 50]), np.array([90, 10])), 4)
    (0.0, 0.8789)
    """
    if (shares := _shares(reference, current)) is None:
        return None
    return float(_psi_terms(*shares).sum())


def jensen_shannon(reference: Ints, current: Ints) -> float | None:
    """Jensen-Shannon distance, base 2: the square root of the divergence, 0 to 1.

    Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37 (1991); a metric by
    Endres and Schindelin, IEEE Trans. Inf. Theory 49 (2003).

    >>> jensen_shannon(np.array([7, 0]), np.array([0, 3])), jensen_shannon(np.array([7, 0]), np.array([0, 0]))
    (1.0, None)
    """
    if (shares := _shares(reference, current)) is None:
        return None
    return float(np.sqrt(max(_jensen_shannon_terms(*shares).sum(), 0.0)))


def hellinger(reference: Ints, current: Ints) -> float | None:
    """Hellinger distance, 0 to 1: the root of 1 minus the Bhattacharyya coefficient, as most tools have it.

    Its rounding error is 1e-8 for samples that are alike. Source: Hellinger, J. reine angew. Math. 136 (1909).

    >>> hellinger(np.array([1, 1]), np.array([1, 0])).__round__(4)
    0.5412
    """
    if (shares := _shares(reference, current)) is None:
        return None
    p, q = shares
    return float(np.sqrt(max(1 - np.sqrt(p * q).sum(), 0.0)))


def total_variation(reference: Ints, current: Ints) -> float | None:
    """Total variation distance, 0 to 1: the share of rows that would have to change their bin.

    >>> total_variation(np.array([1, 1]), np.array([1, 0]))
    0.5
    """
    if (shares := _shares(reference, current)) is None:
        return None
    p, q = shares
    return float(np.abs(p - q).sum() / 2)


def kolmogorov_smirnov(reference: Ints, current: Ints) -> float | None:
    """The two-sample Kolmogorov-Smirnov statistic of counts over ordered cells, 0 to 1.

    Exact where a cell holds one value. Else the statistic of the raw values is at least this, and more by at most the
    largest min(share of the reference, share of the window) in one cell: within a cell the two distribution functions
    rise by no more than those, and meet again at its end.

    >>> kolmogorov_smirnov(np.array([1, 1, 2]), np.array([2, 2, 0]))
    0.5
    """
    if (shares := _shares(reference, current)) is None:
        return None
    p, q = shares
    return float(np.abs(np.cumsum(q - p)).max())


class ChiSquare(NamedTuple):
    statistic: float
    p_value: float
    dof: int


def chi_square(reference: Ints, current: Ints) -> ChiSquare | None:
    """Pearson's test of homogeneity of two samples, without Yates' correction; rows count as independent.

    Bins that are empty on both sides do not count. Source: Pearson, Philosophical Magazine 50 (1900).

    >>> chi_square(np.array([30, 70]), np.array([45, 55])).statistic.__round__(6)
    4.8
    """
    r, c = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if not r.sum() or not c.sum():
        return None
    totals = np.full_like(r, r.sum()), np.full_like(c, c.sum())
    statistic = float(_chi_square_terms(r, c, *totals).sum())
    dof = int(((r + c) > 0).sum()) - 1
    return ChiSquare(statistic, float(special.chdtrc(dof, statistic)) if dof else 1.0, dof)


def measure_drift(reference: Reference, predictions: Ints) -> list[tuple[str, Scope, Measurement]]:
    """``psi`` and ``jensen_shannon`` of every column, ``kolmogorov_smirnov`` of numeric ones, ``chi_square`` of others.

    ``predictions`` is a window's dense prediction summary. Missing values are left out. A value is the plain one, which
    noise alone lifts above 0; the interval is of the effect without the noise (``detectors.noise``), so that its lower
    end is 0 where noise explains the value, and a small sample's value may lie above it. The p-value is of the
    hypothesis that the column has not changed: one for all metrics of a column. ``chi_square`` grows with n and is no
    effect: it has no interval, and it is taken over the bins as they are.

    A column that was constant is measured like any other: its bins are below, at and above, or its category and other.
    """
    bins = reference.bins
    missing, current = bins.count(predictions)
    before, n, total = reference.counts, bins.total(current), bins.total(reference.counts)
    n_safe, total_safe = np.maximum(n, 1.0), np.maximum(total, 1.0)
    n_each, total_each = n_safe[bins.column], total_safe[bins.column]
    p, q = before / total_each, current / n_each

    evidence = weigh(bins, reference.noise, before, current)
    moved = shares_by_cell(reference.space, predictions) - reference.cell_shares
    squared_js = np.maximum(bins.total(_jensen_shannon_terms(p, q)), 0.0)
    nearby = evidence.unit * (1 / n_safe + 1 / total_safe)       # the sum of (p - q)² / p for one unit of the statistic
    measured = {
        "psi": _scaled(bins.total(_psi_terms(p, q)), evidence, nearby, squared=False),
        "jensen_shannon": _scaled(np.sqrt(squared_js), evidence, nearby / (8 * _LN2), most=1.0),
        "kolmogorov_smirnov": _scaled(
            np.maximum.reduceat(np.abs(np.cumsum(moved)), reference.space.column_offsets[:-1]),
            evidence, nearby / 4, most=1.0,
        ),
    }  # fmt: skip
    chi2 = bins.total(_chi_square_terms(before.astype(float), current.astype(float), total_each, n_each)).tolist()
    p_values, rows, absent = evidence.p_value.tolist(), n.tolist(), missing.tolist()

    points = []
    for i, column in enumerate(reference.space.columns):
        scope, categorical = scope_of(column), isinstance(column.grid, CategoryGrid)
        metrics = ("psi", "jensen_shannon", "chi_square" if categorical else "kolmogorov_smirnov")
        reason = None
        if not rows[i]:
            reason = Reason.ALL_MISSING if absent[i] else Reason.EMPTY_WINDOW
        elif not total[i]:
            reason = Reason.NO_REFERENCE
        for metric in metrics:
            if reason is not None:
                result = Measurement.unknown(reason, rows[i])
            elif metric == "chi_square":
                result = Measurement(chi2[i], rows[i], None, p_values[i])
            else:
                value, low, high = measured[metric]
                result = Measurement(value[i], rows[i], (low[i], high[i]), p_values[i])
            points.append((metric, scope, result))
    return points


def scope_of(column: Column) -> Scope:
    """The scope under which a column's points stand."""
    return Scope(feature=column.name) if column.kind == "feature" else Scope(output=column.name)


def _scaled(
    value: Floats, evidence: Evidence, nearby: Floats, *, squared: bool = True, most: float = np.inf
) -> tuple[list[float], list[float], list[float]]:
    """A distance with the bounds that the noncentrality gives it: in proportion to it, or to its root if ``squared``.

    ``nearby`` is the (squared) distance per unit of a small statistic, for a window just like the reference.
    """
    size = value**2 if squared else value
    alike = evidence.statistic <= 0
    each = np.where(alike, nearby, size / np.where(alike, 1.0, evidence.statistic))
    low, high = each * evidence.low, each * evidence.high
    if squared:
        low, high = np.sqrt(low), np.sqrt(high)
    return value.tolist(), np.minimum(low, most).tolist(), np.minimum(high, most).tolist()


def _psi_terms(p: Floats, q: Floats) -> Floats:
    p, q = np.maximum(p, PSI_FLOOR), np.maximum(q, PSI_FLOOR)
    return np.asarray((q - p) * np.log(q / p))


def _jensen_shannon_terms(p: Floats, q: Floats) -> Floats:
    middle = (p + q) / 2
    return np.asarray((special.rel_entr(p, middle) + special.rel_entr(q, middle)) / (2 * _LN2), np.float64)


def _chi_square_terms(r: Floats, c: Floats, n_r: Floats, n_c: Floats) -> Floats:
    both = r + c
    return np.asarray((c * np.sqrt(n_r / n_c) - r * np.sqrt(n_c / n_r)) ** 2 / np.where(both > 0, both, 1.0))


def _shares(reference: Ints, current: Ints) -> tuple[Floats, Floats] | None:
    r, c = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    return (r / r.sum(), c / c.sum()) if r.sum() and c.sum() else None
