"""Fairness: rates by group of a protected attribute, and the disparities between the groups.

All rates speak of the favourable label: a "positive" is a person whose outcome is the favourable one, "selected" one
to whom the model gave it. Rows without the attribute, and those of groups beyond the axis ("other", which mixes
groups), belong to no group and are left out.

Definitions are Fairlearn's, equalized odds being the worse of its two rates, with one exception: a rate with an empty
denominator is unknown and its group left out of that comparison, where Fairlearn takes it for 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from detectors.disparities import Kind, disparity, worst
from detectors.intervals import proportion
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.space import Space
from detectors.summaries.summary import Ints

RATES: dict[str, Reason] = {
    "selection_rate": Reason.EMPTY_WINDOW,
    "true_positive_rate": Reason.NO_POSITIVES,
    "false_negative_rate": Reason.NO_POSITIVES,
    "false_positive_rate": Reason.NO_NEGATIVES,
    "true_negative_rate": Reason.NO_NEGATIVES,
    "positive_predictive_value": Reason.NO_PREDICTED_POSITIVES,
    "accuracy": Reason.NO_OUTCOMES,
}
"""The rates by group, each with the reason that its denominator can be empty."""

DISPARITIES: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "demographic_parity_difference": ("difference", ("selection_rate",)),
    "demographic_parity_ratio": ("ratio", ("selection_rate",)),
    "equal_opportunity_difference": ("difference", ("true_positive_rate",)),
    "equalized_odds_difference": ("difference", ("true_positive_rate", "false_positive_rate")),
    "equalized_odds_ratio": ("ratio", ("true_positive_rate", "false_positive_rate")),
    "predictive_parity_difference": ("difference", ("positive_predictive_value",)),
    "accuracy_difference": ("difference", ("accuracy",)),
}
"""The disparities, each with what it compares; of several rates it is the worst."""


@dataclass(frozen=True, slots=True)
class GroupRates:
    """What one group's rates are made of: for each of ``RATES`` the rows counted and the rows in the denominator.

    ``minimum`` is the size below which no rate is told: none of a group with fewer predictions, nor one with fewer
    rows in its own denominator, so that 2 positives among 500 people make no true positive rate.
    """

    group: str
    n_predictions: int
    n_outcomes: int
    counts: Mapping[str, tuple[int, int]]
    minimum: int = 1

    def rate(self, name: str) -> Measurement:
        """One rate with Wilson's interval, or why it is unknown. ``n`` of a rate suppressed for its size is the number
        of the group's predictions: how many rows there are, not how they fell."""
        k, n = self.counts[name]
        sizes = [n] if name == "selection_rate" else [n, *self._classes]
        if self.n_predictions < self.minimum or any(0 < size < self.minimum for size in sizes):
            return Measurement.unknown(Reason.TOO_FEW_SAMPLES, self.n_predictions)
        empty = RATES[name] if self.n_outcomes or name == "selection_rate" else Reason.NO_OUTCOMES
        return proportion(k, n, empty)

    @property
    def _classes(self) -> tuple[int, int]:
        """How many outcomes were favourable and how many were not. Where either is too small to tell, no rate of the
        other may be told: accuracy, precision and the other class's rate together give it away."""
        return self.counts["true_positive_rate"][1], self.counts["false_positive_rate"][1]

    @property
    def rates(self) -> dict[str, Measurement]:
        return {name: self.rate(name) for name in RATES}


def measure_fairness(
    space: Space,
    predictions: Ints,
    outcomes: Ints,
    favourable: Literal[0, 1],
    min_group: int | Mapping[str, int],
    reference_groups: Mapping[str, str | None] | None = None,
) -> list[tuple[str, Scope, Measurement]]:
    """The rates of each group and the disparities of each protected attribute of a binary classifier.

    ``predictions`` and ``outcomes`` are dense counts; ``favourable`` the label that a person would want;
    ``min_group`` the smallest group told, for all attributes or by attribute; ``reference_groups`` the group with which
    an attribute's others are compared, where it has one. A group below the minimum is listed with unknown rates.
    A regression has no decisions, and so none of these.
    """
    out: list[tuple[str, Scope, Measurement]] = []
    for i, axis in enumerate(space.axes):
        if axis.kind != "attribute" or space.task == "regression":
            continue
        minimum = min_group if isinstance(min_group, int) else min_group[axis.name]
        kept, suppressed = eligible(group_rates(space, predictions, outcomes, i, favourable), minimum)
        for group in (*kept, *suppressed):
            scope = Scope(attribute=axis.name, group=group.group)
            out += [(metric, scope, m) for metric, m in group.rates.items()]
        reference = (reference_groups or {}).get(axis.name)
        out += [(metric, Scope(attribute=axis.name), m) for metric, m in disparities(kept, reference)]
    return out


