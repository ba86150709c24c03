"""Metrics of expected counts and their gradients: what one more positive label among the rows of a cell would add.

``p`` is the chance of a positive label by cell of the score, the missing cell left out. Metrics of decisions take the
rows by decision (0, 1) and cell, shape (2, cells - 1), and their gradient is by decision, shape (2,). Metrics of the
score take the rows by cell, shape (cells - 1,), and so is their gradient.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.estimation.calibration import Calibrator
from detectors.point import Reason
from detectors.summaries.summary import Floats

Term = tuple[float, Floats] | Reason
"""A metric's value and gradient, or why it has none."""


def decision_terms(rows: Floats, p: Floats) -> dict[str, Term]:
    """The metrics of the expected confusion table; ``rows`` has at least one row.

    >>> terms = decision_terms(np.array([[10.0, 0.0], [0.0, 30.0]]), np.array([0.2, 0.9]))
    >>> [round(terms[metric][0], 3) for metric in ("accuracy", "precision", "recall", "specificity")]
    [0.875, 0.9, 0.931, 0.727]
    """
    (tn, fp), (fn, tp) = (rows @ (1 - p)).tolist(), (rows @ p).tolist()
    refused, chosen = rows.sum(axis=1).tolist()
    positives, negatives, n = fn + tp, tn + fp, refused + chosen
    terms: dict[str, Term] = {"accuracy": ((tn + tp) / n, _gradient(-1 / n, 1 / n))}
    terms["precision"] = (tp / chosen, _gradient(0.0, 1 / chosen)) if chosen else Reason.NO_PREDICTED_POSITIVES
    recall = (tp / positives, _gradient(-tp, fn) / positives**2) if positives else Reason.NO_POSITIVES
    specificity = (tn / negatives, _gradient(-fp, tn) / negatives**2) if negatives else Reason.NO_NEGATIVES
    terms |= {"recall": recall, "specificity": specificity}
    part = chosen + positives
    terms["f1"] = (2 * tp / part, 2 * _gradient(-tp, part - tp) / part**2) if part else Reason.NO_POSITIVES
    if isinstance(recall, Reason) or isinstance(specificity, Reason):
        return terms | {"balanced_accuracy": Reason.ONE_CLASS, "mcc": Reason.ONE_CLASS}
    terms["balanced_accuracy"] = (recall[0] + specificity[0]) / 2, (recall[1] + specificity[1]) / 2
    if not (refused and chosen):
        return terms | {"mcc": Reason.NO_PREDICTED_NEGATIVES if chosen else Reason.NO_PREDICTED_POSITIVES}
    scale = math.sqrt(chosen * refused) * math.sqrt(positives * negatives)
    mcc = (tp * refused - chosen * fn) / scale
    terms["mcc"] = mcc, _gradient(-chosen, refused) / scale - mcc / 2 * (1 / positives - 1 / negatives)
    return terms


def score_terms(rows: Floats, p: Floats) -> dict[str, Term]:
    """The metrics of the score, by cell alone: ``rows`` of shape (cells - 1,), at least one of them.

    ROC AUC and average precision are those of the cells, each row taken for a positive of weight p and a negative of
    weight 1 - p.

    >>> {metric: round(term[0], 3) for metric, term in score_terms(np.array([5.0, 5.0]), np.array([0.2, 0.8])).items()}
    {'brier': 0.163, 'log_loss': 0.507, 'roc_auc': 0.8, 'average_precision': 0.74}
    """
    n, positive, negative = float(rows.sum()), rows * p, rows * (1 - p)
    positives, negatives = float(positive.sum()), float(negative.sum())
    centres = (np.arange(rows.size) + 0.5) / rows.size
    if_positive, if_negative = -np.log(centres), -np.log1p(-centres)
    terms: dict[str, Term] = {
        "brier": (float(positive @ (1 - centres) ** 2 + negative @ centres**2) / n, (1 - 2 * centres) / n),
        "log_loss": (float(positive @ if_positive + negative @ if_negative) / n, (if_positive - if_negative) / n),
    }
    pairs = positives * negatives
    if pairs:
        below = np.cumsum(negative) - negative / 2
        above = positives - np.cumsum(positive) + positive / 2
        area = float(positive @ below) / pairs
        terms["roc_auc"] = area, (below - above) / pairs - area * (1 / positives - 1 / negatives)
    else:
        terms["roc_auc"] = Reason.ONE_CLASS
    if positives:
        at_least = np.maximum(np.cumsum(rows[::-1])[::-1], 1.0)         # 0 above the highest score: 0 of 1 there
        precision = np.cumsum(positive[::-1])[::-1] / at_least
        average = float(positive @ precision) / positives
        terms["average_precision"] = average, (precision + np.cumsum(positive / at_least) - average) / positives
    else:
        terms["average_precision"] = Reason.NO_POSITIVES
    return terms


def decision_deviations(terms: dict[str, Term], rows: Floats, calibrator: Calibrator) -> dict[str, float]:
    """The standard deviation of each decision term that has a value, from two sources independent of each other.

    The labels of the window's rows: p (1 - p) each. The reference: the noise of each level of its calibration moves the
    chance of all rows of that level together.
    """
    names, gradients = _gradients(terms)
    own = gradients**2 @ (rows @ (calibrator.p * (1 - calibrator.p)))
    shifts = gradients @ np.add.reduceat(rows, calibrator.starts, axis=1)
    return dict(zip(names, np.sqrt(own + shifts**2 @ calibrator.noise).tolist(), strict=True))


def score_deviations(terms: dict[str, Term], rows: Floats, calibrator: Calibrator) -> dict[str, float]:
    """The same of score terms, with their rows."""
    names, gradients = _gradients(terms)
    own = gradients**2 @ (rows * calibrator.p * (1 - calibrator.p))
    shifts = np.add.reduceat(gradients * rows, calibrator.starts, axis=1)
    return dict(zip(names, np.sqrt(own + shifts**2 @ calibrator.noise).tolist(), strict=True))


def _gradients(terms: dict[str, Term]) -> tuple[list[str], Floats]:
    known = {metric: term[1] for metric, term in terms.items() if not isinstance(term, Reason)}
    return list(known), np.stack(list(known.values()))


def _gradient(refused: float, chosen: float) -> Floats:
    return np.array([refused, chosen])
