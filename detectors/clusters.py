"""Clusters: rows about one person are not as many pieces of evidence as they are rows.

With ``m`` rows of each person and a correlation ``r`` between them, the variance of a mean is ``1 + (m - 1) r`` times
that of independent rows (Kish (1965), Survey Sampling, 5.4). The correlation is not known, so the worst is assumed,
that all rows of a person say the same (r = 1). The design effect is then ``sum of m^2 / sum of m``: with one row a
person 1, and with ten rows of each 10. Every count is divided by it before an interval is made of it.
"""

from __future__ import annotations

import numpy as np

from detectors.summaries.summary import Ints


def design_effect(sketch: Ints, n: int) -> float:
    """The design effect of ``n`` rows from the signed sketch of their subjects, shape (cells,); at least 1.

    Each cell holds, of the subjects hashed into it, their rows with the sign of the subject: the sum of the squares
    estimates the sum over subjects of the square of their rows without bias, with a relative standard deviation of
    at most ``sqrt(2 / cells)``, 4.4 % at 1,024 cells (Alon, Matias and Szegedy (1999), J. Comput. Syst. Sci. 58;
    Thorup and Zhang (2004), SODA, for the single hash). Intervals widen by its root, so by 2 % too much or little.

    >>> design_effect(np.array([10, -10, 0, 10]), 30), design_effect(np.zeros(4, np.int64), 0)
    (10.0, 1.0)
    """
    if n <= 0:
        return 1.0
    rows = sketch.astype(np.float64)
    return max(float(rows @ rows) / n, 1.0)


def counted_design_effect(rows: Ints) -> float:
    """The same, exact, where the rows of each subject are known: shape (subjects,).

    >>> counted_design_effect(np.array([1, 1, 1])), counted_design_effect(np.array([4, 4]))
    (1.0, 4.0)
    """
    total = int(rows.sum())
    return float((rows.astype(np.float64) ** 2).sum() / total) if total else 1.0
