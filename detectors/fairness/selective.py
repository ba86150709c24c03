"""Rates where outcomes are seen for one decision only, as of those who got a loan and not of those who did not.

What the others would have done is unknown and nothing is assumed about it: a rate then lies between what it is if all
of them had the favourable outcome and if none had (Manski (1989), J. Human Resources 24(3); (2003), Partial
Identification of Probability Distributions). Rates that rest on the seen decision alone are known as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.disparities import Bools
from detectors.fairness.rates import RateTable
from detectors.intervals import Limits
from detectors.summaries.summary import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """The rates as they are if none, and if all, of the unseen outcomes are favourable."""

    none: RateTable
    all: RateTable

    @classmethod
    def of(cls, decisions: Ints, outcomes: Ints, favourable: int, observed: int) -> Extremes:
        """``observed`` is the decision whose outcomes are seen; the other arguments as of ``RateTable.count``.

        Outcomes of the observed decision that are still to come are a matter of coverage: they are taken to be like
        those that came, so of the unseen rows the same share counts. Outcomes of unobserved decisions
        that came all the same are left out, since nobody knows why just these did.

        >>> decisions = np.array([[0, 0], [60, 40], [0, 0]])
        >>> outcomes = np.array([[[0, 0], [0, 0]], [[0, 0], [5, 35]], [[0, 0], [0, 0]]])
        >>> found = Extremes.of(decisions, outcomes, favourable=1, observed=1)
        >>> [float(table.n[1, 1]) for table in (found.none, found.all)]           # of the positives, between 35 and 95
        [35.0, 95.0]
        """
        classes = decisions.shape[1]
        seen = outcomes[:, observed].sum(axis=1) / np.maximum(decisions[:, observed], 1)
        tables = []
        for favoured in (False, True):
            filled = np.zeros(outcomes.shape)
            filled[:, observed] = outcomes[:, observed]
            for decision in range(classes):
                other = decision if decision != favourable else (favourable + 1) % classes
                if decision != observed:
                    filled[:, decision, favourable if favoured else other] = decisions[:, decision] * seen
            tables.append(RateTable.count(decisions, filled, favourable))
        return cls(*tables)

    @property
    def settled(self) -> Bools:
        """Which rates of which groups do not depend on what nobody saw: shape (rates, groups)."""
        none, every = self.none, self.all
        found: Bools = ((none.k == every.k) & (none.n == every.n))[:, 1:-1]
        return found

    def bounds(self, z: float, deff: float) -> Limits:
        """The worst cases, each widened by its own sampling error of ``z`` standard errors: shape (rates, groups).

        The value in the middle is none's, and has no meaning of its own.
        """
        none, every = self.none.groups(deff).at(z), self.all.groups(deff).at(z)
        return Limits(none.value, np.minimum(none.lower, every.lower), np.maximum(none.upper, every.upper))
