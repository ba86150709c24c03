"""The catalogue: what each metric is called, measured in, needs and rests on. One entry for each name on the wire.

``needs`` names the data a metric is made from: ``predictions``, ``reference``, ``outcomes`` (labels or actual values),
``scores`` and ``protected_attributes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher is worse", "lower is worse"]
Family = Literal["drift", "quality", "performance", "fairness"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric. ``direction`` is ``None`` where neither way is worse in itself; ``interval`` where it has none."""

    name: str
    family: Family
    unit: str
    direction: Direction | None
    needs: tuple[str, ...]
    interval: str | None
    source: str
    description: str


_HIGHER: Direction = "higher is worse"
_LOWER: Direction = "lower is worse"
_REFERENCE = ("predictions", "reference")
_PREDICTIONS = ("predictions",)
_OUTCOMES = ("outcomes",)
_SCORES = ("outcomes", "scores")
_GROUPS = ("outcomes", "protected_attributes")
_SELECTED = ("predictions", "protected_attributes")

_NOISE = "of the effect without the noise that blocks of the reference show"
_WILSON = "Wilson"
_STUDENT = "Student"
_NEWCOMBE = "Newcombe's method 10 over all pairs, Bonferroni"
_DONNER_ZOU = "MOVER of the ratio over all pairs, Bonferroni"

_CONFUSION = "Fawcett (2006), Pattern Recognition Letters 27(8)"
_REGRESSION = "Hyndman and Koehler (2006), Int. J. Forecasting 22(4)"
_RATES_SOURCE = "Verma and Rubin (2018), FairWare"
_PARITY = "Dwork et al. (2012), ITCS"
_ODDS = "Hardt, Price and Srebro (2016), NeurIPS"

