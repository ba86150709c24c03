"""Means by group: how far scores lie from what happened, and the errors of a regression, with their disparities.

From sums alone, so that they merge as counts do. Student's intervals; where groups are compared, each has its own
variance (Welch). They suppose that a mean of so many errors is about normal: errors with a few enormous values among
them need large groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.disparities import Bools, Means
from detectors.fairness.attribute import Attribute, Named
from detectors.fairness.compare import Sample, compare_all
from detectors.fairness.suppression import complementary, lines_of, small
from detectors.intervals import normal_quantile
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.summary import Floats, Ints

CALIBRATION = ("calibration_gap",)
ERRORS = ("mae", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums of what a mean is taken of and of its squares, shape (means, cells), over ``n`` rows, shape (cells,); the
    cells are those of an axis: missing, the groups, other."""

    n: Ints
    total: Floats
    squares: Floats

    def groups(self, deff: float) -> Means:
        return _means(self.n[1:-1], self.total[:, 1:-1], self.squares[:, 1:-1], deff)

    def rest(self, deff: float) -> tuple[Means, Floats]:
        """All rows but the group's own, and the group's share of all; shape (means, groups)."""
        n = self.n.sum() - self.n
        total, squares = (x.sum(axis=1, keepdims=True) - x for x in (self.total, self.squares))
        share = np.broadcast_to(self.n / max(int(self.n.sum()), 1), self.total.shape)
        return _means(n[1:-1], total[:, 1:-1], squares[:, 1:-1], deff), share[:, 1:-1]


def measure_calibration(
    attribute: Attribute,
    moments: Floats,
    favourable: int = 1,
    deff: float = 1.0,
    metrics: Sequence[str] = ("calibration_difference",),
    confidence: float = CONFIDENCE,
) -> list[Named]:
    """Calibration in the large by group of a binary classifier: mean score minus rate of positives, and its disparity.

    Above 0 the group is promised more of the favourable label than comes true. ``moments`` has shape (cells, labels,
    3): the number of scored rows with that label, the sum of their scores, and of the squares of these. A group of
    which either class is too small to tell has no rates, and no calibration either.

    >>> sums = np.zeros((4, 2, 3))
    >>> sums[1:3] = [[[60, 18.0, 6.0], [40, 24.0, 15.0]], [[70, 14.0, 4.0], [30, 18.0, 12.0]]]
    >>> found = measure_calibration(Attribute("sex", ("1", "2")), sums)
    >>> [(name, round(m.value, 3), [round(x, 3) for x in m.interval]) for name, _, m in found]
    [('calibration_gap', 0.02, [-0.052, 0.092]), ('calibration_gap', 0.02, [-0.043, 0.083]),
     ('calibration_difference', 0.0, [0.0, 0.095])]
    """
    n = np.rint(moments[:, :, 0]).astype(np.int64)
    score, squares = moments[:, :, 1], moments[:, :, 2]
    gap = score.sum(axis=1) - n[:, 1]
    # (s - y) ** 2 is s ** 2 - 2 s y + y, and s y is the score where the label is 1.
    spread = squares.sum(axis=1) - 2 * score[:, 1] + n[:, 1]
    sign = 1.0 if favourable == 1 else -1.0
    sums = Sums(n.sum(axis=1), sign * gap[None, :], spread[None, :])
    return _measure(attribute, _sample(attribute, CALIBRATION, sums, n.T, deff, confidence), metrics)


def measure_errors(
    attribute: Attribute,
    n: Ints,
    errors: Floats,
    deff: float = 1.0,
    metrics: Sequence[str] = ("mae_difference", "bias_difference"),
    confidence: float = CONFIDENCE,
) -> list[Named]:
    """The errors of a regression by group, and their disparities: mean absolute error, and mean error (bias).

    ``n`` has shape (cells,), ``errors`` (cells, 3): the sums of predicted minus actual, of its magnitude, and of its
    square.

    >>> sums = np.array([[0, 0, 0], [50.0, 100.0, 300.0], [-50.0, 100.0, 300.0], [0, 0, 0]])
    >>> found = measure_errors(Attribute("sex", ("1", "2")), np.array([0, 100, 100, 0]), sums)
    >>> [(name, m.value) for name, scope, m in found if scope.group is None]
    [('mae_difference', 0.0), ('bias_difference', 1.0)]
    """
    sums = Sums(n, errors[:, [1, 0]].T, errors[:, [2, 2]].T)
    return _measure(attribute, _sample(attribute, ERRORS, sums, n[None, :], deff, confidence), metrics)


def _measure(attribute: Attribute, sample: Sample, metrics: Sequence[str]) -> list[Named]:
    values, low, high = (x.T.tolist() for x in sample.near)
    out: list[Named] = []
    for g, group in enumerate(attribute.groups):
        scope, size = Scope(attribute=attribute.name, group=group), int(sample.n[0, g])
        for i, name in enumerate(sample.names):
            if sample.known[i, g]:
                m = Measurement(values[g][i], size, (low[g][i], high[g][i]))
            else:
                m = Measurement.unknown(sample.reason(i, g), size)
            out.append((name, scope, m))
    between = Scope(attribute=attribute.name)
    return [*out, *((metric, between, m) for metric, m in compare_all(sample, tuple(metrics), attribute.reference))]


def _sample(
    attribute: Attribute, names: tuple[str, ...], sums: Sums, sizes: Ints, deff: float, confidence: float
) -> Sample:
    """A mean of fewer than two rows tells nothing of its spread, and is unknown."""
    n = sums.n[1:-1]
    few = small(sizes, attribute.minimum) | ((n > 0) & (n < max(attribute.minimum, 2)))
    more = complementary(sizes, few, attribute.minimum, lines_of(attribute.name, attribute.groups))
    known: Bools = (n > 0) & ~few & ~more
    estimates = sums.groups(deff)

    def reason(_: int, group: int) -> Reason:
        if few[group]:
            return Reason.TOO_FEW_SAMPLES
        return Reason.COMPLEMENTARY_SUPPRESSION if more[group] else Reason.NO_OUTCOMES

    shape = len(names), n.size
    return Sample(
        names,
        attribute.groups,
        estimates,
        estimates.at(normal_quantile(confidence)),
        np.broadcast_to(n, shape),
        np.broadcast_to(known, shape),
        ~(few | more),
        reason,
        confidence,
        lambda: sums.rest(deff),
        most=np.inf,
    )


def _means(n: Ints, total: Floats, squares: Floats, deff: float) -> Means:
    """Means with the standard error that ``n / deff`` independent rows would leave."""
    rows = np.maximum(n, 1)
    mean = total / rows
    freedom = np.broadcast_to(np.maximum(rows / deff - 1, 1.0), mean.shape)
    variance = np.maximum(squares / rows - mean**2, 0.0)
    return Means(mean, np.sqrt(variance / freedom), freedom)
