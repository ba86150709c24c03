"""Performance of a binary classifier or a regression, from counts and sums of outcomes.

Counts of decisions by label give the exact metrics. The score's histogram by label gives ROC AUC and calibration, each
with a stated bound. Log loss, Brier score and a regression's errors are exact sums over the rows. What the data leave
undefined is unknown with its reason, and never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from detectors.intervals import Limits, auc_interval, mean_interval, mover_mean, proportion, wilson, wilson_limits
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints

CALIBRATION_BINS = 10

Named = tuple[str, Measurement]


def measure_performance(space: Space, outcomes: Ints, sums: Floats) -> list[tuple[str, Scope, Measurement]]:
    """Every performance metric of a model, and of each segment the three that its counts give.

    ``outcomes`` are the dense counts of shape (space.outcome_size,), ``sums`` the loss sums of shape
    (len(space.sums),) in the order of ``space.sums``.

    >>> from detectors.summaries.fold import fold_outcomes
    >>> from detectors.summaries.space import example_space
    >>> space, scores = example_space(), np.array([0.2, 0.6, 0.7, 0.9])
    >>> decisions, labels = (scores >= 0.5).astype(int), np.array([0, 0, 1, 1])
    >>> one = np.ones(4, np.int64)
    >>> folded = fold_outcomes(space, space.output.grid.cells(scores), [one, one], decisions, labels, scores)
    >>> points = measure_performance(space, folded.dense(space.outcome_size), folded.sums)
    >>> {metric: m.value for metric, scope, m in points if metric in ("accuracy", "recall", "roc_auc")}
    {'accuracy': 0.75, 'recall': 1.0, 'roc_auc': 1.0}
    """
    if space.task == "regression":
        n = int(space.score_by_label(outcomes)[0, 1:].sum())            # rows that have a predicted value
        return [(metric, Scope(), m) for metric, m in regression_metrics(n, sums)]
    out = [(metric, Scope(), m) for metric, m in decision_metrics(space.confusion(outcomes).sum(axis=0))]
    out += [(metric, Scope(), m) for metric, m in score_metrics(space.score_by_label(outcomes), sums)]
    for i, axis in enumerate(space.axes):
        if axis.kind == "segment":
            tables = space.confusion(outcomes, i)
            for group, table in zip(axis.grid.categories, tables[1:], strict=False):
                scope = Scope(segment=f"{axis.name}={group}")
                out += [(metric, scope, m) for metric, m in _rates(table) if metric != "specificity"]
    return out


def decision_metrics(table: Ints) -> Iterator[Named]:
    """Metrics of a confusion table of shape (decision, label), each with the number of rows in its denominator.

    Proportions have Wilson's interval. Balanced accuracy, the mean of two, has MOVER's. F1 has Wilson's of
    ``tp / (tp + fp + fn)``, of which it is an increasing function; true negatives are no part of it, and so not of its
    ``n``. The Matthews correlation has no interval here.

    >>> {metric: round(m.value, 3) for metric, m in decision_metrics(np.array([[50, 10], [5, 35]]))}
    {'accuracy': 0.85, 'precision': 0.875, 'recall': 0.778, 'specificity': 0.909,
     'balanced_accuracy': 0.843, 'f1': 0.824, 'mcc': 0.698}
    """
    (tn, fn), (fp, tp) = table.tolist()
    n = tn + fn + fp + tp
    yield from _rates(table)
    if n == 0 or not (tp + fn and tn + fp):
        nothing = Measurement.unknown(Reason.ONE_CLASS if n else Reason.NO_OUTCOMES, n)
        yield "balanced_accuracy", nothing
    else:
        rates = wilson_limits(np.array([tp, tn]), np.array([tp + fn, tn + fp]))
        both = mover_mean(*(Limits(*(x[i] for x in rates)) for i in (0, 1)))
        yield "balanced_accuracy", Measurement(float(both.value), n, (float(both.lower), float(both.upper)))
    part = tp + fp + fn
    if part == 0:
        yield "f1", Measurement.unknown(Reason.NO_POSITIVES if n else Reason.NO_OUTCOMES)
    else:
        low, high = (2 * x / (1 + x) for x in wilson(tp, part))
        yield "f1", Measurement(2 * tp / (part + tp), part, (low, high))
    if reason := _why_no_correlation(tp, fp, fn, tn):
        yield "mcc", Measurement.unknown(reason, n)
    else:
        scale = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        yield "mcc", Measurement(min(max((tp * tn - fp * fn) / scale, -1.0), 1.0), n)


def score_metrics(histogram: Ints, sums: Floats) -> Iterator[Named]:
    """Metrics of the score, from its histogram of shape (label, cell) and the sums of log loss and Brier score.

    ``n`` counts the rows that have a score. ROC AUC is that of the scores rounded to their cell, at most
    ``auc_bound`` from the exact one. Log loss and Brier score are exact; the spread for their intervals comes from the
    histogram. The expected calibration error, over 10 bins of equal width, is at most half a cell (0.00025) from the
    exact one; it has no interval, for it is above 0 by chance alone even where the model is calibrated.
    """
    scored = histogram[:, 1:]
    n = int(scored.sum())
    reason = Reason.ALL_MISSING if histogram.sum() else Reason.NO_OUTCOMES
    if n == 0:
        for metric in ("roc_auc", "log_loss", "brier", "expected_calibration_error"):
            yield metric, Measurement.unknown(reason)
        return
    if scored.sum(axis=1).all():
        area, interval = auc_interval(scored[0], scored[1])
        yield "roc_auc", Measurement(area, n, interval)
    else:
        yield "roc_auc", Measurement.unknown(Reason.ONE_CLASS, n)
    centres = (np.arange(scored.shape[1]) + 0.5) / scored.shape[1]
    squared = np.stack([centres**2, (1 - centres) ** 2])
    yield "log_loss", _mean_loss(float(sums[0]), _log_losses(centres, scored, float(sums[0])), scored)
    yield "brier", _mean_loss(float(sums[1]), squared, scored)
    yield "expected_calibration_error", Measurement(calibration_error(histogram), n)


def auc_bound(histogram: Ints) -> float:
    """How far ROC AUC of the cells can be from that of the exact scores: half the share of pairs within one cell.

    >>> auc_bound(np.array([[0, 3, 1, 0], [0, 0, 2, 2]]))
    0.0625
    """
    negatives, positives = (histogram[i, 1:].astype(np.float64) for i in (0, 1))
    pairs = negatives.sum() * positives.sum()
    return float(negatives @ positives / pairs / 2) if pairs else 0.0


def calibration_error(histogram: Ints, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error over ``bins`` of equal width, each a whole number of cells; at least one row has a
    score. Naeini, Cooper and Hauskrecht (2015), AAAI.

    >>> calibration_error(np.array([[0, 0, 5], [0, 5, 0]]), bins=2)
    0.75
    """
    scored = histogram[:, 1:]
    cells = scored.shape[1]
    centres = (np.arange(cells) + 0.5) / cells
    positives = scored[1].reshape(bins, -1).sum(axis=1)
    expected = (scored.sum(axis=0) * centres).reshape(bins, -1).sum(axis=1)
    return float(np.abs(positives - expected).sum() / scored.sum())


