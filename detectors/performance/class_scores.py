"""Performance of the scores of many classes, from each class's histogram of its score by "is this class the label".

ROC AUC, average precision and calibration are those of each class against all others; the bare name is the mean over
the classes that have it. The averages' intervals are the means of the classes' limits: they hold however the classes
depend on one another, and are wider than need be where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detectors.performance.calibration import calibration_error, calibration_interval, cell_centres
from detectors.performance.delta import positive_mean_interval
from detectors.performance.multiclass import Named, Placed, class_scope
from detectors.performance.scores import average_precision, mean_loss, roc_auc
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.summary import Floats, Ints


def multiclass_scores(classes: Sequence[str], histograms: Ints, sums: Floats) -> Iterator[Placed]:
    """Metrics of the scores, from histograms of shape (classes, is the label, cell) and the sums of log loss and Brier.

    A row must count in both sums where its label is one of the classes and has a score, and in neither elsewhere.
    The Brier score adds up over the classes, and so lies between 0 and 2. Log loss and Brier score are exact; their
    spread comes from the histograms, that of the Brier score being at most the sum of the classes' deviations.

    >>> histograms = np.zeros((2, 2, 11), int)
    >>> histograms[0, :, 3], histograms[1, :, 8] = (1, 2), (2, 1)       # 0.25 and 0.75, and two of three labels are "a"
    >>> found = {(metric, scope.text): m for metric, scope, m in multiclass_scores(("a", "b"), histograms, np.ones(2))}
    >>> found["roc_auc", "model"].value, found["average_precision", "output:label=a"].value
    (0.5, 0.6666666666666666)
    """
    by_class = [dict(_class_scores(h)) for h in histograms]
    labelled = histograms[:, 1].sum(axis=1)
    for metric in ("roc_auc", "average_precision", "expected_calibration_error"):
        each = [found[metric] for found in by_class]
        yield metric, Scope(), _mean(each, np.ones(len(each)))
        if metric == "roc_auc":
            yield "roc_auc_weighted", Scope(), _mean(each, labelled)
        yield from ((metric, class_scope(name), m) for name, m in zip(classes, each, strict=True))
    yield "log_loss", Scope(), _log_loss(histograms, float(sums[0]))
    yield "brier", Scope(), _brier(histograms, float(sums[1]))


def _class_scores(histogram: Ints) -> Iterator[Named]:
    n = int(histogram[:, 1:].sum())
    if n == 0:
        nothing = Measurement.unknown(_no_scores(histogram))
        yield from ((metric, nothing) for metric in ("roc_auc", "average_precision", "expected_calibration_error"))
        return
    yield "roc_auc", roc_auc(histogram)
    yield "average_precision", average_precision(histogram)
    error, interval = calibration_error(histogram), calibration_interval(histogram)
    yield "expected_calibration_error", Measurement(error, n, interval)


def _no_scores(histograms: Ints) -> Reason:
    return Reason.ALL_MISSING if histograms.any() else Reason.NO_OUTCOMES


def _mean(each: list[Measurement], weights: Ints | Floats) -> Measurement:
    """The weighted mean of the classes that have the metric; ``n`` is that of the class with the most rows."""
    n = max(m.n for m in each)
    known = [(m.value, m.interval, w) for m, w in zip(each, weights.tolist(), strict=True) if m.value is not None and w]
    if not known:
        reason = next((m.reason for m in each if m.n and m.reason is not None), each[0].reason)
        return Measurement.unknown(reason or Reason.NO_OUTCOMES, n)
    total = sum(w for _, _, w in known)
    value = sum(v * w for v, _, w in known) / total
    limits = [(i[0] * w, i[1] * w) for _, i, w in known if i is not None]
    low, high = (sum(limit) / total for limit in zip(*limits, strict=True))
    return Measurement(value, n, (min(low, value), max(high, value)))


def _log_loss(histograms: Ints, total: float) -> Measurement:
    scored = histograms[:, 1, 1:].sum(axis=0)                   # the score of the row's own label
    if not scored.any():
        return Measurement.unknown(_no_scores(histograms))
    losses = -np.log(cell_centres(scored.size))
    beyond = total - float(losses @ scored)
    if scored[0] and beyond > 0:                                # a score of 0 costs far more than its cell's centre
        losses[0] += beyond / int(scored[0])
    return mean_loss(total, losses, scored)


def _brier(histograms: Ints, total: float) -> Measurement:
    n = int(histograms[:, 1, 1:].sum())
    if not n:
        return Measurement.unknown(_no_scores(histograms))
    centres = cell_centres(histograms.shape[2] - 1)
    losses = np.stack([centres**2, (1 - centres) ** 2])
    scored = histograms[:, :, 1:]
    rows = np.maximum(scored.sum(axis=(1, 2)), 1)
    means = (losses * scored).sum(axis=(1, 2)) / rows
    variances = (losses**2 * scored).sum(axis=(1, 2)) / rows - means**2
    deviation = float(np.sqrt(np.maximum(variances, 0.0)).sum())
    total = max(total, 0.0)
    return Measurement(total / n, n, positive_mean_interval(total, n * ((total / n) ** 2 + deviation**2), n))
