"""CBPE: the performance of a classifier that is to be expected of a window's scores, before its outcomes are known.

Each row counts as positive with the chance that its calibrated score gives, and as negative with the rest: NannyML's
confidence-based performance estimation, of the kind of Guillory et al., "Predicting with Confidence on Unseen
Distributions", ICCV 2021. All of it is sums over the cells of the score's histogram. It holds as far as the reference's
relation of score and label does: a change in that relation (concept drift) is what it cannot see.

An interval says where the realised figure of these very rows is to be expected: the delta method over the labels' own
chance, p (1 - p) for each row, and over what the reference leaves unknown of p. Rows count as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from detectors.estimation.calibration import Calibrator
from detectors.estimation.terms import Term, decision_deviations, decision_terms, score_deviations, score_terms
from detectors.point import CONFIDENCE, Measurement, Reason
from detectors.summaries.summary import Floats, Ints

Named = tuple[str, Measurement]

_BINARY = (
    "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "mcc",
    "roc_auc", "average_precision", "log_loss", "brier",
)  # fmt: skip
_MACRO = ("balanced_accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "average_precision")
_SCALES = {"mcc": (-1.0, 1.0), "log_loss": (0.0, np.inf)}
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def estimate_binary(scored: Ints, decided: Ints, calibrator: Calibrator | None) -> list[Named]:
    """Eleven estimated metrics of a binary classifier, from the window's rows by cell of the score.

    ``scored`` counts all rows, ``decided`` those whose decision is the positive label; both of shape (cells,), of a
    uniform grid on [0, 1] with the missing in cell 0. Rows without a score are left out. ``n`` is the number of rows
    that the estimate rests on. Brier score and log loss take each score for its cell's centre. Without a calibrator
    nothing is known, for the reason ``no_reference``.

    >>> calibrator = Calibrator.fit(np.array([0, 90, 80, 40, 10]), np.array([0, 10, 20, 60, 90]))
    >>> found = dict(estimate_binary(np.array([0, 50, 50, 50, 50]), np.array([0, 0, 0, 50, 50]), calibrator))
    >>> {metric: round(m.value, 3) for metric, m in found.items() if metric in ("estimated_accuracy", "estimated_f1")}
    {'estimated_accuracy': 0.8, 'estimated_f1': 0.789}
    >>> [round(x, 2) for x in found["estimated_accuracy"].interval]
    [0.74, 0.86]
    """
    if reason := _why_nothing(scored, calibrator):
        return [(f"estimated_{metric}", Measurement.unknown(reason)) for metric in _BINARY]
    assert calibrator is not None
    rows = _by_decision(scored, decided)
    n, chosen = int(rows.sum()), int(rows[1].sum())
    terms, spread = _one_vs_rest(rows, calibrator)
    sizes = dict.fromkeys(_BINARY, n) | {"precision": chosen}
    return [(f"estimated_{m}", _measurement(m, sizes[m], terms[m], spread.get(m, 0.0))) for m in _BINARY]


def estimate_multiclass(scored: Ints, decided: Ints, calibrators: Sequence[Calibrator | None]) -> list[Named]:
    """Estimated accuracy of a classifier with K classes, and the macro averages of its one-vs-rest metrics.

    ``scored[c]`` counts all rows by cell of the score of class c, ``decided[c]`` those whose decision is c; both of
    shape (K, cells). ``calibrators[c]`` is fitted on that score and the labels "c" and "any other". A class without
    one, or without scores, is left out; an average is over the classes in which the metric has a value. The chances of
    the classes are not made to add up to 1 in each row: that would need the rows.

    A row counts once in the accuracy, so its interval is as in the binary case. The histograms do not say how the
    classes go together, so the intervals of the averages take them as wholly correlated: rather too wide.

    >>> calibrators = [Calibrator.fit(np.array([0, 90, 10]), np.array([0, 10, 90]))] * 2
    >>> scored, decided = np.array([[0, 20, 40], [0, 40, 20]]), np.array([[0, 0, 40], [0, 0, 20]])
    >>> round(dict(estimate_multiclass(scored, decided, calibrators))["estimated_accuracy"].value, 3)
    0.9
    """
    reasons = [_why_nothing(s, calibrator) for s, calibrator in zip(scored, calibrators, strict=True)]
    classes = [
        (_by_decision(s, d), calibrator)
        for s, d, calibrator, reason in zip(scored, decided, calibrators, reasons, strict=True)
        if calibrator is not None and reason is None
    ]
    if not classes:
        unknown = Measurement.unknown(next((r for r in reasons if r), Reason.EMPTY_WINDOW))
        return [(f"estimated_{metric}", unknown) for metric in ("accuracy", *_MACRO)]
    n = max(int(rows.sum()) for rows, _ in classes)
    each = [_one_vs_rest(rows, calibrator) for rows, calibrator in classes]
    macro = [(f"estimated_{metric}", _average(metric, n, each)) for metric in _MACRO]
    otherwise = Reason.NO_REFERENCE if Reason.NO_REFERENCE in reasons else Reason.ALL_MISSING
    return [("estimated_accuracy", _accuracy(classes, otherwise)), *macro]


def _accuracy(classes: Sequence[tuple[Floats, Calibrator]], otherwise: Reason) -> Measurement:
    """The share of rows whose decision is their label: the classes' precision, weighted by their decisions."""
    n = sum(float(rows[1].sum()) for rows, _ in classes)
    if not n:
        return Measurement.unknown(otherwise)
    right = variance = 0.0
    for rows, calibrator in classes:
        of_class = float(rows[1] @ calibrator.p)
        right += of_class
        variance += decision_deviations({"": (of_class, np.array([0.0, 1.0]))}, rows, calibrator)[""] ** 2
    return _known("accuracy", int(n), right / n, variance**0.5 / n)


