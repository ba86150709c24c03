"""Which part of the rows carries a change: a decomposition over groups or bins that adds up to it exactly.

A mean over all rows is sum(w * a), of each group's share w and mean a. Its change from a reference splits by group into
a part of its mean ("the model does worse here") and a part of its share ("there are more such rows"). Source: Kitagawa,
"Components of a difference between two rates", JASA 50 (1955), centred on the reference's overall mean, so that a group
as good as all, whatever its share, carries nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detectors.performance.ranking import RANKING_METRICS
from detectors.reference import Reference
from detectors.summaries.space import RANKING_SUMS, Axis, Space
from detectors.summaries.summary import Floats, Ints

_ERROR, _ABSOLUTE, _SQUARED = range(3)
_SUM_OF = {"bias": _ERROR, "mae": _ABSOLUTE, "mse": _SQUARED, "rmse": _SQUARED}


@dataclass(frozen=True, slots=True)
class Part:
    """What one group of an axis carries of the change of a metric: ``by_mean`` + ``by_share``.

    ``before`` and ``after`` are the group's own means (``None`` where it has no rows), ``share_before`` and
    ``share_after`` its shares of the rows that the metric is a mean over.
    """

    axis: str
    group: str
    before: float | None
    after: float | None
    share_before: float
    share_after: float
    by_mean: float
    by_share: float

    @property
    def carried(self) -> float:
        return self.by_mean + self.by_share


def decompose(total0: Floats, n0: Floats, total1: Floats, n1: Floats) -> tuple[Floats, Floats]:
    """The change of ``sum(total) / sum(n)`` from 0 to 1, by group: the parts of the mean and of the share.

    All of shape (groups,), with rows on both sides. A group without rows on one side has no mean there: all that it
    carries is by its share.

    >>> before, after, n = np.array([45.0, 45.0]), np.array([45.0, 10.0]), np.array([50.0, 50.0])
    >>> by_mean, by_share = decompose(before, n, after, n)
    >>> by_mean.round(3).tolist(), by_share.round(3).tolist()
    ([0.0, -0.35], [0.0, -0.0])
    """
    w0, w1 = n0 / n0.sum(), n1 / n1.sum()
    a0 = np.divide(total0, n0, out=np.zeros_like(w0), where=n0 > 0)
    a1 = np.divide(total1, n1, out=np.zeros_like(w1), where=n1 > 0)
    a0, a1 = np.where(n0 > 0, a0, a1), np.where(n1 > 0, a1, a0)
    overall = float(total0.sum() / n0.sum())
    return (w0 + w1) / 2 * (a1 - a0), (w1 - w0) * ((a0 + a1) / 2 - overall)


def carriers(metric: str, reference: Reference, outcomes: Ints, sums: Floats) -> tuple[str, list[Part]]:
    """The groups of every segment and feature axis, those first that carry most beyond their share of the rows, and the
    name of the mean that they add up to.

    ``outcomes`` and ``sums`` are a window's. A metric that is no mean over rows (ROC AUC, say) is stood for by the
    Brier score of two classes, the accuracy of many, the mean absolute error of a regression and the NDCG of a ranking;
    RMSE by MSE. Empty where a side has no outcomes. What bears the name of a protected attribute is left out: its
    groups are told of by the fairness metrics alone, which know how small a group may be.
    """
    space = reference.space
    found: list[Part] = []
    change, mean = 0.0, stand_in(metric, space)
    protected = {axis.name for axis in space.axes if axis.kind == "attribute"}
    for i, axis in enumerate(space.axes):
        if axis.kind in ("segment", "feature") and axis.name not in protected:
            before = _mean_of(mean, space, i, reference.outcomes, reference.sums)
            parts = list(_parts(axis, *before, *_mean_of(mean, space, i, outcomes, sums)))
            change = sum(p.carried for p in parts)                  # the same for every axis
            found += parts
    sign = 1.0 if change >= 0 else -1.0
    return mean, sorted(found, key=lambda p: (p.share_after * abs(change) - sign * p.carried, p.axis, p.group))


def stand_in(metric: str, space: Space) -> str:
    """The mean over rows whose change is decomposed for a metric.

    >>> stand_in("roc_auc", Space("binary_classification", ())), stand_in("rmse", Space("regression", ()))
    ('brier', 'mse')
    """
    if space.task == "regression":
        return {"rmse": "mse"}.get(metric, metric if metric in _SUM_OF else "mae")
    if space.task == "ranking":
        return metric if metric in RANKING_METRICS else RANKING_METRICS[0]
    if space.task == "multiclass_classification":
        return "accuracy"
    return metric if metric in _RATES else "brier"


_RATES: dict[str, tuple[tuple[float, float, float, float], tuple[float, float, float, float]]] = {
    # weights of tn, fn, fp, tp in the numerator and in the denominator
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "precision": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "recall": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "specificity": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "f1": ((0, 0, 0, 2), (0, 1, 1, 2)),
}


def _mean_of(mean: str, space: Space, axis: int, outcomes: Ints, sums: Floats) -> tuple[Floats, Floats]:
    """The totals and the rows (or the weights) of a mean by group, both of shape (groups,)."""
    table = space.confusion(outcomes, axis).astype(np.float64)
    if mean in _SUM_OF:
        return space.group_sums(sums, axis)[:, _SUM_OF[mean]], table.sum(axis=(1, 2))
    if space.task == "ranking":                                 # a list without a relevant item is in no mean
        by_group = space.group_sums(sums, axis)
        return by_group[:, RANKING_SUMS.index(mean)], by_group[:, RANKING_SUMS.index("queries")]
    if space.task == "multiclass_classification":
        return np.trace(table, axis1=1, axis2=2), table.sum(axis=(1, 2))
    if mean in _RATES:
        cells = table.reshape(-1, 4)
        above, below = (np.array(weights) for weights in _RATES[mean])
        return cells @ above, cells @ below
    by_label = space.group_sums(sums, axis)                     # rows, score and score² of each label
    missed = by_label[:, 1, 0] - 2 * by_label[:, 1, 1]          # (1 - score)² less score²
    return by_label[:, :, 2].sum(axis=1) + missed, by_label[:, :, 0].sum(axis=1)


def _parts(axis: Axis, total0: Floats, n0: Floats, total1: Floats, n1: Floats) -> Iterator[Part]:
    if not n0.sum() or not n1.sum():
        return
    names = ("missing", *axis.grid.categories, "other")
    by_mean, by_share = decompose(total0, n0, total1, n1)
    for g, name in enumerate(names):
        if n0[g] or n1[g]:
            before, after = (float(t[g] / n[g]) if n[g] else None for t, n in ((total0, n0), (total1, n1)))
            shares = float(n0[g] / n0.sum()), float(n1[g] / n1.sum())
            yield Part(axis.name, name, before, after, *shares, float(by_mean[g]), float(by_share[g]))
