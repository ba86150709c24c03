"""Fairness: rates by group of a protected attribute, and the disparities between groups."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.catalogue.entry import BINARY, CLASSIFICATION, HIGHER, LOWER, REGRESSION, STUDENT, WILSON, Entry
from detectors.fairness.comparisons import COMPARED, MEANS

_GROUPS = ("outcomes", "protected_attributes")
_SELECTED = ("predictions", "protected_attributes")
_NEWCOMBE = "Newcombe's method 10, studentised range over all pairs"
_DONNER_ZOU = "MOVER of the ratio, studentised range over all pairs"
_WELCH = "Student by group, MOVER, studentised range over all pairs"
_CALIBRATED = ("outcomes", "scores", "protected_attributes")
_RATES_SOURCE = "Verma and Rubin (2018), FairWare"
_PARITY = "Dwork et al. (2012), ITCS"
_ODDS = "Hardt, Price and Srebro (2016), NeurIPS"

ENTRIES: tuple[Entry, ...] = (
    Entry("selection_rate", "fairness", "share", None, _SELECTED, WILSON, _RATES_SOURCE,
          "Share of the group to whom the model gives the favourable label.", tasks=CLASSIFICATION),
    Entry("true_positive_rate", "fairness", "share", LOWER, _GROUPS, WILSON, _RATES_SOURCE,
          "Share selected among those of the group whose outcome is favourable.", tasks=CLASSIFICATION),
    Entry("false_negative_rate", "fairness", "share", HIGHER, _GROUPS, WILSON, _RATES_SOURCE,
          "Share not selected among those of the group whose outcome is favourable.", tasks=CLASSIFICATION),
    Entry("false_positive_rate", "fairness", "share", HIGHER, _GROUPS, WILSON, _RATES_SOURCE,
          "Share selected among those of the group whose outcome is not favourable.", tasks=CLASSIFICATION),
    Entry("true_negative_rate", "fairness", "share", LOWER, _GROUPS, WILSON, _RATES_SOURCE,
          "Share not selected among those of the group whose outcome is not favourable.", tasks=CLASSIFICATION),
    Entry("positive_predictive_value", "fairness", "share", LOWER, _GROUPS, WILSON, _RATES_SOURCE,
          "Share with a favourable outcome among the selected of the group.", tasks=CLASSIFICATION),
    Entry("demographic_parity_difference", "fairness", "share", HIGHER, _SELECTED, _NEWCOMBE, _PARITY,
          "Largest minus smallest selection rate of the groups.", tasks=CLASSIFICATION),
    Entry("demographic_parity_ratio", "fairness", "0 to 1", LOWER, _SELECTED, _DONNER_ZOU,
          "29 CFR 1607.4(D), the four-fifths rule", "Smallest selection rate over the largest.", tasks=CLASSIFICATION),
    Entry("equal_opportunity_difference", "fairness", "share", HIGHER, _GROUPS, _NEWCOMBE, _ODDS,
          "Largest minus smallest true positive rate of the groups.", tasks=CLASSIFICATION),
    Entry("equalized_odds_difference", "fairness", "share", HIGHER, _GROUPS, _NEWCOMBE, _ODDS,
          "The larger of the differences in true positive and in false positive rate.", tasks=CLASSIFICATION),
    Entry("equalized_odds_ratio", "fairness", "0 to 1", LOWER, _GROUPS, _DONNER_ZOU, _ODDS,
          "The smaller of the ratios of true positive and of false positive rates.", tasks=CLASSIFICATION),
    Entry("predictive_parity_difference", "fairness", "share", HIGHER, _GROUPS, _NEWCOMBE,
          "Chouldechova (2017), Big Data 5(2)", "Largest minus smallest positive predictive value of the groups.",
          tasks=CLASSIFICATION),
    Entry("accuracy_difference", "fairness", "share", HIGHER, _GROUPS, _NEWCOMBE,
          "Berk et al. (2021), Sociological Methods & Research 50(1)",
          "Largest minus smallest accuracy of the groups.", tasks=CLASSIFICATION),
    Entry("false_discovery_rate", "fairness", "share", HIGHER, _GROUPS, WILSON,
          _RATES_SOURCE, "Share with an unfavourable outcome among the selected of the group.", tasks=CLASSIFICATION),
    Entry("negative_predictive_value", "fairness", "share", LOWER, _GROUPS, WILSON,
          _RATES_SOURCE, "Share with an unfavourable outcome among those of the group not selected.",
          tasks=CLASSIFICATION),
    Entry("false_omission_rate", "fairness", "share", HIGHER, _GROUPS, WILSON,
          _RATES_SOURCE, "Share with a favourable outcome among those of the group not selected.",
          tasks=CLASSIFICATION),
    Entry("favourable_rate", "fairness", "share", None, _GROUPS, WILSON,
          _RATES_SOURCE, "Share of the group's outcomes that are favourable.", tasks=CLASSIFICATION),
    Entry("false_discovery_rate_difference", "fairness", "share", HIGHER, _GROUPS, _NEWCOMBE,
          "Chouldechova (2017), Big Data 5(2)", "Largest minus smallest false discovery rate of the groups.",
          tasks=CLASSIFICATION),
    Entry("false_omission_rate_difference", "fairness", "share", HIGHER, _GROUPS, _NEWCOMBE,
          _RATES_SOURCE, "Largest minus smallest false omission rate of the groups.", tasks=CLASSIFICATION),
    Entry("calibration_gap", "fairness", "share", None, _CALIBRATED, STUDENT,
          "Cox (1958), Biometrika 45", "Mean score minus rate of favourable outcomes of the group.", tasks=(BINARY,)),
    Entry("calibration_difference", "fairness", "share", HIGHER, _CALIBRATED, _WELCH,
          "Pleiss et al. (2017), NeurIPS", "Largest minus smallest calibration gap of the groups.", tasks=(BINARY,)),
    Entry("mae_difference", "fairness", "the target's unit", HIGHER, _GROUPS, _WELCH,
          "Agarwal, Dudik and Wu (2019), ICML", "Largest minus smallest mean absolute error of the groups.",
          tasks=(REGRESSION,)),
    Entry("bias_difference", "fairness", "the target's unit", HIGHER, _GROUPS, _WELCH,
          "Calders et al. (2013), ICDM", "Largest minus smallest mean error of the groups.", tasks=(REGRESSION,)),
)  # fmt: skip


def _generic() -> Iterator[Entry]:
    """Any rate or mean by group as a difference or a ratio: between groups, to the reference group, to all."""
    named = {entry.name for entry in ENTRIES}
    between = {"": "between the groups", "_to_reference": "to the reference group", "_to_overall": "to all rows"}
    for rate, kinds in COMPARED.items():
        needs = _SELECTED if rate == "selection_rate" else _CALIBRATED if rate == "calibration_gap" else _GROUPS
        tasks = (REGRESSION,) if rate in ("mae", "bias") else (BINARY,) if rate == "calibration_gap" else CLASSIFICATION
        unit = "the target's unit" if rate in ("mae", "bias") else "share"
        for kind in kinds:
            interval = _WELCH if rate in MEANS else _NEWCOMBE if kind == "difference" else _DONNER_ZOU
            for suffix, whom in between.items():
                if (name := f"{rate}_{kind}{suffix}") not in named:
                    text = f"The worst {kind} in {rate.replace('_', ' ')} {whom}."
                    direction = HIGHER if kind == "difference" else LOWER
                    yield Entry(
                        name, "fairness", unit if kind == "difference" else "0 to 1", direction, needs, interval,
                        _RATES_SOURCE, text, tasks, kept=False,
                    )  # fmt: skip


GENERIC = tuple(_generic())
"""Those that are not named above."""
