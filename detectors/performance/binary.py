"""Performance of a binary classifier's decisions, from counts of decisions by label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from detectors.intervals import Limits, mover_mean, wilson_limits
from detectors.performance.delta import correlations
from detectors.point import Measurement, Reason
from detectors.summaries.summary import Ints

Named = tuple[str, Measurement]


class _Share(NamedTuple):
    """A metric that is a count over a count, by table; and why the denominator can be empty."""

    metric: str
    part: Ints
    whole: Ints
    empty: Reason


def decision_metrics(table: Ints) -> Iterator[Named]:
    """Metrics of a confusion table of shape (decision, label), each with the number of rows in its denominator.

    Proportions have Wilson's interval. Balanced accuracy, the mean of two, has MOVER's. F1 has Wilson's of
    ``tp / (tp + fp + fn)``, of which it is an increasing function; true negatives are no part of it, and so not of its
    ``n``. The Matthews correlation has the delta method's, see ``detectors.performance.delta``.

    >>> {metric: round(m.value, 3) for metric, m in decision_metrics(np.array([[50, 10], [5, 35]]))}
    {'accuracy': 0.85, 'precision': 0.875, 'recall': 0.778, 'specificity': 0.909,
     'balanced_accuracy': 0.843, 'f1': 0.824, 'mcc': 0.698}
    """
    yield from decision_metrics_by_group(table[None])[0]


def decision_metrics_by_group(tables: Ints) -> list[list[Named]]:
    """The same of each group, shape (groups, decision, label): all intervals at once, which is what takes the time.

    >>> found = decision_metrics_by_group(np.array([[[5, 1], [0, 4]], [[0, 0], [0, 0]]]))
    >>> [{metric: m.value for metric, m in group}["accuracy"] for group in found]
    [0.9, None]
    """
    tn, fn, fp, tp = (tables[:, d, y] for d, y in ((0, 0), (0, 1), (1, 0), (1, 1)))
    n = tn + fn + fp + tp
    shares = (
        _Share("accuracy", tp + tn, n, Reason.NO_OUTCOMES),
        _Share("precision", tp, tp + fp, Reason.NO_PREDICTED_POSITIVES),
        _Share("recall", tp, tp + fn, Reason.NO_POSITIVES),
        _Share("specificity", tn, tn + fp, Reason.NO_NEGATIVES),
        _Share("f1", tp, tp + fp + fn, Reason.NO_POSITIVES),
    )
    counts = np.stack([s.part for s in shares])
    limits = wilson_limits(counts, np.maximum(np.stack([s.whole for s in shares]), 1))
    balanced = mover_mean(*(Limits(*(x[i] for x in limits)) for i in (2, 3)))
    jaccard = Limits(*(x[4] for x in limits))
    f1 = Limits(*(2 * x / (1 + x) for x in jaccard))
    found = [*(Limits(*(x[i] for x in limits)) for i in range(4)), f1]
    correlated, mcc = correlations(tables)
    out = []
    for g, rows in enumerate(n.tolist()):
        named = [
            (s.metric, _measurement(f, g, int(s.whole[g]), s.empty if rows else Reason.NO_OUTCOMES))
            for s, f in zip(shares, found, strict=True)
        ]
        both = bool((tp + fn)[g] and (tn + fp)[g])
        empty = Reason.ONE_CLASS if rows else Reason.NO_OUTCOMES
        accuracy = _measurement(balanced, g, rows, empty) if both else Measurement.unknown(empty, rows)
        named.insert(4, ("balanced_accuracy", accuracy))
        reason = None if correlated[g] else _why_no_correlation(tables[g])
        m = Measurement.unknown(reason, rows) if reason else _measurement(mcc, g, rows, Reason.NO_OUTCOMES)
        out.append([*named, ("mcc", m)])
    return out


def _measurement(limits: Limits, at: int, n: int, empty: Reason) -> Measurement:
    if n == 0:
        return Measurement.unknown(empty)
    value, low, high = (float(x[at]) for x in limits)
    return Measurement(value, n, (low, high))


def _why_no_correlation(table: Ints) -> Reason:
    if not table.any():
        return Reason.NO_OUTCOMES
    if np.count_nonzero(table.sum(axis=0)) < 2:
        return Reason.ONE_CLASS
    return Reason.NO_PREDICTED_POSITIVES if table[0].any() else Reason.NO_PREDICTED_NEGATIVES
