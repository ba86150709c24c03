"""Fairness of a classifier: the rates of each group of a protected attribute, and the disparities between the groups.

Rows without the attribute, and those of groups beyond the axis ("other", which mixes groups), belong to no group and
are left out, except from what is compared with the whole.

Definitions are Fairlearn's, equalized odds being the worse of its two rates, with one exception: a rate with an empty
denominator is unknown and its group left out of that comparison, where Fairlearn takes it for 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.disparities import Bools
from detectors.fairness.attribute import Attribute, Named
from detectors.fairness.compare import Sample, compare_all
from detectors.fairness.comparisons import NAMED
from detectors.fairness.rates import NAMES, RATES, ROWS, RateTable
from detectors.fairness.selective import Extremes
from detectors.fairness.suppression import complementary, lines_of, small
from detectors.intervals import normal_quantile
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.space import Space
from detectors.summaries.summary import Ints

DISPARITIES = tuple(NAMED)
_OF_OUTCOMES = ROWS["selection_rate"] + 1        # the rates behind the first rest on outcomes


# What may be said of a group's rate.
_KNOWN, _EMPTY, _TOO_FEW, _COMPLEMENTARY, _UNSEEN = range(5)
_REASONS = {
    _TOO_FEW: Reason.TOO_FEW_SAMPLES,
    _COMPLEMENTARY: Reason.COMPLEMENTARY_SUPPRESSION,
    _UNSEEN: Reason.SELECTIVE_OUTCOMES,
}
_BY_SIZE = (Reason.TOO_FEW_SAMPLES, Reason.COMPLEMENTARY_SUPPRESSION)


def measure_fairness(
    space: Space,
    predictions: Ints,
    outcomes: Ints,
    favourable: int,
    min_group: int | Mapping[str, int],
    reference_groups: Mapping[str, str | None] | None = None,
    *,
    deff: float = 1.0,
    observed: int | None = None,
    metrics: Sequence[str] = DISPARITIES,
    confidence: float = CONFIDENCE,
) -> list[Named]:
    """The rates of each group and the disparities of each protected attribute of a classifier.

    ``predictions`` and ``outcomes`` are dense counts; ``favourable`` the class that a person would want;
    ``min_group`` the smallest group told, for all attributes or by attribute; ``reference_groups`` the group with which
    an attribute's others are compared, where it has one. ``deff`` is the design effect of rows that belong together
    (``detectors.clusters``), ``observed`` the decision whose outcomes alone are seen, where it is not all of them.
    A group below the minimum is listed with unknown rates. A regression has no decisions, and so none of these.
    Intervals of points are at ``CONFIDENCE``; a judge who may err more seldom asks again at its own ``confidence``.
    """
    out: list[Named] = []
    for i, axis in enumerate(space.axes):
        if axis.kind == "attribute" and space.n_classes > 1:
            attribute = Attribute(
                axis.name,
                axis.grid.categories,
                min_group if isinstance(min_group, int) else min_group[axis.name],
                (reference_groups or {}).get(axis.name),
            )
            decided, known = space.decisions(predictions, i), space.confusion(outcomes, i)
            out += measure_attribute(attribute, decided, known, favourable, deff, observed, metrics, confidence)
    return out


def measure_attribute(
    attribute: Attribute,
    decisions: Ints,
    outcomes: Ints,
    favourable: int = 1,
    deff: float = 1.0,
    observed: int | None = None,
    metrics: Sequence[str] = DISPARITIES,
    confidence: float = CONFIDENCE,
) -> list[Named]:
    """The same of one attribute from its counts alone.

    ``decisions`` has shape (cells, classes), ``outcomes`` (cells, classes decided, classes true); the cells are those
    of the axis: missing, the groups, other.

    >>> decisions = np.array([[0, 0], [60, 40], [30, 70], [0, 0]])
    >>> outcomes = np.zeros((4, 2, 2), int)
    >>> found = measure_attribute(Attribute("sex", ("1", "2")), decisions, outcomes)
    >>> {(name, scope.group): m.value for name, scope, m in found if m.known and "rat" in name}
    {('selection_rate', '1'): 0.4, ('selection_rate', '2'): 0.7, ('demographic_parity_ratio', None): 0.5714285714285715}
    """
    extremes = None
    if observed is not None:
        extremes = Extremes.of(decisions, outcomes, favourable, observed)
        outcomes = np.where(np.arange(outcomes.shape[1])[:, None] == observed, outcomes, 0)
    sample = _sample(RateTable.count(decisions, outcomes, favourable), attribute, extremes, deff, confidence)
    between = Scope(attribute=attribute.name)
    return [
        *_rates(sample, attribute.name, decisions[1:-1].sum(axis=1).tolist()),
        *((metric, between, m) for metric, m in compare_all(sample, tuple(metrics), attribute.reference)),
    ]


def _sample(
    table: RateTable, attribute: Attribute, extremes: Extremes | None, deff: float, confidence: float
) -> Sample:
    rows, classes = table.sizes
    told, shown = _told(table, rows, classes, attribute, extremes)
    estimates = table.groups(deff)

    def reason(rate: int, group: int) -> Reason:
        why = int(told[rate, group])
        if why != _EMPTY:
            return _REASONS[why]
        return RATES[NAMES[rate]] if rate < _OF_OUTCOMES or classes[:, group + 1].any() else Reason.NO_OUTCOMES

    return Sample(
        NAMES,
        attribute.groups,
        estimates,
        estimates.at(normal_quantile(confidence)),
        np.asarray(table.n[:, 1:-1], np.int64),
        told == _KNOWN,
        shown,
        reason,
        confidence,
        lambda: table.rest(deff),
        unseen=None if extremes is None else told == _UNSEEN,
        bounds=None if extremes is None else lambda z: extremes.bounds(z, deff),
    )


def _told(
    table: RateTable, rows: Ints, classes: Ints, attribute: Attribute, extremes: Extremes | None
) -> tuple[Ints, Bools]:
    """What may be said of each rate of each group, shape (rates, groups); and which groups are shown at all."""
    least, lines = attribute.minimum, lines_of(attribute.name, attribute.groups)
    few = rows[0, 1:-1] < least
    more = complementary(rows, few, least, lines)
    few_outcomes = small(classes, least)
    more_outcomes = complementary(classes, few | more | few_outcomes, least, lines)
    n = table.n[:, 1:-1]
    told = np.where(n == 0, _EMPTY, np.where(n < least, _TOO_FEW, _KNOWN))
    if extremes is not None:
        told[~extremes.settled] = _UNSEEN
    told[_OF_OUTCOMES:, more_outcomes] = _COMPLEMENTARY
    told[_OF_OUTCOMES:, few_outcomes] = _TOO_FEW
    told[:, more] = _COMPLEMENTARY
    told[:, few] = _TOO_FEW
    return told, ~(few | more)


def _rates(sample: Sample, attribute: str, sizes: list[int]) -> list[Named]:
    """Every rate of every group with Wilson's interval, or why it is unknown.

    ``n`` of a rate suppressed for its size is the number of the group's predictions, ``sizes``: how many rows there
    are, not how they fell. Where outcomes are selective the interval holds the worst cases.
    """
    bounds = sample.near if sample.bounds is None else sample.bounds(normal_quantile(sample.confidence))
    values, low, high = (x.T.tolist() for x in sample.near)
    n, known = sample.n.T.tolist(), sample.known.T.tolist()
    out: list[Named] = []
    for g, group in enumerate(sample.groups):
        scope = Scope(attribute=attribute, group=group)
        told = zip(NAMES, known[g], values[g], n[g], low[g], high[g], strict=True)
        for rate, (name, is_known, value, size, lower, upper) in enumerate(told):
            if is_known:
                m = Measurement(value, size, (lower, upper))
            elif (why := sample.reason(rate, g)) is Reason.SELECTIVE_OUTCOMES:
                worst_cases = float(bounds.lower[rate, g]), float(bounds.upper[rate, g])
                m = Measurement(None, size, worst_cases, reason=why)
            else:
                m = Measurement.unknown(why, sizes[g] if why in _BY_SIZE else 0)
            out.append((name, scope, m))
    return out
