"""Every performance metric of a model's outcomes, by its task."""

from __future__ import annotations

import numpy as np

from detectors.performance.binary import Named, decision_metrics_by_group
from detectors.performance.business import business_value
from detectors.performance.class_scores import multiclass_scores
from detectors.performance.multiclass import class_decisions, multiclass_decisions
from detectors.performance.ranking import ranking_metrics
from detectors.performance.regression import regression_metrics
from detectors.performance.scores import score_metrics
from detectors.point import Measurement
from detectors.scope import Scope
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints

Placed = tuple[str, Scope, Measurement]


def measure_performance(
    space: Space, outcomes: Ints, sums: Floats, quantile: float | None = None, values: Floats | None = None
) -> list[Placed]:
    """Every performance metric of a model, of each of many classes, and of each segment those that its counts give.

    ``outcomes`` are the dense counts of shape (space.outcome_size,), ``sums`` the dense sums of shape
    (space.outcome_sums.size,). A ``quantile`` that a regression predicts brings its quantile loss, ``values`` of shape
    (decision, label) the business value of a classifier.

    >>> from detectors.summaries.space import example_space
    >>> space = example_space()
    >>> outcomes = np.zeros(space.outcome_size, np.int64)
    >>> space.confusion(outcomes)[1] = [[1, 0], [1, 2]]
    >>> points = measure_performance(space, outcomes, np.zeros(space.outcome_sums.size))
    >>> {metric: m.value for metric, scope, m in points if metric in ("accuracy", "recall")}
    {'accuracy': 0.75, 'recall': 1.0}
    """
    total = space.model_sums(sums)
    if space.task == "regression":
        n = int(space.score_by_label(outcomes)[0, 1:].sum())            # rows that have a predicted value
        by_name = dict(zip(space.sums, total.tolist(), strict=True)) | {"unit": space.unit}
        return [(metric, Scope(), m) for metric, m in regression_metrics(n, by_name, quantile)]
    if space.task == "ranking":
        by_name = dict(zip(space.sums, total.tolist(), strict=True))
        return [(metric, Scope(), m) for metric, m in ranking_metrics(by_name)]
    table = space.confusion(outcomes).sum(axis=0)
    out = [(metric, Scope(), m) for metric, m in _decisions(space, table[None], values)[0]]
    if space.task == "binary_classification":
        out += [(metric, Scope(), m) for metric, m in score_metrics(space.score_by_label(outcomes), total)]
    else:
        out += class_decisions(space.classes, table)
        if space.scores:
            names = [space.columns[i].name.removeprefix("score=") for i in space.scores]
            histograms = np.stack([space.score_by_label(outcomes, i) for i in range(len(names))])
            out += multiclass_scores(names, histograms, total)
    for i, axis in enumerate(space.axes):
        if axis.kind == "segment":
            groups = _decisions(space, space.confusion(outcomes, i)[1:], values)
            for group, named in zip(axis.grid.categories, groups, strict=False):
                scope = Scope(segment=f"{axis.name}={group}")
                out += [(metric, scope, m) for metric, m in named]
    return out


def _decisions(space: Space, tables: Ints, values: Floats | None) -> list[list[Named]]:
    """The metrics of each group's counts, shape (groups, decision, label)."""
    if space.task == "binary_classification":
        groups = decision_metrics_by_group(tables)
    else:
        groups = [list(multiclass_decisions(table)) for table in tables]
    if values is not None:
        for table, named in zip(tables, groups, strict=True):
            named.append(("business_value", business_value(table, values)))
    return groups
