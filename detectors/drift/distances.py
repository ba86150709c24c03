"""Distances between two samples counted in the same bins, and the tests of homogeneity of two such samples.

The plain functions take two arrays of counts, shape (k,), and are ``None`` where a side is empty; bins have no order.
Distances of distribution functions, whose cells have one, are in ``detectors.drift.cumulative``. Each ``*_terms`` gives
what every bin adds, so that many columns can be summed at once (``detectors.drift``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from detectors.summaries.summary import Floats, Ints

SHARE_FLOOR = 1e-4
"""The least share that the population stability index and the Kullback-Leibler divergence reckon with, so that an empty
bin does not make them infinite."""

LN2 = float(np.log(2.0))


def psi(reference: Ints, current: Ints) -> float | None:
    """Population stability index, natural logarithm, shares floored at ``SHARE_FLOOR`` and not made to sum to 1 again.

    Source: Siddiqi, "Credit Risk Scorecards" (2006); the symmetric divergence of Kullback and Leibler (1951).

    >>> psi(np.array([50, 50]), np.array([50, 50])), round(psi(np.array([50, 50]), np.array([90, 10])), 4)
    (0.0, 0.8789)
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float(psi_terms(*shares).sum())


def kullback_leibler(reference: Ints, current: Ints) -> float | None:
    """Kullback-Leibler divergence of the window from the reference, sum of q ln(q / p), natural logarithm.

    Shares are floored at ``SHARE_FLOOR`` as for ``psi``. Floored shares do not sum to 1, so each bin adds
    q ln(q / p) - q + p, which is never below 0 and comes to the same sum where nothing was floored; there and back
    make the ``psi``. Source: Kullback and Leibler, Ann. Math. Statist. 22 (1951).

    >>> round(kullback_leibler(np.array([50, 50]), np.array([90, 10])), 4)
    0.3681
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float(kullback_leibler_terms(*shares).sum())


def jensen_shannon(reference: Ints, current: Ints) -> float | None:
    """Jensen-Shannon distance, base 2: the square root of the divergence, 0 to 1.

    Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37 (1991); a metric by
    Endres and Schindelin, IEEE Trans. Inf. Theory 49 (2003).

    >>> jensen_shannon(np.array([7, 0]), np.array([0, 3])), jensen_shannon(np.array([7, 0]), np.array([0, 0]))
    (1.0, None)
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float(np.sqrt(max(jensen_shannon_terms(*shares).sum(), 0.0)))


def hellinger(reference: Ints, current: Ints) -> float | None:
    """Hellinger distance, 0 to 1: the root of 1 minus the Bhattacharyya coefficient, as most tools have it.

    Its rounding error is 1e-8 for samples that are alike. Source: Hellinger, J. reine angew. Math. 136 (1909).

    >>> hellinger(np.array([1, 1]), np.array([1, 0])).__round__(4)
    0.5412
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float(np.sqrt(max(1 - bhattacharyya_terms(*shares).sum(), 0.0)))


def total_variation(reference: Ints, current: Ints) -> float | None:
    """Total variation distance, 0 to 1: the share of rows that would have to change their bin.

    >>> total_variation(np.array([1, 1]), np.array([1, 0]))
    0.5
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    p, q = shares
    return float(np.abs(p - q).sum() / 2)


