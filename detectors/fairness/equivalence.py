"""Equivalence: whether groups have been shown to be as good as equal, which no "not significant" ever shows.

Two one-sided tests (Schuirmann (1987), J. Pharmacokin. Biopharm. 15(6):657-680) for every pair of groups. All pairs
have to pass, so each may be tested at the plain level, and the risk of calling equal what is not stays below it
over all groups at once: Berger (1982), Technometrics 24(4):295-300.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from detectors.disparities import Kind, Proportions, between, disparity
from detectors.intervals import Interval
from detectors.summaries.summary import Ints

ALPHA = 0.05
_BEYOND = 8.0        # standard errors: a p-value below 1e-15 is given as that
_STEPS = 26          # halvings: the p-value is good to one part in 10**7


@dataclass(frozen=True, slots=True)
class Equivalence:
    """``equivalent`` where the ``p_value`` of "the disparity is as large as the margin or larger" is below 0.05, that
    is where the 90 % ``interval`` of the disparity lies within the margin."""

    equivalent: bool
    p_value: float
    interval: Interval


def equivalence(
    kind: Kind, k: Ints, n: Ints, margin: float, reference: int | None = None, deff: float = 1.0
) -> Equivalence | None:
    """Whether the disparity of the rates ``k / n`` is within the ``margin``; arguments as of ``disparity``.

    A difference is within the margin below it, a ratio (smallest over largest, at most 1) above it. ``None`` where
    there is nothing to test: fewer than two groups, an empty one, or a ratio of rates that are all 0. The tests and the
    interval are those of Newcombe and of Donner and Zou, so that the two always agree.

    >>> found = equivalence("difference", np.array([480, 500]), np.array([1000, 1000]), 0.1)
    >>> found.equivalent, round(found.p_value, 4), [round(x, 3) for x in found.interval]
    (True, 0.0002, [0.0, 0.057])
    >>> equivalence("difference", np.array([48, 50]), np.array([100, 100]), 0.1).equivalent
    False
    """
    if n.size < 2 or not n.all() or (kind == "ratio" and not k.any()):
        return None
    interval = disparity(kind, k, n, reference, deff=deff, confidence=1 - 2 * ALPHA).interval
    assert interval is not None
    p_value = 1 - NormalDist().cdf(_errors_within(kind, k, n, margin, reference, deff))
    return Equivalence(p_value < ALPHA, p_value, interval)


def _errors_within(kind: Kind, k: Ints, n: Ints, margin: float, reference: int | None, deff: float) -> float:
    """How many standard errors the largest limit may lie out without touching the margin; 0 where even the value
    does."""
    rows, known = Proportions(k[None, :] / deff, n[None, :] / deff), np.ones((1, n.size), bool)
    low, high = 0.0, _BEYOND
    for _ in range(_STEPS):
        z = (low + high) / 2
        limits = rows.at(z)
        found = between(kind, limits, limits, known, reference)
        within = found.upper[0] < margin if kind == "difference" else found.lower[0] > margin
        low, high = (z, high) if within else (low, z)
    return low
