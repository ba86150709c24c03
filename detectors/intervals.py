"""Confidence intervals that hold at small samples and at the edges of the scale, from counts and moments alone.

A proportion has Wilson's interval. What is computed from two independent proportions or rates takes the limits of each
and recovers the variances from them (MOVER): the difference (Newcombe's hybrid score interval, his method 10), the
mean, and the ratio. All of them stay within the scale and none shrinks to nothing at 0 or 1.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtrit

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
    return wilson_at(k, n, normal_quantile(confidence))


def wilson_at(k: Ints | Floats, n: Ints | Floats, z: float | Floats) -> Limits:
    """Wilson's limits at ``z`` standard errors, one for all or one an entry; where ``n`` is 0 they are 0 and 1.

    >>> [x.round(3).tolist() for x in wilson_at(np.array([1, 0]), np.array([4, 0]), 1.96)]
    [[0.25, 0.0], [0.046, 0.0], [0.699, 1.0]]
    """
    z2 = np.square(z)
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    p = k / np.where(n > 0, n, 1.0)
    wide = n + z2
    centre = (k + z2 / 2) / wide
    half = np.sqrt(z2 * (p * (1 - p) * n + z2 / 4)) / wide
    # At the edges the limit is the edge itself, whatever the rounding; and the estimate never leaves its own interval.
    lower = np.where(k <= 0, 0.0, np.minimum(np.maximum(centre - half, 0.0), p))
    upper = np.where(k >= n, 1.0, np.maximum(np.minimum(centre + half, 1.0), p))
    return Limits(p, lower, upper)


def cautious_at(k: Ints | Floats, n: Ints | Floats, z: float | Floats) -> Limits:
    """The wider of Wilson's limits and those of the beta distribution of ``k + 1/2`` and ``n - k + 1/2`` (Jeffreys).

    Far out in the tail Wilson's limit of a small count lies too near to it: with 30 rows and 3.1 standard errors it
    leaves out a true rate of 0.02 twenty times as often as it should. Jeffreys' limits have no such lean: Cai (2005),
    J. Stat. Plann. Inference 131(1):63-88. Their quantile is Paulson's (1942), Ann. Math. Stat. 13(2):233-235, which
    for counts of one or two lies lower, on the safe side.

    >>> [round(float(f(np.array(3), np.array(30), 3.1).lower), 3) for f in (wilson_at, cautious_at)]
    [0.02, 0.009]
    """
    k, n = np.asarray(k, np.float64), np.asarray(n, np.float64)
    found = wilson_at(k, n, z)
    below, above = _jeffreys_lower(np.stack([k, n - k]), n, z)
    return Limits(found.value, np.minimum(found.lower, below), np.maximum(found.upper, 1 - above))


def _jeffreys_lower(k: Floats, n: Floats, z: float | Floats) -> Floats:
    """Lower limits, and 1 where the approximation does not reach: where all but all of ``n`` are counted."""
    x, y, z2 = k + 0.5, n - k + 0.5, np.square(z)
    a, b = 1 / (9 * x), 1 / (9 * y)
    c, d = 1 - b, 1 - a
    spread = c * c - z2 * b
    reached = spread > 0
    root = np.sqrt(z2 * np.maximum(a * c * c + b * d * d - z2 * a * b, 0.0))
    cube = x * (np.maximum(c * d - root, 0.0) / np.where(reached, spread, 1.0)) ** 3
    out: Floats = np.where(reached, cube / (cube + y), 1.0)
    return out


def mean_at(mean: Floats, error: Floats, freedom: Floats, z: float | Floats) -> Limits:
    """Student's limits of means with standard ``error`` and ``freedom`` degrees, where a normal's would be at ``z``.

    >>> [round(float(x), 3) for x in mean_at(np.array(2.5), np.array(0.6455), np.array(3.0), 1.959964)]
    [2.5, 0.446, 4.554]
    """
    half = stdtrit(freedom, ndtr(z)) * error
    return Limits(mean, mean - half, mean + half)


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
    return Limits(a.value - b.value, difference_lower(a, b), -difference_lower(b, a))


def difference_lower(a: Limits, b: Limits) -> Floats:
    """The lower limit of ``a - b``, as in ``mover_difference``; the upper one is that of ``b - a``, negated."""
    below: Floats = a.value - b.value - np.hypot(a.value - a.lower, b.upper - b.value)
    return below


def mover_ratio(a: Limits, b: Limits) -> Limits:
    """``a / b`` of independent estimates that are not negative. Donner and Zou (2012), SMMR 21(4):347-359.

    The limits are the ratios r at which MOVER's interval of ``a - r * b`` touches zero, so that the ratio excludes 1
    exactly where the difference excludes 0. Zeros need no correction: ``a = 0`` has a lower limit of 0, ``b = 0`` an
    infinite ratio and upper limit; where both are 0 the ratio is NaN between limits of 0 and infinity.

    >>> first, second = wilson_limits(np.array([56]), np.array([70])), wilson_limits(np.array([48]), np.array([80]))
    >>> [round(float(x[0]), 3) for x in mover_ratio(first, second)]
    [1.333, 1.078, 1.663]
    """
    lower, inverse = ratio_lower(a, b), ratio_lower(b, a)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Limits(a.value / b.value, lower, np.where(inverse > 0, 1 / inverse, np.inf))


def ratio_lower(a: Limits, b: Limits) -> Floats:
    """The lower limit of ``a / b``, as in ``mover_ratio``; the upper one is that of ``b / a``, inverted."""
    p, q = a.value, b.value
    product = p * q
    low, q_high = a.lower * (2 * p - a.lower), b.upper * (2 * q - b.upper)
    # Written so that nothing cancels where 2q is near b's upper limit.
    below = product + np.sqrt(np.maximum(product**2 - low * q_high, 0.0))
    positive = (low > 0) & (below > 0)
    lower = np.where(positive, low, 0.0) / np.where(positive, below, 1.0)
    # With q = 0 the ratio is infinite, and so bounds nothing; else rounding must not lift the limit above it.
    return np.where(positive & (q > 0), np.minimum(lower, p / np.where(q > 0, q, 1.0)), lower)


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


def normal_quantile(confidence: float) -> float:
    """How many standard errors each way hold the share ``confidence`` of a normal distribution."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
