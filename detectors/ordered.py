"""Location and spread: the two directions in which an ordered column moves most often, as components of its X².

A test over all bins looks in every direction alike, and so sees little of a plain shift in few rows. The components
along smooth scores of the ranks see it at once: the first is Wilcoxon's test of location for counts in bins, the second
Mood's of spread. With X² beside them nothing is lost: Neyman's smooth test and the omnibus one, together.

Sources: Neyman, "Smooth test for goodness of fit", Skandinavisk Aktuarietidskrift 20 (1937); Mood, Annals of
Mathematical Statistics 25 (1954); Best and Rayner, "Components of Pearson's statistic", Biometrika 83 (1996).
"""

from __future__ import annotations

import numpy as np

from detectors.bins import Bins
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.summary import Floats, Ints

_FLAT = 1e-12            # a score that varies less than this says nothing: one bin, or two for the spread


def scores(bins: Bins, shares: Floats) -> Floats:
    """Scores of location and spread by bin, shape (2, bins): polynomials of the bins' mean ranks, each column's
    orthonormal under its ``shares``. 0 for categories, and where a column has too few bins.

    >>> from detectors.summaries.space import example_space
    >>> space = example_space()
    >>> age = space.column_offsets[0] + np.arange(1, 2_000)
    >>> predictions = np.zeros(space.prediction_size, np.int64)
    >>> predictions[age] = 1
    >>> bins = Bins.fit(space, predictions)
    >>> share = bins.count(predictions)[1] / 1_999
    >>> found = scores(bins, share)
    >>> float((share * found[0] ** 2).sum().round(9)), bool(abs((share * found[0] * found[1]).sum()) < 1e-9)
    (1.0, True)
    """
    of, before = bins.column, np.r_[0.0, np.cumsum(bins.total(shares))[:-1]]
    rank = np.cumsum(shares) - shares / 2 - before[of]
    categorical = np.array([isinstance(c.grid, CategoryGrid) for c in bins.space.columns])[of]
    location = _unit(bins, shares, rank - bins.total(shares * rank)[of])
    square = rank**2 - bins.total(shares * rank**2)[of]
    spread = _unit(bins, shares, square - location * bins.total(shares * square * location)[of])
    return np.where(categorical, 0.0, np.stack([location, spread]))


def components(bins: Bins, along: Floats, counts: Ints, n: Floats, shares: Floats, factor: Floats) -> Floats:
    """How far each column's ``counts`` lie from ``shares`` along its scores, shape (2, columns): of mean 0, and of
    variance 1 for independent rows. ``factor`` as in ``noise.pearson``."""
    off = (counts - shares * n[bins.column]) * along
    return np.stack([bins.total(row) for row in off]) * np.sqrt(factor / np.maximum(n, 1.0))


def _unit(bins: Bins, shares: Floats, score: Floats) -> Floats:
    size = bins.total(shares * score**2)[bins.column]
    return np.where(size > _FLAT, score / np.sqrt(np.where(size > _FLAT, size, 1.0)), 0.0)