def _average(metric: str, n: int, classes: Sequence[tuple[dict[str, Term], dict[str, float]]]) -> Measurement:
    of_class = "recall" if metric == "balanced_accuracy" else metric          # as its definition for K classes has it
    terms = [(terms[of_class], spread.get(of_class, 0.0)) for terms, spread in classes]
    known = [(term[0], deviation) for term, deviation in terms if not isinstance(term, Reason)]
    if not known:
        return Measurement.unknown(next(term for term, _ in terms if isinstance(term, Reason)), n)
    value, deviation = np.mean(known, axis=0).tolist()
    return _known(metric, n, value, deviation)


def _one_vs_rest(rows: Floats, calibrator: Calibrator) -> tuple[dict[str, Term], dict[str, float]]:
    """All terms of one score, and the deviations of those that have a value."""
    scored = rows.sum(axis=0)
    decisions, scores = decision_terms(rows, calibrator.p), score_terms(scored, calibrator.p)
    spread = decision_deviations(decisions, rows, calibrator) | score_deviations(scores, scored, calibrator)
    return decisions | scores, spread


def _why_nothing(scored: Ints, calibrator: Calibrator | None) -> Reason | None:
    if not scored.any():
        return Reason.EMPTY_WINDOW
    if not scored[1:].any():
        return Reason.ALL_MISSING
    return Reason.NO_REFERENCE if calibrator is None else None


def _by_decision(scored: Ints, decided: Ints) -> Floats:
    """The rows that have a score, by decision and cell: shape (2, cells - 1)."""
    return np.stack([scored - decided, decided])[:, 1:].astype(np.float64)


def _measurement(metric: str, n: int, term: Term, deviation: float) -> Measurement:
    return Measurement.unknown(term, n) if isinstance(term, Reason) else _known(metric, n, term[0], deviation)


def _known(metric: str, n: int, value: float, deviation: float) -> Measurement:
    """Within the metric's scale, for rounding and a normal interval may leave it by a little."""
    low, high = _SCALES.get(metric, (0.0, 1.0))
    value = min(max(value, low), high)
    return Measurement(value, n, (max(value - _Z * deviation, low), min(value + _Z * deviation, high)))
