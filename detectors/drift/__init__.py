"""Drift of one column at a time: distances of two distributions, and their sampling noise."""

from detectors.drift.measure import ANY_COLUMN, CATEGORICAL, HEADLINE, METRICS, NUMERIC, measure_drift, scope_of

__all__ = ["ANY_COLUMN", "CATEGORICAL", "HEADLINE", "METRICS", "NUMERIC", "measure_drift", "scope_of"]
