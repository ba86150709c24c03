"""Performance of a classifier of many classes, from counts of decisions by label.

A bare name is the macro average: the mean over the classes, each as important as the other. ``_micro`` counts rows and
``_weighted`` weighs each class with its labels. A class's own figure has the bare name and the scope
``output="label=<class>"``.

The last row and column of a table stand for all classes beyond the declared ones. A row decided or labelled so is
wrong; where both are, nobody knows whether they were the same, and the row is left out. No average is taken over it.

A class's precision is undefined where it is never decided, its recall where it is never the label, its F1 where it is
neither. What is undefined is unknown by class and left out of the averages, as scikit-learn does with
``zero_division=nan``; scikit-learn's own default counts it as 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import numpy as np

from detectors.intervals import Limits, proportion, wilson, wilson_limits
from detectors.performance.delta import Bools, correlations, delta_limits, mover_weighted, one, padded
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.summary import Floats, Ints

Named = tuple[str, Measurement]
Placed = tuple[str, Scope, Measurement]
Numbers = TypeVar("Numbers", Ints, Floats)
How = Literal["macro", "micro", "weighted"]

RATES = {
    "precision": Reason.NO_PREDICTED_POSITIVES,
    "recall": Reason.NO_POSITIVES,
    "specificity": Reason.NO_NEGATIVES,
    "f1": Reason.NO_POSITIVES,
}
"""The rates of a class against all others, each with the reason that it can be undefined."""

# Each rate is one count over another, and each count so many times all rows, those decided the class, those labelled
# so, and those that are both.
_COUNTED = {
    "precision": ((0, 0, 0, 1), (0, 1, 0, 0)),
    "recall": ((0, 0, 0, 1), (0, 0, 1, 0)),
    "specificity": ((1, -1, -1, 1), (1, 0, -1, 0)),
    "f1": ((0, 0, 0, 2), (0, 1, 1, 0)),
}


def class_scope(name: str) -> Scope:
    """The scope of one class's own figures.

    >>> class_scope("cat").text
    'output:label=cat'
    """
    return Scope(output=f"label={name}")


def multiclass_decisions(table: Ints) -> Iterator[Named]:
    """Metrics of a table of shape (classes + 1, classes + 1), by decision and label, the last for other classes.

    Accuracy and the micro averages of precision and recall have Wilson's interval. Macro precision and recall are means
    of proportions of separate rows: MOVER of Wilson's. The others have the delta method's. Where classes have a handful
    of rows each, macro averages are held by 83 to 90 % of their intervals, and that of F1 by fewer.

    >>> table = np.array([[5, 1, 0, 0], [1, 3, 1, 0], [0, 0, 9, 0], [0, 0, 0, 0]])
    >>> found = {metric: round(m.value, 3) for metric, m in multiclass_decisions(table)}
    >>> found["accuracy"], found["precision"], found["recall_weighted"], found["f1"], found["mcc"]
    (0.85, 0.811, 0.85, 0.816, 0.767)
    """
    table = _known(table)
    n, right = int(table.sum()), int(np.trace(table))
    yield "accuracy", proportion(right, n, Reason.NO_OUTCOMES)
    for metric in RATES:
        macro = average(table, metric, "macro")
        yield metric, macro
        if metric == "recall":
            yield "balanced_accuracy", macro
        yield f"{metric}_micro", average(table, metric, "micro")
        yield f"{metric}_weighted", average(table, metric, "weighted")
    correlated, limits = correlations(table[None])
    if correlated[0]:
        value, interval = one(Limits(*(x[0] for x in limits)))
        yield "mcc", Measurement(value, n, interval)
    else:
        one_label = np.count_nonzero(table.sum(axis=0)) < 2
        reason = Reason.ONE_CLASS if one_label else Reason.NO_PREDICTED_POSITIVES
        yield "mcc", Measurement.unknown(reason if n else Reason.NO_OUTCOMES, n)


def class_decisions(classes: Sequence[str], table: Ints) -> Iterator[Placed]:
    """Precision, recall, specificity and F1 of each class against all others, with Wilson's interval.

    >>> table = np.array([[5, 1, 0], [1, 3, 0], [0, 0, 0]])
    >>> [round(m.value, 3) for metric, scope, m in class_decisions(("a", "b"), table) if scope == class_scope("b")]
    [0.75, 0.75, 0.833, 0.75]
    """
    table = _known(table)
    some = table.any()
    for metric, empty in RATES.items():
        above, below = _counts(table, metric)
        if metric == "f1":                          # Wilson's of tp / (tp + fp + fn), of which F1 is a function
            above //= 2
            below -= above
        value, low, high = wilson_limits(above, np.maximum(below, 1))
        if metric == "f1":
            value, low, high = (2 * x / (1 + x) for x in (value, low, high))
        for c, name in enumerate(classes):
            if below[c]:
                m = Measurement(float(value[c]), int(below[c]), (float(low[c]), float(high[c])))
            else:
                m = Measurement.unknown(empty if some else Reason.NO_OUTCOMES)
            yield metric, class_scope(name), m


def average(table: Ints, metric: str, how: How) -> Measurement:
    """One of ``RATES`` over all classes; ``n`` counts the table's rows.

    The table is that of ``multiclass_decisions``, without rows in its last cell.

    >>> average(np.array([[5, 1, 0], [1, 3, 0], [0, 0, 0]]), "precision", "weighted").value
    0.8
    """
    n = int(table.sum())
    above, below = _counts(table, metric)
    defined = below > 0
    weights = _weights(table, defined, how)
    if not weights.any():
        return Measurement.unknown(RATES[metric] if n else Reason.NO_OUTCOMES, n)
    if how == "micro":
        above, below = (np.full(x.shape, x.sum()) for x in (above, below))
    rates = wilson_limits(above, np.maximum(below, 1))
    value = float(weights @ rates.value)
    if metric in ("precision", "recall"):
        if how == "macro":
            return Measurement(value, n, mover_weighted(rates, weights))
        if how == "micro" or metric == "recall":            # the recall weighted with the labels is that of all rows
            return Measurement(value, n, wilson(int(np.trace(table[:-1, :-1])), int(_counts(table, metric)[1].sum())))
    rows = padded(table)
    estimate, gradient = _with_gradient(rows, metric, how, defined)
    return Measurement(value, n, one(delta_limits(np.array(value), np.array(estimate), gradient, rows))[1])


def _known(table: Ints) -> Ints:
    """The table without the rows of which nobody knows whether they are right."""
    known = table.copy()
    known[-1, -1] = 0
    return known


def _counts(table: Numbers, metric: str) -> tuple[Numbers, Numbers]:
    """The two counts of a rate by class, each of shape (classes,)."""
    decided, labelled, both = table.sum(axis=1)[:-1], table.sum(axis=0)[:-1], np.diagonal(table)[:-1]
    above, below = (a * table.sum() + b * decided + c * labelled + d * both for a, b, c, d in _COUNTED[metric])
    return above, below


def _weights(table: Ints | Floats, defined: Bools, how: How) -> Floats:
    """What each class weighs, shape (classes,); all 0 where no class can be averaged."""
    weight = table.sum(axis=0)[:-1] * defined if how == "weighted" else defined
    weights: Floats = weight / max(float(weight.sum()), 1.0)
    return weights


def _with_gradient(table: Floats, metric: str, how: How, defined: Bools) -> tuple[float, Floats]:
    """An average of a padded table, and what one more row in each cell does to it.

    Of ``sum(w * a / b)`` that is ``sum(w / b * (da - v * db))`` with ``v = a / b``, and for weights that are shares of
    labels also ``(v - average) / labels`` of the row's own label.
    """
    above, below = _counts(table, metric)
    if how == "micro":
        above, below = (np.full(x.shape, x[defined].sum()) for x in (above, below))
        weights = defined * 1.0
    else:
        weights = _weights(table, defined, how)
    rate = above / below
    value = float(weights @ rate / weights.sum())
    per_count = np.append(weights / below, 0.0)
    of_above, of_below = _COUNTED[metric]
    gradient = _added(per_count, of_above) - _added(per_count * np.append(rate, 0.0), of_below)
    if how == "weighted":
        gradient[:, :-1] += defined * (rate - value) / (table.sum(axis=0)[:-1] @ defined)
    return value, gradient


def _added(weights: Floats, counted: tuple[int, int, int, int]) -> Floats:
    """What one more row in each cell adds to the weighted sum of a count by class: shape (k, k) from (k,)."""
    every, decided, labelled, both = counted
    added: Floats = every * weights.sum() + decided * weights[:, None] + labelled * weights + both * np.diag(weights)
    return added
