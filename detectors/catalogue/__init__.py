"""The catalogue: one entry for each metric on the wire, the only list of them that there is."""

from __future__ import annotations

from detectors.catalogue import drift, estimation, fairness, performance, quality
from detectors.catalogue.entry import Direction, Entry, Family

__all__ = ["CATALOGUE", "Direction", "Entry", "Family", "metric_title"]

CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        *drift.ENTRIES,
        *quality.ENTRIES,
        *performance.ENTRIES,
        *estimation.ENTRIES,
        *fairness.ENTRIES,
        *fairness.GENERIC,
    )
}
"""Every metric by its name.

>>> CATALOGUE["roc_auc"].direction, CATALOGUE["bias"].direction
('lower is worse', None)
"""

_TITLES = {
    "roc_auc": "ROC AUC", "psi": "PSI", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "r2": "R²", "f1": "F1",
    "mcc": "MCC",
    "jensen_shannon": "Jensen-Shannon distance", "kolmogorov_smirnov": "Kolmogorov-Smirnov statistic",
    "chi_square": "chi-square", "brier": "Brier score", "mape": "MAPE", "ndcg": "NDCG", "g_test": "G statistic",
    "cramers_v": "Cramér's V", "l_infinity": "L-infinity distance", "kullback_leibler": "Kullback-Leibler divergence",
    "hellinger": "Hellinger distance", "wasserstein": "Wasserstein distance", "energy": "energy distance",
    "cramer_von_mises": "Cramér-von Mises distance", "anderson_darling": "Anderson-Darling distance",
    "normed_wasserstein": "normed Wasserstein distance", "pca_reconstruction": "PCA reconstruction error",
    "mahalanobis": "Mahalanobis distance", "frechet": "Fréchet distance", "mmd": "MMD",
}  # fmt: skip
_WORDS = {"mae": "MAE", "roc": "ROC", "auc": "AUC", "f1": "F1"}


def metric_title(metric: str) -> str:
    """A metric's name as people write it in a sentence.

    >>> metric_title("roc_auc"), metric_title("true_positive_rate")
    ('ROC AUC', 'true positive rate')
    """
    if metric.startswith("estimated_"):
        return f"estimated {metric_title(metric.removeprefix('estimated_'))}"
    return _TITLES.get(metric) or " ".join(_WORDS.get(word, word) for word in metric.split("_"))