def regression_metrics(n: int, sums: Floats) -> Iterator[Named]:
    """Errors of a regression from its six sums over ``n`` rows. The error is predicted minus actual: a positive
    ``bias`` says that the model predicts too much.

    Intervals of means are Student's; that of RMSE is the root of that of MSE, from the fourth powers. R squared has
    none, and is unknown where the actual values do not differ.

    >>> sums = np.array([1.0, 3.0, 5.0, 17.0, 15.0, 75.0])           # 4, 5 and 7 predicted for 5, 5 and 5
    >>> {metric: m.value and round(m.value, 3) for metric, m in regression_metrics(3, sums)}
    {'mae': 1.0, 'mse': 1.667, 'rmse': 1.291, 'bias': 0.333, 'r2': None}
    """
    if n == 0:
        for metric in ("mae", "mse", "rmse", "bias", "r2"):
            yield metric, Measurement.unknown(Reason.NO_OUTCOMES)
        return
    error, absolute, squared, fourth, actual, squared_actual = sums.tolist()
    absolute, squared = max(absolute, 0.0), max(squared, 0.0)           # a large row taken back leaves its rounding
    mse = squared / n
    mse_interval = _not_negative(mean_interval(squared, fourth, n))
    yield "mae", Measurement(absolute / n, n, _not_negative(mean_interval(absolute, squared, n)))
    yield "mse", Measurement(mse, n, mse_interval)
    root = None if mse_interval is None else (mse_interval[0] ** 0.5, mse_interval[1] ** 0.5)
    yield "rmse", Measurement(mse**0.5, n, root)
    yield "bias", Measurement(error / n, n, mean_interval(error, squared, n))
    mean = actual / n
    spread = squared_actual - actual * mean
    # Below what rounding can leave (each addend to 2**-36, each addition to a double's 53 bits) the spread is nothing.
    if spread <= n * (2.0**-36 * (1 + abs(mean)) + 2.0**-51 * squared_actual):
        yield "r2", Measurement.unknown(Reason.ZERO_DENOMINATOR, n)
    else:
        yield "r2", Measurement(1 - squared / spread, n)