def l_infinity(reference: Ints, current: Ints) -> float | None:
    """Chebyshev distance, 0 to 1: the largest change in the share of one bin.

    >>> l_infinity(np.array([6, 2, 2]), np.array([5, 5, 0])).__round__(12)
    0.3
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    p, q = shares
    return float(np.abs(p - q).max())


class Homogeneity(NamedTuple):
    """A test of homogeneity of two samples of independent rows."""

    statistic: float
    p_value: float
    dof: int


def chi_square(reference: Ints, current: Ints) -> Homogeneity | None:
    """Pearson's test of homogeneity of two samples, without Yates' correction; rows count as independent.

    Bins that are empty on both sides do not count. Source: Pearson, Philosophical Magazine 50 (1900).

    >>> chi_square(np.array([30, 70]), np.array([45, 55])).statistic.__round__(6)
    4.8
    """
    r, c = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if not r.sum() or not c.sum():
        return None
    return _homogeneity(r, c, float(chi_square_terms(r, c, np.full_like(r, r.sum()), np.full_like(c, c.sum())).sum()))


def g_test(reference: Ints, current: Ints) -> Homogeneity | None:
    """The likelihood-ratio test of homogeneity of two samples, G = 2 sum O ln(O / E); rows count as independent.

    Source: Wilks, Ann. Math. Statist. 9 (1938); Sokal and Rohlf, "Biometry" (1981).

    >>> g_test(np.array([30, 70]), np.array([45, 55])).statistic.__round__(4)
    4.8247
    """
    r, c = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if not r.sum() or not c.sum():
        return None
    statistic = float(g_terms(r, c, np.full_like(r, r.sum()), np.full_like(c, c.sum())).sum())
    return _homogeneity(r, c, max(statistic, 0.0))


def cramers_v(reference: Ints, current: Ints, weight: float = 0.5) -> float | None:
    """Cramér's V of sample and bin, 0 to 1: the effect that ``chi_square`` tests.

    ``weight`` is the reference's share of the rows. At one half, as for a table with both margins made equal, V says
    the same of the same shares, whatever the sizes; at ``n / (n + m)`` it is the V of the table as it is,
    sqrt(X² / (n + m)), which falls towards 0 where one sample is far larger than the other.
    Source: Cramér, "Mathematical Methods of Statistics" (1946), 21.9.

    >>> cramers_v(np.array([10, 0]), np.array([0, 3])), round(cramers_v(np.array([30, 70]), np.array([45, 55])), 4)
    (1.0, 0.1549)
    """
    if (shares := shares_of(reference, current)) is None:
        return None
    return float(np.sqrt(cramers_v_terms(*shares, weight).sum()))


def shares_of(reference: Ints, current: Ints) -> tuple[Floats, Floats] | None:
    """Both sides as shares, or ``None`` where one is empty.

    >>> shares_of(np.array([1, 3]), np.array([0, 0])) is None
    True
    """
    r, c = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    return (r / r.sum(), c / c.sum()) if r.sum() and c.sum() else None


def psi_terms(p: Floats, q: Floats) -> Floats:
    p, q = np.maximum(p, SHARE_FLOOR), np.maximum(q, SHARE_FLOOR)
    return np.asarray((q - p) * np.log(q / p))


def kullback_leibler_terms(p: Floats, q: Floats) -> Floats:
    return np.asarray(special.kl_div(np.maximum(q, SHARE_FLOOR), np.maximum(p, SHARE_FLOOR)), np.float64)


def jensen_shannon_terms(p: Floats, q: Floats) -> Floats:
    """The terms of the divergence, the square of the distance."""
    middle = (p + q) / 2
    return np.asarray((special.rel_entr(p, middle) + special.rel_entr(q, middle)) / (2 * LN2), np.float64)


def bhattacharyya_terms(p: Floats, q: Floats) -> Floats:
    """The terms of the coefficient, which is 1 less Hellinger's distance squared."""
    return np.asarray(np.sqrt(p * q))


def cramers_v_terms(p: Floats, q: Floats, weight: float = 0.5) -> Floats:
    """The terms of V's square."""
    both = weight * p + (1 - weight) * q
    return np.asarray(weight * (1 - weight) * (p - q) ** 2 / np.where(both > 0, both, 1.0))


def chi_square_terms(r: Floats, c: Floats, n_r: Floats, n_c: Floats) -> Floats:
    """From counts and their column's totals."""
    both = r + c
    return np.asarray((c * np.sqrt(n_r / n_c) - r * np.sqrt(n_c / n_r)) ** 2 / np.where(both > 0, both, 1.0))


def g_terms(r: Floats, c: Floats, n_r: Floats, n_c: Floats) -> Floats:
    """From counts and their column's totals; each bin's term is not below 0."""
    each = (r + c) / (n_r + n_c)
    return np.asarray(2 * (special.kl_div(r, each * n_r) + special.kl_div(c, each * n_c)), np.float64)


def _homogeneity(r: Floats, c: Floats, statistic: float) -> Homogeneity:
    dof = int(((r + c) > 0).sum()) - 1
    return Homogeneity(statistic, float(special.chdtrc(dof, statistic)) if dof else 1.0, dof)
