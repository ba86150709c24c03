"""Rates by group of a classifier's decisions: what is counted over what, and why a denominator can be empty.

All rates speak of the favourable label: a "positive" is a person whose outcome is the favourable one, "selected" one
to whom the model gave it. Of more than two classes, all the others together are the unfavourable one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.disparities import Proportions
from detectors.point import Reason
from detectors.summaries.summary import Floats, Ints

RATES: dict[str, Reason] = {
    "selection_rate": Reason.EMPTY_WINDOW,
    "true_positive_rate": Reason.NO_POSITIVES,
    "false_negative_rate": Reason.NO_POSITIVES,
    "false_positive_rate": Reason.NO_NEGATIVES,
    "true_negative_rate": Reason.NO_NEGATIVES,
    "positive_predictive_value": Reason.NO_PREDICTED_POSITIVES,
    "false_discovery_rate": Reason.NO_PREDICTED_POSITIVES,
    "negative_predictive_value": Reason.NO_PREDICTED_NEGATIVES,
    "false_omission_rate": Reason.NO_PREDICTED_NEGATIVES,
    "accuracy": Reason.NO_OUTCOMES,
    "favourable_rate": Reason.NO_OUTCOMES,
}
"""The rates by group, each with the reason that its denominator can be empty. The selection rate counts all
predictions, the others those with an outcome."""

NAMES = tuple(RATES)
ROWS = {name: i for i, name in enumerate(NAMES)}


@dataclass(frozen=True, slots=True, eq=False)
class RateTable:
    """``k`` of ``n`` for each of ``RATES`` (rows) and each cell of an axis (columns): missing, the groups, other.

    Counts are whole, except where ``detectors.fairness.selective`` fills in outcomes that nobody saw.

    >>> decisions = np.array([[0, 0], [60, 40], [0, 0]])
    >>> outcomes = np.array([[[0, 0], [0, 0]], [[50, 10], [5, 35]], [[0, 0], [0, 0]]])      # (cell, decision, label)
    >>> table = RateTable.count(decisions, outcomes, favourable=1)
    >>> {name: (int(table.k[i, 1]), int(table.n[i, 1])) for name, i in ROWS.items() if "positive" in name}
    {'true_positive_rate': (35, 45), 'false_positive_rate': (5, 55), 'positive_predictive_value': (35, 40)}
    """

    k: Ints | Floats
    n: Ints | Floats

    @classmethod
    def count(cls, decisions: Ints, outcomes: Ints | Floats, favourable: int) -> RateTable:
        """From an axis' ``decisions`` (cells, classes) and ``outcomes`` (cells, classes decided, classes true)."""
        rows, known = decisions.sum(axis=1), outcomes.sum(axis=(1, 2))
        selected, positive = outcomes[:, favourable].sum(axis=1), outcomes[:, :, favourable].sum(axis=1)
        tp = outcomes[:, favourable, favourable]
        fp, fn = selected - tp, positive - tp
        negative, rejected = known - positive, known - selected
        tn = negative - fp
        right = np.trace(outcomes, axis1=1, axis2=2)
        chosen = decisions[:, favourable]
        return cls(
            np.array([chosen, tp, fn, fp, tn, tp, fp, tn, fn, right, positive]),
            np.array([rows, positive, positive, negative, negative, selected, selected, rejected, rejected,
                      known, known]),
        )  # fmt: skip

    @property
    def sizes(self) -> tuple[Ints, Ints]:
        """The rows of each cell, shape (1, cells), and its positives and negatives, shape (2, cells)."""
        classes = [ROWS["true_positive_rate"], ROWS["false_positive_rate"]]
        return np.asarray(self.n[:1], np.int64), np.asarray(self.n[classes], np.int64)

    def groups(self, deff: float = 1.0) -> Proportions:
        """The named groups alone, each count shrunk by the design effect: shape (rates, groups)."""
        return Proportions(self.k[:, 1:-1] / deff, self.n[:, 1:-1] / deff)

    def rest(self, deff: float = 1.0) -> tuple[Proportions, Floats]:
        """All rows but the group's own, those of no group among them; and the group's share of all."""
        k, n = self.k[:, 1:-1], self.n[:, 1:-1]
        total = np.maximum(self.n.sum(axis=1, keepdims=True), 1)
        others = Proportions(
            (self.k.sum(axis=1, keepdims=True) - k) / deff, (self.n.sum(axis=1, keepdims=True) - n) / deff
        )
        return others, n / total
