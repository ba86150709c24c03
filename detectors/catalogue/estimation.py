"""Performance without outcomes: what scores and inputs let one expect, before anybody knows the truth."""

from __future__ import annotations

from detectors.catalogue.entry import BINARY, CLASSIFICATION, HIGHER, LOWER, REFERENCE, REGRESSION, Entry

_SCORES = ("predictions", "scores", "reference")
_DELTA = "of the realised figure: the labels' chance and calibration noise, delta method"
_MISS = "of the realised figure: spread, coefficients, misses on held-out tenths of the reference"
_CBPE = "confidence-based performance estimation (docs/estimation.md)"
_DIRECT = "direct loss estimation, with an additive model of the loss (docs/estimation.md)"

ENTRIES: tuple[Entry, ...] = (
    Entry("estimated_accuracy", "estimation", "share", LOWER, _SCORES, _DELTA,
          _CBPE, "Accuracy that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_balanced_accuracy", "estimation", "share", LOWER, _SCORES, _DELTA,
          _CBPE, "Balanced accuracy that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_precision", "estimation", "share", LOWER, _SCORES, _DELTA,
          _CBPE, "Precision that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_recall", "estimation", "share", LOWER, _SCORES, _DELTA,
          _CBPE, "Recall that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_specificity", "estimation", "share", LOWER, _SCORES, _DELTA,
          _CBPE, "Specificity that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_f1", "estimation", "0 to 1", LOWER, _SCORES, _DELTA,
          _CBPE, "F1 that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_mcc", "estimation", "-1 to 1", LOWER, _SCORES, _DELTA,
          _CBPE, "Matthews correlation that the scores let one expect.", tasks=(BINARY,)),
    Entry("estimated_roc_auc", "estimation", "0 to 1", LOWER, _SCORES, _DELTA,
          _CBPE, "ROC AUC that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_average_precision", "estimation", "0 to 1", LOWER, _SCORES, _DELTA,
          _CBPE, "Average precision that the scores let one expect.", tasks=CLASSIFICATION),
    Entry("estimated_log_loss", "estimation", "nats", HIGHER, _SCORES, _DELTA,
          _CBPE, "Log loss that the scores let one expect.", tasks=(BINARY,)),
    Entry("estimated_brier", "estimation", "0 to 1", HIGHER, _SCORES, _DELTA,
          _CBPE, "Brier score that the scores let one expect.", tasks=(BINARY,)),
    Entry("estimated_mae", "estimation", "the target's unit", HIGHER, REFERENCE, _MISS,
          _DIRECT, "Mean absolute error that the inputs let one expect.", tasks=(REGRESSION,)),
    Entry("estimated_rmse", "estimation", "the target's unit", HIGHER, REFERENCE, _MISS,
          _DIRECT, "Root mean squared error that the inputs let one expect.", tasks=(REGRESSION,)),
)  # fmt: skip
