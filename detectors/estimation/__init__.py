"""Performance without outcomes: what a window's scores and features let one expect of it, always called an estimate.

``estimate_binary`` and ``estimate_multiclass`` are CBPE, for classification; ``ErrorModel`` is DLE, for regression.
Both need the summaries of a window alone, and a reference with outcomes to learn from. See docs/estimation.md.
"""

from detectors.estimation.calibration import Calibrator
from detectors.estimation.classification import estimate_binary, estimate_multiclass
from detectors.estimation.regression import ErrorModel

__all__ = ["Calibrator", "ErrorModel", "estimate_binary", "estimate_multiclass"]
