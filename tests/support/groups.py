"""Groups of a protected attribute from tables of decision and label, for the tests of fairness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.fairness import DISPARITIES, Attribute, measure_attribute
from detectors.point import Measurement
from detectors.summaries.summary import Ints

Found = dict[tuple[str, str | None], Measurement]      # by metric and group, None for a disparity


def cells(tables: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Decisions and outcomes of an axis whose groups have these ``tn, fp, fn, tp``; all predictions have an outcome."""
    outcomes = np.zeros((len(tables) + 2, 2, 2), np.int64)
    for i, (tn, fp, fn, tp) in enumerate(tables):
        outcomes[i + 1] = [[tn, fn], [fp, tp]]
    return outcomes.sum(axis=2), outcomes


def measured(
    tables: Sequence[Sequence[int]],
    minimum: int = 1,
    reference: str | None = None,
    favourable: int = 1,
    metrics: Sequence[str] = DISPARITIES,
    **options: float,
) -> Found:
    """Everything measured of groups named a, b, c, ..."""
    attribute = Attribute("x", tuple("abcdefghijklmnopqrstuvwxyz"[: len(tables)]), minimum, reference)
    found = measure_attribute(attribute, *cells(tables), favourable, metrics=metrics, **options)  # type: ignore[arg-type]
    return {(metric, scope.group): m for metric, scope, m in found}
