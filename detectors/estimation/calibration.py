"""From a score to the chance of a positive label: isotonic calibration on the cells of the score's histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.summaries.summary import Floats, Ints


@dataclass(frozen=True, eq=False)
class Calibrator:
    """The chance of a positive label by cell of the score, and how well the reference knows it.

    ``p`` leaves the missing cell out: shape (cells - 1,). ``starts`` holds the first cell of each level of the isotonic
    fit, ``noise`` the variance of that level's share of positives; both of shape (levels,). ``applied`` is false where
    the score itself is ``p``, for it was calibrated as it came.

    >>> calibrator = Calibrator.fit(np.array([0, 90, 80, 40, 10]), np.array([0, 10, 20, 60, 90]))
    >>> calibrator.p.tolist(), calibrator.starts.tolist(), calibrator.applied
    ([0.1, 0.2, 0.6, 0.9], [0, 1, 2, 3], True)
    """

    p: Floats
    starts: Ints
    noise: Floats
    applied: bool

    @classmethod
    def fit(cls, negatives: Ints, positives: Ints) -> Calibrator | None:
        """From the reference's rows with an outcome, by label and cell of the score; both of shape (cells,).

        Cell 0, the missing, is left out. ``None`` where the reference does not have scores of both labels: there is
        nothing to learn from.

        The fit is the non-decreasing function of least squares (pool adjacent violators; Zadrozny and Elkan, KDD 2002).
        Cells that the reference has no row in lie on the line between the centres of their neighbours, or at the
        level of the outermost. It replaces the score only where it is expected to have the lower Brier score on fresh
        rows: lower by more than the optimism of a fit with as many degrees of freedom as it has levels (Meyer and
        Woodroofe, Annals of Statistics 28 (2000); Efron, JASA 99 (2004)). So a score that is calibrated is left alone.
        """
        if not (negatives[1:].any() and positives[1:].any()):
            return None
        from scipy.optimize import isotonic_regression  # large, and needed for nothing else

        rows = (negatives + positives)[1:].astype(np.float64)
        centres = (np.arange(rows.size) + 0.5) / rows.size
        seen = np.flatnonzero(rows)
        fitted = isotonic_regression(positives[1:][seen] / rows[seen], weights=rows[seen])
        first = np.asarray(fitted.blocks, np.int64)[:-1]
        # One more row of either label to each level: a level of one label alone is not known for certain.
        n = np.add.reduceat(rows[seen], first)
        share = (np.add.reduceat(positives[1:][seen], first) + 1) / (n + 2)
        spread = share * (1 - share)
        starts = seen[first]
        starts[0] = 0
        levels = np.interp(centres, centres[seen], fitted.x)
        applied = _brier(levels, negatives, positives) + 2 * float(spread.sum()) < _brier(centres, negatives, positives)
        return cls(levels if applied else centres, starts.astype(np.int64), spread / n, applied)


def _brier(p: Floats, negatives: Ints, positives: Ints) -> float:
    """The sum over the rows of the squared distance of ``p`` and label."""
    return float(p**2 @ negatives[1:] + (1 - p) ** 2 @ positives[1:])
