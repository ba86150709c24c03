"""Performance, from counts and sums of outcomes: of a classifier of two or many classes, a regression, a ranking.

Counts of decisions by label give the exact metrics. A score's histogram by label gives ROC AUC, average precision and
calibration, each with a stated bound. Log loss, Brier score and a regression's errors are exact sums over the rows.
Each has an interval. What the data leave undefined is unknown with its reason, and never 0.
"""

from detectors.performance.binary import decision_metrics, decision_metrics_by_group
from detectors.performance.business import business_value
from detectors.performance.calibration import (
    ReliabilityBin,
    calibration_error,
    calibration_p_value,
    reliability_curve,
)
from detectors.performance.class_scores import multiclass_scores
from detectors.performance.measure import measure_performance
from detectors.performance.multiclass import class_decisions, class_scope, multiclass_decisions
from detectors.performance.ranking import ranking_losses, ranking_metrics
from detectors.performance.regression import regression_metrics
from detectors.performance.scores import auc_bound, average_precision_bound, score_metrics

__all__ = [
    "ReliabilityBin",
    "auc_bound",
    "average_precision_bound",
    "business_value",
    "calibration_error",
    "calibration_p_value",
    "class_decisions",
    "class_scope",
    "decision_metrics",
    "decision_metrics_by_group",
    "measure_performance",
    "multiclass_decisions",
    "multiclass_scores",
    "ranking_losses",
    "ranking_metrics",
    "regression_metrics",
    "reliability_curve",
    "score_metrics",
]
