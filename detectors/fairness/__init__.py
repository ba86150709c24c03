"""Fairness: rates and means by group of a protected attribute, their disparities, and what may not be told."""

from detectors.fairness.attribute import Attribute
from detectors.fairness.comparisons import FOUR_FIFTHS, is_disparity, resolve
from detectors.fairness.equivalence import Equivalence, equivalence
from detectors.fairness.means import measure_calibration, measure_errors
from detectors.fairness.measure import DISPARITIES, measure_attribute, measure_fairness
from detectors.fairness.needed import Needed, needed_growth, needed_sample
from detectors.fairness.rates import RATES

__all__ = [
    "DISPARITIES",
    "FOUR_FIFTHS",
    "RATES",
    "Attribute",
    "Equivalence",
    "Needed",
    "equivalence",
    "is_disparity",
    "measure_attribute",
    "measure_calibration",
    "measure_errors",
    "measure_fairness",
    "needed_growth",
    "needed_sample",
    "resolve",
]
