"""Distances between two distribution functions over the same ordered cells, with bounds for what the cells lose.

The plain functions take two arrays of counts over ordered cells, shape (cells,), and are ``None`` where a side is
empty. ``Steps`` holds the two functions for many columns, one behind the other, and each measure of it has shape
(columns,). Where each cell holds one value all are exact, ties included. Elsewhere a ``*_bound`` says how far the
value of the raw rows can be from that of the cells, at most.

F is the distribution function of the reference, G of the window, and H = weight F + (1 - weight) G. At a ``weight`` of
one half an effect says the same of the same shares whatever the sizes; at n / (n + m), the reference's share of all
rows, H is the distribution of the pooled sample that the textbook statistics have.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.drift.distances import shares_of
from detectors.drift.steps import Steps, steps_of
from detectors.summaries.summary import Floats, Ints

_NOTHING = 1e-13      # above what rounding leaves of 0, below H (1 - H) of one row in a trillion


def kolmogorov_smirnov(reference: Ints, current: Ints) -> float | None:
    """The two-sample Kolmogorov-Smirnov statistic, 0 to 1. Source: Smirnov, Ann. Math. Statist. 19 (1948).

    >>> kolmogorov_smirnov(np.array([1, 1, 2]), np.array([2, 2, 0]))
    0.5
    """
    return None if (steps := steps_of(reference, current)) is None else float(largest_gap(steps)[0])


def kolmogorov_smirnov_bound(reference: Ints, current: Ints) -> float | None:
    """How much more the statistic of the raw rows can be; it is never less.

    Within a cell F and G rise by no more than the cell's shares and meet what is known at its ends.

    >>> kolmogorov_smirnov_bound(np.array([2, 2]), np.array([1, 3]))
    0.5
    """
    if (steps := steps_of(reference, current)) is None:
        return None
    low, high = steps.within()
    return max(float(np.maximum(-low, high).max() - largest_gap(steps)[0]), 0.0)


def cramer_von_mises(reference: Ints, current: Ints, weight: float = 0.5) -> float | None:
    """The Cramér-von Mises effect: the integral of (F - G)² dH, 0 to 1/2 (1/3 without ties).

    A step of H counts the mean of the squares at its ends, so that the order of the cells may be reversed. The
    two-sample statistic T is n m / (n + m) times this, at the pooled ``weight`` and without ties.
    Source: Anderson, Ann. Math. Statist. 33 (1962).

    >>> cramer_von_mises(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]))
    0.375
    """
    return None if (steps := steps_of(reference, current)) is None else float(squared_gap(steps, weight)[0])


def cramer_von_mises_bound(reference: Ints, current: Ints, weight: float = 0.5) -> float | None:
    """How far the effect of the raw rows can be, by the least and the greatest that F - G can be in each cell.

    >>> cramer_von_mises_bound(np.array([4]), np.array([4]))
    1.0
    """
    if (steps := steps_of(reference, current)) is None:
        return None
    h, _ = steps.pooled(weight)
    least, most = _squares(*steps.within())
    here = (steps.before**2 + steps.after**2) / 2
    return float(max((h * (most - here)).sum(), (h * (here - least)).sum()))


def anderson_darling(reference: Ints, current: Ints, weight: float = 0.5) -> float | None:
    """The Anderson-Darling effect: the integral of (F - G)² / (H (1 - H)) dH with midranks, 0 to 4.

    The two-sample statistic with midranks is (n + m - 1) / (n + m) · n m / (n + m) times this, at the pooled
    ``weight``, ties or not. Source: Scholz and Stephens, "K-sample Anderson-Darling tests", JASA 82 (1987), eq. 7.

    >>> anderson_darling(np.array([5, 0]), np.array([0, 9]))
    4.0
    """
    if (steps := steps_of(reference, current)) is None:
        return None
    return float(weighted_gap(steps, weights_of_tails(steps, weight))[0])


def anderson_darling_bound(reference: Ints, current: Ints, weight: float = 0.5) -> float | None:
    """How far the effect of the raw rows can be; infinite where one cell holds all rows.

    Inside a cell from H = a to b the numerator is bounded as for ``cramer_von_mises_bound`` and the denominator,
    concave, by its values at (a, a), (a, b) and (b, b). In the lowest cell, where it falls to 0, |F - G| falls with
    it, and what the cell adds is at most b² / (1 - b) / min(weight, 1 - weight)²; in the highest likewise.

    >>> round(anderson_darling_bound(np.repeat(10, 100), np.repeat(10, 100)), 3)
    0.002
    """
    if (steps := steps_of(reference, current)) is None:
        return None
    h, upper = steps.pooled(weight)
    kept = h > 0
    h, b = h[kept], upper[kept]
    a = np.r_[0.0, b[:-1]]
    b[-1] = 1.0
    if h.size == 1:
        return float("inf")
    least, most = (x[kept] for x in _squares(*steps.within()))
    vertices = np.array([a * (1 - a), (3 * a + b - (a + b) ** 2) / 4, b * (1 - b)])
    top = np.where((a <= 0.5) & (b >= 0.5), 0.25, np.maximum(vertices[0], vertices[2]))
    low, high = h * least / top, h * most / np.maximum(vertices.min(axis=0), _NOTHING)
    edge = 1 / min(weight, 1 - weight) ** 2
    high[0], high[-1] = edge * b[0] ** 2 / (1 - b[0]), edge * (1 - a[-1]) ** 2 / a[-1]
    value = float(weighted_gap(steps, weights_of_tails(steps, weight))[0])
    return max(float(high.sum()) - value, value - float(low.sum()))


def wasserstein(reference: Ints, current: Ints, positions: Floats) -> float | None:
    """The Wasserstein distance of order 1, the integral of |F - G| dx, in the unit of ``positions``, shape (cells,).

    Source: Vallender, Theory Probab. Appl. 18 (1974); Ramdas, García and Cuturi, Entropy 19 (2017).

    >>> wasserstein(np.array([1, 1, 0]), np.array([0, 1, 1]), np.array([0.0, 3.0, 4.0]))
    2.0
    """
    steps = steps_of(reference, current)
    return None if steps is None else float(area(steps, gaps_of(positions))[0])


def wasserstein_bound(reference: Ints, current: Ints, halves: Floats) -> float | None:
    """How far the distance of the raw rows can be: each row is within ``halves`` of its cell's position.

    By the triangle inequality, for moving each sample to the positions costs no more than that.

    >>> wasserstein_bound(np.array([1, 1]), np.array([0, 1]), np.array([0.5, 1.0]))
    1.75
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float((shares[0] + shares[1]) @ halves)


