"""The words of a declaration: tasks, metric names, durations, labels."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

TASKS = ("binary_classification", "regression")
LATER_TASKS = ("multiclass_classification", "ranking")
SEVERITIES = ("info", "warning", "critical")

DRIFT_METRICS = (
    "psi", "jensen_shannon", "hellinger", "total_variation", "kullback_leibler", "kolmogorov_smirnov",
    "cramer_von_mises", "anderson_darling", "wasserstein", "energy", "chi_square", "cramers_v", "l_infinity",
    "pca_reconstruction", "mahalanobis", "mmd",
)
QUALITY_METRICS = (
    "missing_rate", "type_error_rate", "unseen_category_rate", "out_of_range_rate", "row_count", "freshness",
)
CLASSIFICATION_METRICS = (
    "override_rate", "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "roc_auc",
    "average_precision", "log_loss", "brier", "expected_calibration_error", "mcc",
)
REGRESSION_METRICS = ("mae", "mse", "rmse", "mape", "bias", "r2")
RANKING_METRICS = ("ndcg", "mean_reciprocal_rank", "precision_at_k", "recall_at_k")
FAIRNESS_METRICS = (
    "selection_rate", "true_positive_rate", "false_positive_rate", "true_negative_rate", "false_negative_rate",
    "positive_predictive_value", "demographic_parity_difference", "demographic_parity_ratio",
    "equal_opportunity_difference", "equalized_odds_difference", "equalized_odds_ratio",
    "predictive_parity_difference", "accuracy_difference",
)
ESTIMATED_METRICS = tuple(f"estimated_{m}" for m in CLASSIFICATION_METRICS[1:] + REGRESSION_METRICS)
METRICS = (
    *DRIFT_METRICS, *QUALITY_METRICS, *CLASSIFICATION_METRICS, *REGRESSION_METRICS, *RANKING_METRICS,
    *FAIRNESS_METRICS, *ESTIMATED_METRICS, "label_coverage",
)

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def parse_duration(text: object) -> timedelta:
    """A whole number and a unit (``s``, ``m``, ``h``, ``d``, ``w``) as a duration; else ``ValueError`` with the mend.

    >>> parse_duration("90d")
    datetime.timedelta(days=90)
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"found {shown(text)}; write a duration such as 30m, 1h, 7d or 2w")
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds > 36_525 * 86_400:
        raise ValueError(f"found {shown(text)}; write a duration of at most 100 years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """What ``parse_duration`` reads, in the largest unit that is whole, up to days.

    >>> format_duration(timedelta(hours=36)), format_duration(timedelta(days=7))
    ('36h', '7d')
    """
    seconds = int(duration.total_seconds())
    unit = next(u for u in "dhms" if seconds % _UNITS[u] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def canonical_label(value: str | int | float | bool) -> str:
    """A label, decision or category as text, so that JSON's ``1``, ``1.0`` and ``"1"`` are one and the same.

    >>> [canonical_label(v) for v in (1, 21.0, 0.5, True, "yes")]
    ['1', '21', '0.5', 'true', 'yes']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Beyond 2^53 a float names no single integer, so it keeps its shortest form.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The known word that a misspelt one most likely meant, as a mend; all of them where none is near.

    >>> nearest("roc_acu", METRICS)
    "the nearest known is 'roc_auc'"
    """
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"the nearest known is '{close[0]}'" if close else f"known are {', '.join(known)}"


def shown(value: Any) -> str:
    """What was found, for a message: its kind, and the value itself where it is short."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"text '{value if len(value) <= 40 else value[:40] + '…'}'"
        case int() | float():
            return f"the number {value}" if len(str(value)) <= 40 else "a very long number"
        case list() | tuple():
            return "a list"
        case _:
            return "a map"
