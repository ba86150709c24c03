"""Performance of a score, from its histogram by label and from exact sums of its losses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.special import digamma

from detectors.intervals import Interval, auc_interval, wilson
from detectors.performance.calibration import calibration_error, calibration_interval, cell_centres
from detectors.performance.delta import Z, positive_mean_interval
from detectors.point import Measurement, Reason
from detectors.summaries.summary import Floats, Ints

SCORE_METRICS = ("roc_auc", "average_precision", "log_loss", "brier", "expected_calibration_error")

Named = tuple[str, Measurement]


def score_metrics(histogram: Ints, sums: Floats) -> Iterator[Named]:
    """Metrics of the score, from its histogram of shape (label, cell) and the sums of log loss and Brier score.

    ``n`` counts the rows that have a score. ROC AUC and average precision are those of the scores rounded to their
    cell, at most ``auc_bound`` and ``average_precision_bound`` from the exact ones. Log loss and Brier score are exact;
    the spread for their intervals comes from the histogram. The expected calibration error, over 10 bins of equal
    width, is at most half a cell (0.00025) from the exact one.
    """
    n = int(histogram[:, 1:].sum())
    if n == 0:
        reason = Reason.ALL_MISSING if histogram.sum() else Reason.NO_OUTCOMES
        yield from ((metric, Measurement.unknown(reason)) for metric in SCORE_METRICS)
        return
    scored = histogram[:, 1:]
    yield "roc_auc", roc_auc(histogram)
    yield "average_precision", average_precision(histogram)
    centres = cell_centres(scored.shape[1])
    squared = np.stack([centres**2, (1 - centres) ** 2])
    yield "log_loss", mean_loss(float(sums[0]), _log_losses(centres, scored, float(sums[0])), scored)
    yield "brier", mean_loss(float(sums[1]), squared, scored)
    interval = calibration_interval(histogram)
    yield "expected_calibration_error", Measurement(calibration_error(histogram), n, interval)


def roc_auc(histogram: Ints) -> Measurement:
    """Area under the ROC curve of a histogram in which at least one row has a score; unknown where one label lacks.

    >>> roc_auc(np.array([[0, 3, 1, 0], [0, 0, 2, 2]])).value
    0.9375
    """
    negatives, positives = histogram[:, 1:]
    n = int(negatives.sum() + positives.sum())
    if not (negatives.any() and positives.any()):
        return Measurement.unknown(Reason.ONE_CLASS, n)
    area, interval = auc_interval(negatives, positives)
    return Measurement(area, n, interval)


def auc_bound(histogram: Ints) -> float:
    """How far ROC AUC of the cells can be from that of the exact scores: half the share of pairs within one cell.

    >>> auc_bound(np.array([[0, 3, 1, 0], [0, 0, 2, 2]]))
    0.0625
    """
    negatives, positives = (histogram[i, 1:].astype(np.float64) for i in (0, 1))
    pairs = negatives.sum() * positives.sum()
    return float(negatives @ positives / pairs / 2) if pairs else 0.0


def average_precision(histogram: Ints) -> Measurement:
    """Mean over the positives of the precision at their score, a histogram's rows of one cell being tied.

    The step-wise sum of scikit-learn, without interpolation. It is unknown without a positive, and without a
    negative, where it is 1 whatever the scores. The interval is the delta method's on the logit scale (Boyd, Eng and
    Page (2013), ECML PKDD, recommend that scale), with one more positive that spreads as widely as a share can;
    where all positives come first it is Wilson's for as many rows as there are positives. The estimate is too high on
    average where positives are few: by 0.03 with 20 positives in 1,000 and a score of middling worth.

    >>> average_precision(np.array([[0, 3, 1, 0], [0, 0, 2, 2]])).value
    0.9
    """
    negatives, positives = (x.astype(np.float64) for x in histogram[:, :0:-1])     # the highest score first
    some, none = float(positives.sum()), not negatives.any()
    n = int(some + negatives.sum())
    if not some or none:
        return Measurement.unknown(Reason.ONE_CLASS, n)
    true = np.cumsum(positives)
    chosen = np.maximum(true + np.cumsum(negatives), 1.0)
    precision = true / chosen
    value = min(float(positives @ precision) / some, 1.0)
    # What one more row in a cell does to the sum: to its own precision, and to that of all cells with lower scores.
    lift = np.cumsum((positives * (chosen - true) / chosen**2)[::-1])[::-1]
    drop = np.cumsum((positives * true / chosen**2)[::-1])[::-1]
    variance = float(positives @ (precision + lift - value) ** 2 + negatives @ drop**2) / some**2
    return Measurement(value, n, _logit_interval(value, variance, int(some)))


def average_precision_bound(histogram: Ints) -> float:
    """How far average precision of the cells can be from that of the exact scores, whatever their order in a cell.

    The highest value has the positives of each cell tied above its negatives, the lowest has them one by one below.

    >>> round(average_precision_bound(np.array([[0, 3, 1, 0], [0, 0, 2, 2]])), 6)
    0.1
    """
    negatives, positives = (x.astype(np.float64) for x in histogram[:, :0:-1])
    some = float(positives.sum())
    if not some:
        return 0.0
    true, false = np.cumsum(positives), np.cumsum(negatives)
    before, chosen = true - positives, np.maximum(true + false, 1.0)
    tied = positives * true / chosen
    best = positives * true / np.maximum(true + false - negatives, 1.0)
    # The sum of (before + i) / (before + i + false) over i from 1 to the number of positives.
    worst = positives - false * (digamma(true + false + 1) - digamma(before + false + 1))
    return float(max((best - tied).sum(), (tied - worst).sum(), 0.0)) / some


def mean_loss(total: float, losses: Floats, scored: Ints) -> Measurement:
    """The mean of an exact sum; its spread is that of the rows' ``losses`` by label and cell, in the shape of
    ``scored``, which counts them."""
    n = int(scored.sum())
    mean = max(total, 0.0) / n
    centre = float((losses * scored).sum()) / n
    squares = float(((losses - centre) ** 2 * scored).sum())
    return Measurement(mean, n, positive_mean_interval(max(total, 0.0), squares + n * mean**2, n))


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


def _logit_interval(value: float, variance: float, positives: int) -> Interval:
    room = value * (1 - value)
    if room <= 0.0:
        return wilson(positives, positives)
    at, half = math.log(value / (1 - value)), Z * math.sqrt(variance + room / positives**2) / room
    low, high = (1 / (1 + math.exp(-min(max(x, -700.0), 700.0))) for x in (at - half, at + half))
    return min(low, value), max(high, value)