def normed_wasserstein(reference: Ints, current: Ints, positions: Floats) -> float | None:
    """The Wasserstein distance in standard deviations of the reference; ``None`` too where that deviation is 0.

    >>> normed_wasserstein(np.array([1, 1]), np.array([0, 1]), np.array([0.0, 2.0]))
    1.0
    """
    if (steps := steps_of(reference, current)) is None:
        return None
    spread = math.sqrt(variance(steps, steps.reference.shares, positions)[0])
    return float(area(steps, gaps_of(positions))[0]) / spread if spread else None


def normed_wasserstein_bound(reference: Ints, current: Ints, positions: Floats, halves: Floats) -> float | None:
    """How far that of the raw rows can be; infinite where the deviation might be 0.

    The deviation errs by at most the root mean square of ``halves`` (Minkowski).

    >>> round(normed_wasserstein_bound(*np.array([[5, 5], [2, 8]]), np.array([0.0, 2.0]), np.array([0.1, 0.1])), 3)
    0.289
    """
    if (steps := steps_of(reference, current)) is None:
        return None
    spread = math.sqrt(variance(steps, steps.reference.shares, positions)[0])
    distance = float(area(steps, gaps_of(positions))[0])
    p, q = steps.reference.shares, steps.current.shares
    lost, blur = float((p + q) @ halves), float(np.sqrt(p @ halves**2))
    if spread <= blur:
        return float("inf")
    value = distance / spread
    return max((distance + lost) / (spread - blur) - value, value - max(distance - lost, 0.0) / (spread + blur))


