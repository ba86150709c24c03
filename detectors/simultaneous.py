"""Critical values for many comparisons at once: how many standard errors each may need so that all hold together."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from detectors.intervals import normal_quantile
from detectors.point import CONFIDENCE

_STEPS = 50          # halvings of [0, 20]: the quantile is good to 2e-14
_GRID = np.linspace(-8.5, 8.5, 1_201)
_DENSITY = np.exp(-_GRID**2 / 2) / np.sqrt(2 * np.pi) * (_GRID[1] - _GRID[0])


@lru_cache(maxsize=1_024)
def all_pairs(groups: int, families: int = 1, confidence: float = CONFIDENCE) -> float:
    """For the difference of every pair of ``groups`` estimates: the quantile of the studentised range, over root 2.

    Exact for normal estimates of equal variance and, as Tukey and Kramer have it, on the safe side for unequal ones:
    Hayter (1984), Annals of Statistics 12(1):61-75. ``families`` sets of such comparisons (Bonferroni) hold together.
    With two groups it is the normal quantile; with nine 3.10, where Bonferroni over the 36 pairs asks for 3.20.

    >>> round(all_pairs(2), 3), round(all_pairs(9), 3), round(all_pairs(2, families=2), 3)
    (1.96, 3.102, 2.241)
    """
    level = 1 - (1 - confidence) / families
    if groups <= 2:
        return normal_quantile(level)
    low, high = 0.0, 20.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _range_distribution(middle, groups) < level else (low, middle)
    return high / 2**0.5


@lru_cache(maxsize=1_024)
def many_to_one(comparisons: int, families: int = 1, confidence: float = CONFIDENCE) -> float:
    """For ``comparisons`` two-sided intervals of normal estimates, however they correlate.

    Sidak (1967), JASA 62(318):626-633.

    >>> round(many_to_one(1), 3), round(many_to_one(8), 3)
    (1.96, 2.727)
    """
    level = 1 - (1 - confidence) / families
    return normal_quantile(level ** (1 / max(comparisons, 1)))


def _range_distribution(width: float, groups: int) -> float:
    """The chance that the range of so many standard normal values is at most ``width``."""
    within = ndtr(_GRID) - ndtr(_GRID - width)
    return float(groups * (within ** (groups - 1)) @ _DENSITY)