def group_rates(
    space: Space, predictions: Ints, outcomes: Ints, axis_index: int, favourable: Literal[0, 1] = 1
) -> list[GroupRates]:
    """The named groups of one axis in their order. The selection rate counts all predictions, the others outcomes.

    >>> from detectors.summaries.fold import fold_outcomes, fold_predictions
    >>> from detectors.summaries.space import example_space
    >>> space, score = example_space(), np.array([0.9, 0.2, 0.8, 0.7])
    >>> sex, decision, label = np.array([1, 1, 2, 2]), np.array([1, 0, 1, 1]), np.array([1, 1, 1, 0])
    >>> one, cells = np.ones(4, np.int64), space.output.grid.cells(score)
    >>> seen = fold_predictions(space, [one, one, cells], [one, sex], decision).dense(space.prediction_size)
    >>> known = fold_outcomes(space, cells, [one, sex], decision, label, score).dense(space.outcome_size)
    >>> groups = group_rates(space, seen, known, 1)
    >>> [(g.group, g.rate("selection_rate").value, g.rate("true_positive_rate").value) for g in groups]
    [('1', 0.5, 0.5), ('2', 1.0, 1.0)]
    >>> groups[0].rate("false_positive_rate").reason.value
    'no_negatives'
    """
    axis = space.axes[axis_index]
    decisions, tables = space.decisions(predictions, axis_index), space.confusion(outcomes, axis_index)
    if favourable == 0:
        decisions, tables = decisions[:, ::-1], tables[:, ::-1, ::-1]
    out = []
    for group, (rejected, selected), ((tn, fn), (fp, tp)) in zip(
        axis.grid.categories, decisions[1:].tolist(), tables[1:].tolist(), strict=False
    ):
        counts = {
            "selection_rate": (selected, rejected + selected),
            "true_positive_rate": (tp, tp + fn),
            "false_negative_rate": (fn, tp + fn),
            "false_positive_rate": (fp, fp + tn),
            "true_negative_rate": (tn, fp + tn),
            "positive_predictive_value": (tp, tp + fp),
            "accuracy": (tp + tn, tp + fp + fn + tn),
        }
        out.append(GroupRates(group, rejected + selected, tp + fp + fn + tn, counts))
    return out


def eligible(groups: Sequence[GroupRates], min_group: int) -> tuple[list[GroupRates], list[GroupRates]]:
    """Which groups are large enough to be compared, and which are suppressed. Both carry the minimum from then on."""
    marked = [replace(g, minimum=min_group) for g in groups]
    return (
        [g for g in marked if g.n_predictions >= min_group],
        [g for g in marked if g.n_predictions < min_group],
    )


def disparities(groups: Sequence[GroupRates], reference_group: str | None = None) -> Iterator[tuple[str, Measurement]]:
    """Each disparity over the groups whose rate is known: between all of them, or from the ``reference_group``.

    Intervals hold over all pairs at once; ``n`` is the denominator of the smallest group compared. A disparity is
    unknown with fewer than two groups, and where fewer than two have the rate, for the reason that the others have
    none; likewise where the reference group has none.
    """
    for metric, (kind, names) in DISPARITIES.items():
        parts = [_disparity(kind, name, groups, reference_group, len(names)) for name in names]
        yield metric, worst(kind, parts)


def _disparity(
    kind: Kind, name: str, groups: Sequence[GroupRates], reference_group: str | None, families: int
) -> Measurement:
    if len(groups) < 2:
        return Measurement.unknown(Reason.FEWER_THAN_TWO_GROUPS)
    rates = {g.group: g.rate(name) for g in groups}
    lacking = [m.reason for m in rates.values() if m.reason is not None]
    if reference_group is not None:
        if reference_group not in rates:                # it was suppressed for its size
            return Measurement.unknown(Reason.TOO_FEW_SAMPLES)
        if reason := rates[reference_group].reason:
            return Measurement.unknown(reason)
    known = [g for g in groups if rates[g.group].known]
    if len(known) < 2:
        return Measurement.unknown(lacking[0])
    k, n = np.array([g.counts[name] for g in known], np.int64).T
    at = None if reference_group is None else [g.group for g in known].index(reference_group)
    return disparity(kind, k, n, at, families)