def _rates(table: Ints) -> Iterator[Named]:
    (tn, fn), (fp, tp) = table.tolist()
    some = tn + fn + fp + tp > 0
    yield "accuracy", proportion(tp + tn, tn + fn + fp + tp, Reason.NO_OUTCOMES)
    for metric, k, n, reason in (
        ("precision", tp, tp + fp, Reason.NO_PREDICTED_POSITIVES),
        ("recall", tp, tp + fn, Reason.NO_POSITIVES),
        ("specificity", tn, tn + fp, Reason.NO_NEGATIVES),
    ):
        yield metric, proportion(k, n, reason if some else Reason.NO_OUTCOMES)


def _why_no_correlation(tp: int, fp: int, fn: int, tn: int) -> Reason | None:
    if tp + fp + fn + tn == 0:
        return Reason.NO_OUTCOMES
    if not (tp + fn and tn + fp):
        return Reason.ONE_CLASS
    if tp + fp == 0:
        return Reason.NO_PREDICTED_POSITIVES
    return Reason.NO_PREDICTED_NEGATIVES if tn + fn == 0 else None


def _log_losses(centres: Floats, scored: Ints, total: float) -> Floats:
    """The loss of a row of each label and cell, shape (2, cells): that of the cell's centre.

    Only in the outermost cell on the wrong side may a loss be far more (a score of exactly 0 costs 34.5, the cell's
    centre 8.3), so what the exact total has beyond the centres' is shared out there.
    """
    losses: Floats = -np.log(np.stack([1 - centres, centres]))
    at = (np.array([0, 1]), np.array([-1, 0]))
    misses = int(scored[at].sum())
    beyond = total - float((losses * scored).sum())
    if misses and beyond > 0:
        losses[at] += beyond / misses
    return losses


def _mean_loss(total: float, losses: Floats, scored: Ints) -> Measurement:
    """The mean of an exact sum; its spread is that of the rows' losses by cell."""
    n = int(scored.sum())
    mean = max(total, 0.0) / n
    interval = None
    if n > 1:
        centre = float((losses * scored).sum()) / n
        squares = float(((losses - centre) ** 2 * scored).sum())
        interval = _not_negative(mean_interval(total, squares + n * mean**2, n))
    return Measurement(mean, n, interval)


def _not_negative(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (max(interval[0], 0.0), interval[1])
