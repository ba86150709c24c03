"""Which columns tell a window's rows from the reference's: a classifier between the two, for explanation.

Logistic regression on standardised columns, and on whether a value is missing, fitted on at most 2,000 rows a side. It
sees what moves means; what changes spreads and correlations alone it does not. Its rows are taken as independent, so
that its interval explains and does not alarm: that is left to ``detectors.multivariate``.

Sources: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR (2017); Hoerl and Kennard, "Ridge
regression", Technometrics 12 (1970); Nelder and Wedderburn, "Generalized linear models", JRSS A 135 (1972), for the
iteration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from detectors.intervals import auc_interval
from detectors.point import Measurement, Reason
from detectors.summaries.projection import Matrix
from detectors.summaries.summary import Floats

MOST_ROWS = 2000
_FOLDS = 5
_RIDGE = 1.0              # prior precision of a coefficient of a standardised column
_CLIP = 8.0
_SHARED = 2**0.5
_STEPS, _CLOSE = 50, 1e-8


class Contribution(NamedTuple):
    """What a column does to the log odds of "window": ``share`` is ``coefficient`` times ``shift``, in deviations.

    The shares of all columns add up to the difference of the mean log odds of the two sides. ``missing`` says that it
    is whether the column has a value, and not its value, that counts.
    """

    column: str
    missing: bool
    coefficient: float
    shift: float
    share: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """How well rows of the window are told from the reference's, and by which columns, the largest share first."""

    auc: Measurement
    contributions: tuple[Contribution, ...] = ()


def explain_window(reference: Matrix, window: Matrix, names: Sequence[str]) -> Explanation:
    """Tell rows (n, columns) of a window from a reference's, NaN for missing; of many, evenly spaced ones.

    The AUC is that of rows which the classifier has not seen: contiguous fifths of either side are left out by turns,
    and scores are compared within their fifth. Fewer than 10 rows on a side are too few.

    >>> x = np.random.default_rng(0).standard_normal((400, 2))
    >>> found = explain_window(x[:200], x[200:] + [0.0, 2.0], ("a", "b"))
    >>> round(found.auc.value, 1), found.contributions[0].column, round(found.contributions[0].shift)
    (0.9, 'b', 1)
    """
    before, after = _thinned(reference), _thinned(window)
    n = len(before) + len(after)
    if not len(after):
        return Explanation(Measurement.unknown(Reason.EMPTY_WINDOW))
    if not len(before):
        return Explanation(Measurement.unknown(Reason.NO_REFERENCE, n))
    if min(len(before), len(after)) < 2 * _FOLDS:
        return Explanation(Measurement.unknown(Reason.TOO_FEW_SAMPLES, n))
    x, columns = _design(np.concatenate([before, after]))
    if not columns:
        return Explanation(Measurement.unknown(Reason.CONSTANT_REFERENCE, n))
    y = np.repeat([0.0, 1.0], [len(before), len(after)])
    auc = _cross_fitted(x, y, np.concatenate([_fifths(len(before)), _fifths(len(after))]))
    coefficients = _fit(x, y)[1:]
    shift = x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)
    parts = [
        Contribution(names[column], missing, float(c), float(s), float(c * s))
        for (column, missing), c, s in zip(columns, coefficients, shift, strict=True)
    ]
    return Explanation(auc, tuple(sorted(parts, key=lambda part: -abs(part.share))))


def _thinned(rows: Matrix) -> Floats:
    picked = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)] if len(rows) > MOST_ROWS else rows
    return np.asarray(picked, np.float64)


def _fifths(n: int) -> Floats:
    return np.floor(np.arange(n) * _FOLDS / n)


def _design(rows: Floats) -> tuple[Floats, list[tuple[int, bool]]]:
    """Standardised columns that vary, then whether a value is missing, (n, k); and each one's (column, missing)."""
    columns, sources = [], []
    for missing in (False, True):
        for i, values in enumerate(rows.T):
            absent = np.isnan(values)
            column = _standardised(absent.astype(np.float64) if missing else values, ~absent | missing)
            if column is not None:
                columns.append(column)
                sources.append((i, missing))
    return np.array(columns).reshape(-1, len(rows)).T, sources


def _standardised(values: Floats, known: npt.NDArray[np.bool_]) -> Floats | None:
    """In ranks if a value lies beyond 8 deviations, so that no outlier speaks for all; ``None`` where none varies."""
    x = values[known]
    if not x.size or x.min() == x.max():
        return None
    x = np.clip(x, -1e100, 1e100)
    z = (x - x.mean()) / x.std()
    if np.abs(z).max() > _CLIP:
        x = _midranks(x)
        z = (x - x.mean()) / x.std()
    out = np.zeros(len(values))
    out[known] = z
    return out


def _midranks(x: Floats) -> Floats:
    """Ranks from 1, ties at their mean."""
    _, at, counts = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[at], np.float64)


def _fit(x: Floats, y: Floats) -> Floats:
    """Intercept and coefficients that maximise the penalised likelihood, by Newton's method with halved steps."""
    design = np.column_stack([np.ones(len(x)), x])
    ridge = np.r_[0.0, np.full(x.shape[1], _RIDGE)]
    beta = np.zeros(design.shape[1])

    def loss(b: Floats) -> float:
        eta = design @ b
        return float(np.logaddexp(0.0, eta).sum() - y @ eta + ridge @ b**2 / 2)

    before = loss(beta)
    for _ in range(_STEPS):
        p = special.expit(design @ beta)
        gradient = design.T @ (p - y) + ridge * beta
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (after := loss(beta - size * step)) > before and size > _CLOSE:
            size /= 2
        beta = beta - size * step
        if before - after < _CLOSE * (1 + abs(before)):
            break
        before = after
    return beta


def _cross_fitted(x: Floats, y: Floats, fold: Floats) -> Measurement:
    """AUC of scores as ranks within their fold, since each fold has a classifier of its own.

    The interval is wider by the root of 2. Where nothing tells the sides apart, a classifier follows the chance by
    which the other folds differ, and any two folds meet twice, once each way: the variance of their mean is double.
    """
    ranks = np.empty(len(y))
    for k in range(_FOLDS):
        out = fold == k
        beta = _fit(x[~out], y[~out])
        ranks[out] = _midranks(x[out] @ beta[1:]) / np.count_nonzero(out)
    cells, at = np.unique(ranks, return_inverse=True)
    negatives, positives = (np.bincount(at[y == side], minlength=cells.size) for side in (0, 1))
    area, (low, high) = auc_interval(negatives, positives)
    wider = max(area - _SHARED * (area - low), 0.0), min(area + _SHARED * (high - area), 1.0)
    return Measurement(area, len(y), wider)
