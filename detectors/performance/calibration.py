"""Calibration: how the share of positives follows the score, from the score's histogram by label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtr

from detectors.intervals import Interval, wilson_limits
from detectors.performance.delta import Z
from detectors.summaries.summary import Floats, Ints

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """A bin of the reliability curve: scores in [``lower``, ``upper``), their mean, and the share of positives in
    these ``n`` rows with Wilson's interval."""

    lower: float
    upper: float
    mean_score: float
    rate: float
    n: int
    interval: Interval


def reliability_curve(histogram: Ints, bins: int = CALIBRATION_BINS) -> list[ReliabilityBin]:
    """The share of positives by bin of the score, from its histogram of shape (label, cell); bins without a row are
    left out. Bins are of equal width, each a whole number of cells; the mean score is that of the cells' centres, at
    most half a cell off. DeGroot and Fienberg (1983), The Statistician 32(1).

    >>> [(b.mean_score, b.rate, b.n) for b in reliability_curve(np.array([[0, 3, 0, 0, 1], [0, 1, 0, 0, 3]]), bins=2)]
    [(0.125, 0.25, 4), (0.875, 0.75, 4)]
    """
    negatives, positives, expected = _by_bin(histogram, bins)
    n = negatives + positives
    rate, low, high = (x.tolist() for x in wilson_limits(positives, np.maximum(n, 1)))
    means = (expected / np.maximum(n, 1)).tolist()
    return [
        ReliabilityBin(b / bins, (b + 1) / bins, means[b], rate[b], int(n[b]), (low[b], high[b]))
        for b in np.flatnonzero(n).tolist()
    ]


def calibration_error(histogram: Ints, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error over ``bins`` of equal width, each a whole number of cells; at least one row has a
    score. Naeini, Cooper and Hauskrecht (2015), AAAI. For the decided class of many (top label) the histogram is that
    of the decided class's score by "the decision is right".

    >>> calibration_error(np.array([[0, 0, 5], [0, 5, 0]]), bins=2)
    0.75
    """
    negatives, positives, expected = _by_bin(histogram, bins)
    return float(np.abs(positives - expected).sum() / (negatives + positives).sum())


def calibration_interval(histogram: Ints, bins: int = CALIBRATION_BINS) -> Interval:
    """An interval of the expected calibration error, which is above 0 by chance alone where the model is calibrated.

    The upper limit adds the normal quantile times the root of the summed variances of the bins' gaps, which a sum of
    absolute values cannot exceed. The lower limit also takes off the bias: a gap of d with deviation s is seen as
    E|N(d, s²)|, at most 0.8 s too large, and less the further d is from 0. It is told at a d that is two deviations
    nearer to 0 than seen, so that the limit errs towards calibration; it is 0 where chance alone could make the
    whole value. The interval is for the error over these bins; finer ones would find more.
    """
    negatives, positives, expected = _by_bin(histogram, bins)
    n = float((negatives + positives).sum())
    gaps = np.abs(positives - expected) / n
    deviations = np.sqrt(_variances(histogram, bins)) / n
    value, half = float(gaps.sum()), Z * float(np.linalg.norm(deviations))
    bias = _excess(np.maximum(gaps - 2 * deviations, 0.0), deviations).sum()
    return max(value - float(bias) - half, 0.0), min(value + half, 1.0)


def calibration_p_value(histogram: Ints, bins: int = CALIBRATION_BINS) -> float:
    """How often a calibrated model's bins would lie as far from their scores: chi-square over the bins with rows, as
    Hosmer and Lemeshow (1980), with as many degrees of freedom, for the scores were not fitted to these rows.

    A gap counts only as far as the width of a cell cannot explain it, which matters from a million rows up. Bins in
    which a calibrated model expects under one positive or under one negative are judged together.

    >>> round(calibration_p_value(np.array([[0, 60, 20], [0, 20, 60]]), bins=2), 6)
    1.0
    """
    _, positives, expected = _by_bin(histogram, bins)
    n = histogram[:, 1:].sum(axis=0).reshape(bins, -1).sum(axis=1)
    centres = cell_centres(histogram.shape[1] - 1)
    spread = (histogram[:, 1:].sum(axis=0) * centres * (1 - centres)).reshape(bins, -1).sum(axis=1)
    gaps = positives - expected
    small = spread < 1.0
    if small.any():
        gaps, spread, n = (np.append(x[~small], x[small].sum()) for x in (gaps, spread, n))
    some = spread > 0
    explained = n[some] / (2 * (histogram.shape[1] - 1))
    beyond = np.maximum(np.abs(gaps[some]) - explained, 0.0)
    return float(chdtrc(np.count_nonzero(some), (beyond**2 / spread[some]).sum())) if some.any() else 1.0


def cell_centres(cells: int) -> Floats:
    """The middle of each of the equal cells on [0, 1]."""
    centres: Floats = (np.arange(cells) + 0.5) / cells
    return centres


def _by_bin(histogram: Ints, bins: int) -> tuple[Ints, Ints, Floats]:
    """Negatives, positives and the sum of the scores by bin, each of shape (bins,)."""
    scored = histogram[:, 1:]
    negatives, positives = scored.reshape(2, bins, -1).sum(axis=2)
    expected: Floats = (scored.sum(axis=0) * cell_centres(scored.shape[1])).reshape(bins, -1).sum(axis=1)
    return negatives, positives, expected


def _variances(histogram: Ints, bins: int) -> Floats:
    """The variance of positives minus scores by bin: as seen, and at least what a calibrated model would have."""
    negatives, positives = histogram[:, 1:]
    centres = cell_centres(negatives.size)
    seen = negatives * centres**2 + positives * (1 - centres) ** 2
    calibrated = (negatives + positives) * centres * (1 - centres)
    by_bin = np.stack([seen, calibrated]).reshape(2, bins, -1).sum(axis=2)
    larger: Floats = np.maximum(by_bin[0], by_bin[1])
    return larger


def _excess(gaps: Floats, deviations: Floats) -> Floats:
    """E|N(d, s²)| - d for d >= 0: how much too large a gap of d is seen on average."""
    z = gaps / np.where(deviations > 0, deviations, 1.0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    excess: Floats = 2 * deviations * (density - z * ndtr(-z))
    return excess