def energy(reference: Ints, current: Ints, positions: Floats) -> float | None:
    """The energy distance, the root of twice the integral of (F - G)² dx; its unit is the root of the positions'.

    Source: Székely and Rizzo, J. Statist. Planning and Inference 143 (2013).

    >>> energy(np.array([1, 0]), np.array([0, 1]), np.array([0.0, 8.0]))
    4.0
    """
    steps = steps_of(reference, current)
    return None if steps is None else float(np.sqrt(squared_area(steps, gaps_of(positions))[0]))


def energy_bound(reference: Ints, current: Ints, halves: Floats) -> float | None:
    """How far the distance of the raw rows can be: it is a metric, and a sample is within
    sqrt(2 sum of p² · halves) of the same sample moved to the positions.

    >>> energy_bound(np.array([1, 1]), np.array([1, 1]), np.array([1.0, 1.0]))
    2.0
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float(sum(np.sqrt(2 * (s**2 @ halves)) for s in shares))


def largest_gap(steps: Steps) -> Floats:
    return steps.largest(np.abs(steps.after))


def squared_gap(steps: Steps, weight: float = 0.5) -> Floats:
    h, _ = steps.even if weight == 0.5 else steps.pooled(weight)
    return steps.total(h * (steps.before**2 + steps.after**2)) / 2


def weighted_gap(steps: Steps, weights: Floats) -> Floats:
    """The sum of (F - G)² at the middle of each cell, with ``weights``."""
    return steps.total(((steps.before + steps.after) / 2) ** 2 * weights)


def weights_of_tails(steps: Steps, weight: float = 0.5) -> Floats:
    """Each step of H over H (1 - H), with midranks."""
    h, upper = steps.even if weight == 0.5 else steps.pooled(weight)
    middle = upper - h / 2
    below = middle * (1 - middle) - h / 4
    return np.asarray(h / np.where(below > _NOTHING, below, np.inf))


def area(steps: Steps, gaps: Floats) -> Floats:
    """The integral of |F - G|; ``gaps`` lie between a cell's position and the next, 0 behind a column's last cell."""
    return steps.total(np.abs(steps.after) * gaps)


def squared_area(steps: Steps, gaps: Floats) -> Floats:
    """Twice the integral of (F - G)²."""
    return steps.total(steps.after**2 * gaps) * 2


def variance(steps: Steps, shares: Floats, positions: Floats) -> Floats:
    """The variance of each column's ``shares``; exactly 0 where one cell holds all."""
    return steps.total(shares * (positions - steps.each(steps.total(shares * positions))) ** 2)


def noise_of_squares(steps: Steps, weights: Floats) -> tuple[Floats, Floats]:
    """The mean of the weighted sum of (F - G)² for independent rows, and the most that one direction adds to it.

    Both for rows of which 1 / n + 1 / m is 1, and by column. The covariance of the two functions' difference at cells
    i < j is H_i (1 - H_j); the root of the sum of the squares of its eigenvalues is the largest, or a little more.
    Source: Anderson and Darling, Ann. Math. Statist. 23 (1952).
    """
    _, upper = steps.even
    here = steps.spread * weights
    before = upper**2 * weights
    sums = np.cumsum(before)
    sums -= before + steps.each(sums[steps.first] - before[steps.first])
    sums *= (1 - upper) ** 2 * weights
    return steps.total(here), np.sqrt(2 * steps.total(sums) + steps.total(here**2))


def gaps_of(positions: Floats) -> Floats:
    return np.diff(positions, append=positions[-1:])


def _squares(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The least and greatest square of a number between ``low`` and ``high``."""
    least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(low**2, high**2))
    return least, np.maximum(low**2, high**2)
