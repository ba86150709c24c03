"""Disparities: how far apart groups lie in a rate, with intervals that stay honest over many groups.

The largest of many differences is above zero by chance: with nine equal groups, a plain 95 % interval of largest minus
smallest excludes zero in more than half of all samples. So every pair of groups gets an interval at the level that
holds for all pairs at once (Bonferroni). Where all of those cover, the true largest difference lies between the largest
lower limit and the largest upper limit of all pairs, and that is the interval given; for a ratio likewise.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.intervals import Interval, Limits, mover_difference, mover_ratio, wilson_limits
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.summaries.summary import Ints

Kind = Literal["difference", "ratio"]


def disparity(kind: Kind, k: Ints, n: Ints, reference: int | None = None, families: int = 1) -> Measurement:
    """The disparity of rates ``k / n`` of two or more groups, both of shape (groups,), all ``n`` at least 1.

    A difference is largest minus smallest, a ratio smallest over largest, as Fairlearn's ``between_groups``. With a
    ``reference`` (an index), each other group is compared with that one only: the difference is the
    largest distance from it on either side, the ratio the smallest of ``rate / reference`` and its inverse.
    ``n`` of the result is that of the smallest group. ``families`` says how many rates are compared together (two for
    equalized odds). A ratio of rates that are all 0 is unknown.

    The pair's interval is Newcombe's method 10, or Donner and Zou's for a ratio; see ``detectors.intervals``.

    >>> selected, shown = np.array([30, 45, 44]), np.array([100, 100, 100])
    >>> found = disparity("difference", selected, shown)
    >>> round(found.value, 2), [round(x, 3) for x in found.interval], found.n
    (0.15, [0.0, 0.303], 100)
    >>> round(disparity("ratio", selected, shown).value, 3)
    0.667
    """
    pairs = _pairs(k.size, reference)
    level = 1 - (1 - CONFIDENCE) / (families * (np.count_nonzero(pairs) // 2))
    limits = wilson_limits(k, n, level)
    rows = Limits(*(x[:, None] for x in limits))
    columns = Limits(*(x[None, :] for x in limits))
    smallest = int(n.min())
    if kind == "difference":
        found = Limits(*(x[pairs] for x in mover_difference(rows, columns)))
        # Both signs of each pair are there, so that the largest is never below zero.
        interval = max(float(found.lower.max()), 0.0), min(float(found.upper.max()), 1.0)
        return Measurement(float(found.value.max()), smallest, interval)
    if not k.any():
        return Measurement.unknown(Reason.ZERO_DENOMINATOR, smallest)
    found = Limits(*(x[pairs] for x in mover_ratio(rows, columns)))
    # Two groups at 0 are as equal as two groups can be.
    value = float(np.where(np.isnan(found.value), 1.0, found.value).min())
    return Measurement(value, smallest, (float(found.lower.min()), min(float(found.upper.min()), 1.0)))


def worst(kind: Kind, parts: list[Measurement]) -> Measurement:
    """The worst of disparities that were measured together, as in equalized odds: unknown where one of them is.

    >>> worst("ratio", [Measurement(0.9, 20, (0.7, 1.0)), Measurement(0.6, 10, (0.4, 0.8))])
    Measurement(value=0.6, n=10, interval=(0.4, 0.8), p_value=None, reason=None)
    """
    smallest = min(p.n for p in parts)
    values, intervals = [], []
    for part in parts:
        if part.value is None or part.interval is None:
            assert part.reason is not None
            return Measurement.unknown(part.reason, smallest)
        values.append(part.value)
        intervals.append(part.interval)
    pick = max if kind == "difference" else min
    interval: Interval = pick(low for low, _ in intervals), pick(high for _, high in intervals)
    return Measurement(pick(values), smallest, interval)


def _pairs(groups: int, reference: int | None) -> npt.NDArray[np.bool_]:
    """Which ordered pairs are compared, shape (groups, groups), always both ways."""
    if reference is None:
        return ~np.eye(groups, dtype=bool)
    pairs = np.zeros((groups, groups), bool)
    pairs[reference] = pairs[:, reference] = True
    pairs[reference, reference] = False
    return pairs
