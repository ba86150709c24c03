"""Intervals of metrics that are no plain proportion, by the delta method, and the correlation of decision and label.

A metric of a confusion table does not change when all counts are doubled, and so its variance over samples is the sum
over the cells of the count times the squared gradient. The variance is taken of the table with ``PSEUDO_ROWS`` more
rows, spread evenly over its cells, so that a table without a single error is not taken for certain; and the interval
is Wilson's, of the metric's own value, at the sample size that the variance amounts to. So it stays within the scale.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from detectors.intervals import Interval, Limits, wilson_limits
from detectors.point import CONFIDENCE
from detectors.summaries.summary import Floats, Ints

Bools = npt.NDArray[np.bool_]

PSEUDO_ROWS = 2.0
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def padded(tables: Ints) -> Floats:
    """Confusion tables, shape (..., classes, classes), with the pseudo-rows.

    >>> padded(np.array([[3, 0], [0, 1]])).tolist()
    [[3.5, 0.5], [0.5, 1.5]]
    """
    rows: Floats = tables.astype(np.float64) + PSEUDO_ROWS / (tables.shape[-1] * tables.shape[-2])
    return rows


def delta_limits(value: Floats, estimate: Floats, gradient: Floats, tables: Floats, low: float = 0.0) -> Limits:
    """The limits of a metric on [``low``, 1] of each of the padded ``tables``, shape (..., classes, classes).

    ``value`` is the metric on the counts, ``estimate`` that on the padded ones, and ``gradient``, in the shape of the
    tables, what one more row in a cell adds to it.

    >>> table = padded(np.array([[10, 0], [0, 10]]))                       # accuracy, all of 20 right
    >>> estimate = np.trace(table) / table.sum()
    >>> [round(float(x), 3) for x in delta_limits(np.array(1.0), estimate, (np.eye(2) - estimate) / table.sum(), table)]
    [1.0, 0.851, 1.0]
    """
    span = 1.0 - low
    variance = (tables * gradient**2).sum(axis=(-2, -1)) / span**2
    limits = sized_limits((value - low) / span, (estimate - low) / span, variance)
    return Limits(value, low + span * limits.lower, low + span * limits.upper)


def sized_limits(value: Floats, estimate: Floats, variance: Floats) -> Limits:
    """Wilson's limits of means in [0, 1] at the sizes at which a share of ``estimate`` has this ``variance``."""
    sizes = np.maximum(estimate * (1 - estimate) / np.maximum(variance, 1e-300), 1.0)
    return wilson_limits(value * sizes, sizes)


def one(limits: Limits) -> tuple[float, Interval]:
    """The value and interval of limits that hold a single estimate."""
    value, lower, upper = (float(x) for x in limits)
    return value, (lower, upper)


def mover_weighted(limits: Limits, weights: Floats) -> Interval:
    """The weighted mean of independent estimates; both of shape (k,), weights that add up to 1. Zou and Donner (2008),
    Stat. Med. 27(10).

    >>> [round(x, 3) for x in mover_weighted(wilson_limits(np.array([9, 10]), np.array([10, 10])), np.full(2, 0.5))]
    [0.744, 0.991]
    """
    value, lower, upper = limits
    mean = float(weights @ value)
    down, up = (float(np.linalg.norm(weights * d)) for d in (value - lower, upper - value))
    return max(mean - down, 0.0), min(mean + up, 1.0)


def positive_mean_interval(total: float, squares: float, n: int) -> Interval | None:
    """An interval of the mean of values that are not negative, from their sum and sum of squares; ``None`` where
    ``n < 2`` tells no spread.

    It is Student's for the logarithm of the mean, and so never reaches below 0. Losses are skewed, and it holds more
    often than Student's own: for squared errors of 30 rows in 93 % of samples where they are normal, and not 91 %;
    in 87 and not 83 % where they follow Student's t with 5 degrees of freedom.

    >>> [round(x, 3) for x in positive_mean_interval(10.0, 30.0, 4)]
    [1.099, 5.686]
    """
    if n < 2:
        return None
    if total <= 0.0:
        return 0.0, 0.0
    mean = total / n
    variance = max(squares / n - mean**2, 0.0) / (n - 1)
    relative = min(math.sqrt(variance) / mean, 1.0)         # more is rounding: no such values have a larger one
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * relative
    return mean * math.exp(-half), mean * math.exp(half)


def correlations(tables: Ints) -> tuple[Bools, Limits]:
    """The correlation of decision and label of each table, shape (groups, decision, label), and whether it has one: it
    has none where all decisions or all labels are one class, and its limits then mean nothing.

    Of two classes that of Matthews (1975), of many Gorodkin's R_K (2004), Comput. Biol. Chem. 28(5-6).

    >>> known, limits = correlations(np.array([[[50, 10], [5, 35]], [[1, 0], [2, 0]]]))
    >>> known.tolist(), [round(float(x[0]), 3) for x in limits]
    ([True, False], [0.698, 0.534, 0.811])
    """
    known = np.minimum(*((tables.sum(axis=i) > 0).sum(axis=1) for i in (1, 2))) > 1
    some = np.where(known[:, None, None], tables, np.eye(tables.shape[1], dtype=np.int64))
    value, _ = _correlation(some.astype(np.float64))
    rows = padded(some)
    return known, delta_limits(value, *_correlation(rows), rows, low=-1.0)


def _correlation(tables: Floats) -> tuple[Floats, Floats]:
    """The correlations, shape (groups,), and their gradients, in the shape of the tables.

    A correlation is (n * right - decided @ labelled) over the root of (n² - decided²) * (n² - labelled²), here in whole
    numbers, which are exact up to a hundred million rows.
    """
    n = tables.sum(axis=(1, 2), keepdims=True)
    decided, labelled = tables.sum(axis=2, keepdims=True), tables.sum(axis=1, keepdims=True)
    turned_decided, turned_labelled = decided.swapaxes(1, 2), labelled.swapaxes(1, 2)
    right = np.trace(tables, axis1=1, axis2=2)[:, None, None]
    b, e = ((x * (n - x)).sum(axis=(1, 2), keepdims=True) for x in (decided, labelled))
    scale = np.sqrt(b) * np.sqrt(e)
    value = np.clip((n * right - turned_decided @ turned_labelled) / scale, -1.0, 1.0)
    of_covariance = n * np.eye(tables.shape[1]) + right - turned_decided - turned_labelled
    return value[:, 0, 0], of_covariance / scale - value * ((n - decided) / b + (n - labelled) / e)
