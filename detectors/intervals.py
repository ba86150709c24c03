"""Confidence intervals that hold at small samples and at the edges of the scale, from counts and moments alone.

A proportion has Wilson's interval. What is computed from two independent proportions or rates takes the limits of each
and recovers the variances from them (MOVER): the difference (Newcombe's hybrid score interval, his method 10), the
mean, and the ratio. All of them stay within the scale and none shrinks to nothing at 0 or 1.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.summaries.summary import Floats, Ints

Interval = tuple[float, float]


class Limits(NamedTuple):
    """Estimates with their lower and upper limits, arrays of one shape."""

    value: Floats
    lower: Floats
    upper: Floats


def wilson(k: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of the proportion ``k / n``; ``n`` is at least 1. Wilson (1927), JASA 22(158).

    >>> low, high = wilson(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.2775)
    """
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"a proportion needs 0 <= k <= n and n > 0, and this is {k} of {n}")
    limits = wilson_limits(np.array([k]), np.array([n]), confidence)
    return float(limits.lower[0]), float(limits.upper[0])


def wilson_limits(k: Ints | Floats, n: Ints | Floats, confidence: float = CONFIDENCE) -> Limits:
    """The same for arrays of one shape. Counts may be effective ones, and so need not be whole."""
    z2 = _z(confidence) ** 2
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    p = k / n
    centre = (k + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (p * (1 - p) * n + z2 / 4)) / (n + z2)
    # At the edges the limit is the edge itself, whatever the rounding; and the estimate never leaves its own interval.
    lower = np.where(k == 0, 0.0, np.clip(centre - half, 0.0, p))
    upper = np.where(k == n, 1.0, np.clip(centre + half, p, 1.0))
    return Limits(p, lower, upper)


def proportion(k: int, n: int, empty: Reason) -> Measurement:
    """``k`` of ``n`` with Wilson's interval; where ``n`` is 0 unknown, for the reason that it can be ``empty``.

    >>> proportion(8, 10, Reason.NO_POSITIVES).value, proportion(0, 0, Reason.NO_POSITIVES).reason.value
    (0.8, 'no_positives')
    """
    return Measurement(k / n, n, wilson(k, n)) if n else Measurement.unknown(empty)


def mover_difference(a: Limits, b: Limits) -> Limits:
    """``a - b`` of independent estimates. With Wilson's limits this is Newcombe's method 10.

    Newcombe (1998), Statistics in Medicine 17:873-890, example (a), 56 of 70 against 48 of 80:

    >>> first, second = wilson_limits(np.array([56]), np.array([70])), wilson_limits(np.array([48]), np.array([80]))
    >>> [round(float(x[0]), 4) for x in mover_difference(first, second)]
    [0.2, 0.0524, 0.3339]
    """
    d = a.value - b.value
    return Limits(
        d,
        d - np.hypot(a.value - a.lower, b.upper - b.value),
        d + np.hypot(a.upper - a.value, b.value - b.lower),
    )


def mover_ratio(a: Limits, b: Limits) -> Limits:
    """``a / b`` of independent estimates that are not negative. Donner and Zou (2012), SMMR 21(4):347-359.

    The limits are the ratios r at which MOVER's interval of ``a - r * b`` touches zero, so that the ratio excludes 1
    exactly where the difference excludes 0. Zeros need no correction: ``a = 0`` has a lower limit of 0, ``b = 0`` an
    infinite ratio and upper limit; where both are 0 the ratio is NaN between limits of 0 and infinity.

    >>> first, second = wilson_limits(np.array([56]), np.array([70])), wilson_limits(np.array([48]), np.array([80]))
    >>> [round(float(x[0]), 3) for x in mover_ratio(first, second)]
    [1.333, 1.078, 1.663]
    """
    p, q = a.value, b.value
    product = p * q
    low = a.lower * (2 * p - a.lower)
    high = a.upper * (2 * p - a.upper)
    q_low = b.lower * (2 * q - b.lower)
    q_high = b.upper * (2 * q - b.upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = p / q
        # Written so that nothing cancels where 2q is near b's upper limit.
        lower = low / (product + np.sqrt(np.maximum(product**2 - low * q_high, 0.0)))
        upper = (product + np.sqrt(np.maximum(product**2 - high * q_low, 0.0))) / q_low
    lower = np.where(low > 0, np.minimum(lower, value), 0.0)
    upper = np.where(q_low > 0, np.maximum(upper, value), np.inf)
    return Limits(value, lower, upper)


def mover_mean(a: Limits, b: Limits) -> Limits:
    """``(a + b) / 2`` of independent estimates, as in balanced accuracy. Zou and Donner (2008), Stat. Med. 27(10).

    >>> halves = mover_mean(wilson_limits(np.array([9]), np.array([10])), wilson_limits(np.array([10]), np.array([10])))
    >>> [round(float(x[0]), 3) for x in halves]
    [0.95, 0.744, 0.991]
    """
    m = (a.value + b.value) / 2
    return Limits(
        m,
        m - np.hypot(a.value - a.lower, b.value - b.lower) / 2,
        m + np.hypot(a.upper - a.value, b.upper - b.value) / 2,
    )


def mean_interval(total: float, total_of_squares: float, n: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Student's interval of a mean, from the sum and the sum of squares; ``None`` where ``n < 2`` tells no spread.

    >>> [round(x, 3) for x in mean_interval(10.0, 30.0, 4)]
    [0.446, 4.554]
    """
    if n < 2:
        return None
    mean = total / n
    variance = max(total_of_squares / n - mean**2, 0.0) * n / (n - 1)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(np.sqrt(variance / n))
    return mean - half, mean + half


def auc_interval(
    negatives: Ints, positives: Ints, confidence: float = CONFIDENCE
) -> tuple[float, Interval]:
    """Area under the ROC curve and its interval, from the counts by ascending score cell; both of shape (cells,).

    A pair within one cell counts half. The variance is DeLong's (1988, Biometrics 44:837-845), exact for the binned
    scores: each row's placement is the share of the other class that it beats. To each class one row is added that
    spreads as Hanley and McNeil (1982, Radiology 143:29-36) expect of such an area, so that a class of one or two rows
    is not taken for certain. Wilson's interval at the sample size that the variance amounts to keeps it in [0, 1];
    where the classes part perfectly, that size is the smaller class.

    >>> area, (low, high) = auc_interval(np.array([3, 1, 0]), np.array([0, 2, 2]))
    >>> area, round(low, 3), round(high, 3)
    (0.9375, 0.639, 0.992)
    """
    n0, n1 = int(negatives.sum()), int(positives.sum())
    beaten = (np.cumsum(negatives) - negatives / 2) / n0                # of the negatives, by a positive in each cell
    beating = 1 - (np.cumsum(positives) - positives / 2) / n1           # of the positives, over a negative in each cell
    area = min(max(float(beaten @ positives) / n1, 0.0), 1.0)
    expected1 = area**2 * (1 - area) / (1 + area)
    expected0 = (1 - area) ** 2 * area / (2 - area)
    spread1 = (float((beaten - area) ** 2 @ positives) + expected1) / n1
    spread0 = (float((beating - area) ** 2 @ negatives) + expected0) / n0
    variance = spread1 / n1 + spread0 / n0
    own = area * (1 - area) / variance if variance > 0 else float(min(n0, n1))
    size = np.array([max(own, 1.0)])
    limits = wilson_limits(area * size, size, confidence)
    return area, (float(limits.lower[0]), float(limits.upper[0]))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
