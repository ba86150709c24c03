"""Drift of many columns together: means, covariances, correlations, and what principal components leave."""

from detectors.multivariate.baseline import Baseline
from detectors.multivariate.measure import METRICS, Finding, measure_multivariate

__all__ = ["METRICS", "Baseline", "Finding", "measure_multivariate"]