_ENTRIES = (
    Entry("psi", "drift", "nats", _HIGHER, _REFERENCE, _NOISE, "Siddiqi (2006), Credit Risk Scorecards",
          "Population stability index over the reference's deciles, or its categories."),
    Entry("jensen_shannon", "drift", "0 to 1", _HIGHER, _REFERENCE, _NOISE, "Lin (1991), IEEE Trans. Inf. Theory 37(1)",
          "Jensen-Shannon distance, base 2, over the same bins as the population stability index."),
    Entry("kolmogorov_smirnov", "drift", "0 to 1", _HIGHER, _REFERENCE, _NOISE, "Smirnov (1948), Ann. Math. Stat. 19",
          "Largest distance between the two distribution functions of a numeric column."),
    Entry("chi_square", "drift", "statistic", _HIGHER, _REFERENCE, None, "Pearson (1900), Philosophical Magazine 50",
          "Pearson's statistic of homogeneity of a categorical column; it grows with the number of rows."),
    Entry("missing_rate", "quality", "share", _HIGHER, _PREDICTIONS, _WILSON, "ISO/IEC 25012, completeness",
          "Share of rows in which the column has no value."),
    Entry("unseen_category_rate", "quality", "share", _HIGHER, _REFERENCE, _WILSON, "ISO/IEC 25012, consistency",
          "Share of values that are a category which the reference does not have."),
    Entry("out_of_range_rate", "quality", "share", _HIGHER, _REFERENCE, _WILSON, "ISO/IEC 25012, accuracy",
          "Share of values below the reference's smallest or above its largest."),
    Entry("row_count", "quality", "rows", None, _PREDICTIONS, None, "a count",
          "Predictions in the window."),
    Entry("label_coverage", "quality", "share", _LOWER, ("predictions", "outcomes"), None, "a share",
          "Share of predictions whose outcome is known."),
    Entry("accuracy", "performance", "share", _LOWER, _OUTCOMES, _WILSON, _CONFUSION,
          "Share of decisions that are right; also by group."),
    Entry("balanced_accuracy", "performance", "share", _LOWER, _OUTCOMES, "MOVER of the mean", _CONFUSION,
          "Mean of recall and specificity."),
    Entry("precision", "performance", "share", _LOWER, _OUTCOMES, _WILSON, _CONFUSION,
          "Share of predicted positives that are positive."),
    Entry("recall", "performance", "share", _LOWER, _OUTCOMES, _WILSON, _CONFUSION,
          "Share of positives that are predicted so."),
    Entry("specificity", "performance", "share", _LOWER, _OUTCOMES, _WILSON, _CONFUSION,
          "Share of negatives that are predicted so."),
    Entry("f1", "performance", "0 to 1", _LOWER, _OUTCOMES, "Wilson of tp / (tp + fp + fn)",
          "van Rijsbergen (1979), Information Retrieval", "Harmonic mean of precision and recall."),
    Entry("mcc", "performance", "-1 to 1", _LOWER, _OUTCOMES, None, "Matthews (1975), Biochim. Biophys. Acta 405(2)",
          "Correlation of decision and label."),
    Entry("roc_auc", "performance", "0 to 1", _LOWER, _SCORES, "DeLong's variance, Wilson's form",
          "Hanley and McNeil (1982), Radiology 143", "Chance that a positive scores above a negative, ties half."),
    Entry("log_loss", "performance", "nats", _HIGHER, _SCORES, _STUDENT, "Good (1952), J. R. Stat. Soc. B 14(1)",
          "Mean negative log likelihood of the label, scores clipped to [1e-15, 1 - 1e-15]."),
    Entry("brier", "performance", "0 to 1", _HIGHER, _SCORES, _STUDENT, "Brier (1950), Monthly Weather Review 78(1)",
          "Mean squared distance of score and label."),
    Entry("expected_calibration_error", "performance", "0 to 1", _HIGHER, _SCORES, None,
          "Naeini, Cooper and Hauskrecht (2015), AAAI",
          "Mean distance of score and share of positives over 10 bins of equal width."),
    Entry("mae", "performance", "the target's unit", _HIGHER, _OUTCOMES, _STUDENT, _REGRESSION,
          "Mean absolute error."),
    Entry("mse", "performance", "the target's unit, squared", _HIGHER, _OUTCOMES, _STUDENT, _REGRESSION,
          "Mean squared error."),
    Entry("rmse", "performance", "the target's unit", _HIGHER, _OUTCOMES, "root of MSE's", _REGRESSION,
          "Root of the mean squared error."),
    Entry("bias", "performance", "the target's unit", None, _OUTCOMES, _STUDENT, _REGRESSION,
          "Mean of predicted minus actual: above 0 the model predicts too much."),
    Entry("r2", "performance", "at most 1", _LOWER, _OUTCOMES, None, "Wright (1921), J. Agricultural Research 20(7)",
          "Share of the actual values' variance that the model explains."),
    Entry("selection_rate", "fairness", "share", None, _SELECTED, _WILSON, _RATES_SOURCE,
          "Share of the group to whom the model gives the favourable label."),
    Entry("true_positive_rate", "fairness", "share", _LOWER, _GROUPS, _WILSON, _RATES_SOURCE,
          "Share selected among those of the group whose outcome is favourable."),
    Entry("false_negative_rate", "fairness", "share", _HIGHER, _GROUPS, _WILSON, _RATES_SOURCE,
          "Share not selected among those of the group whose outcome is favourable."),
    Entry("false_positive_rate", "fairness", "share", _HIGHER, _GROUPS, _WILSON, _RATES_SOURCE,
          "Share selected among those of the group whose outcome is not favourable."),
    Entry("true_negative_rate", "fairness", "share", _LOWER, _GROUPS, _WILSON, _RATES_SOURCE,
          "Share not selected among those of the group whose outcome is not favourable."),
    Entry("positive_predictive_value", "fairness", "share", _LOWER, _GROUPS, _WILSON, _RATES_SOURCE,
          "Share with a favourable outcome among the selected of the group."),
    Entry("demographic_parity_difference", "fairness", "share", _HIGHER, _SELECTED, _NEWCOMBE, _PARITY,
          "Largest minus smallest selection rate of the groups."),
    Entry("demographic_parity_ratio", "fairness", "0 to 1", _LOWER, _SELECTED, _DONNER_ZOU,
          "29 CFR 1607.4(D), the four-fifths rule", "Smallest selection rate over the largest."),
    Entry("equal_opportunity_difference", "fairness", "share", _HIGHER, _GROUPS, _NEWCOMBE, _ODDS,
          "Largest minus smallest true positive rate of the groups."),
    Entry("equalized_odds_difference", "fairness", "share", _HIGHER, _GROUPS, _NEWCOMBE, _ODDS,
          "The larger of the differences in true positive and in false positive rate."),
    Entry("equalized_odds_ratio", "fairness", "0 to 1", _LOWER, _GROUPS, _DONNER_ZOU, _ODDS,
          "The smaller of the ratios of true positive and of false positive rates."),
    Entry("predictive_parity_difference", "fairness", "share", _HIGHER, _GROUPS, _NEWCOMBE,
          "Chouldechova (2017), Big Data 5(2)", "Largest minus smallest positive predictive value of the groups."),
    Entry("accuracy_difference", "fairness", "share", _HIGHER, _GROUPS, _NEWCOMBE,
          "Berk et al. (2021), Sociological Methods & Research 50(1)",
          "Largest minus smallest accuracy of the groups."),
)  # fmt: skip

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every metric by its name.

>>> CATALOGUE["roc_auc"].direction, CATALOGUE["bias"].direction
('lower is worse', None)
"""

_TITLES = {
    "roc_auc": "ROC AUC", "psi": "PSI", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "r2": "R²", "f1": "F1",
    "mcc": "MCC",
    "jensen_shannon": "Jensen-Shannon distance", "kolmogorov_smirnov": "Kolmogorov-Smirnov statistic",
    "chi_square": "chi-square", "brier": "Brier score",
}  # fmt: skip


def metric_title(metric: str) -> str:
    """A metric's name as people write it in a sentence.

    >>> metric_title("roc_auc"), metric_title("true_positive_rate")
    ('ROC AUC', 'true positive rate')
    """
    return _TITLES.get(metric, metric.replace("_", " "))
