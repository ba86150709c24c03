"""A column's distribution in a window beside the reference's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.summary import Floats
from monitor.store import summaries
from monitor.store.models import ModelState

MOST_CATEGORIES = 12        # bars of a distribution, before "other"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A column's bins: ``labels``, and each bin's share of the rows that are not missing, in the reference and in the
    window. ``missing`` has the missing shares of the two, ``n`` their rows."""

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]
    missing: tuple[float, float]
    n: tuple[int, int]


def distribution(
    db: Connection, state: ModelState, reference: Reference, column: str, start: int, end: int
) -> Distribution:
    """A column (a feature, or the output) in the reference and over ``[start, end)``, in the bins that drift uses.

    Of many categories the most frequent in either are shown, the rest as ``other``.
    """
    space, bins = reference.space, reference.bins
    at = next(i for i, c in enumerate(space.columns) if c.name == column)
    dense = summaries.window(db, state.id, "predictions", space, start, end).counts
    shares, missing, rows = [], [], []
    for cells in (reference.predictions, dense):
        none, counts = bins.count(cells)
        mine = bins.of(at, counts)
        shares.append(mine / max(int(mine.sum()), 1))
        total = int(none[at] + mine.sum())
        missing.append(int(none[at]) / max(total, 1))
        rows.append(total)
    labels = bins.labels(at)
    if isinstance(space.columns[at].grid, CategoryGrid):
        labels, shares = _top(labels, shares)
    old, new = (tuple(float(v) for v in s) for s in shares)
    return Distribution(labels, old, new, (missing[0], missing[1]), (rows[0], rows[1]))


def _top(labels: tuple[str, ...], shares: list[Floats]) -> tuple[tuple[str, ...], list[Floats]]:
    """The largest categories by their share in either, the others in one; the last label is already ``other``."""
    most = np.maximum(shares[0], shares[1])[:-1]
    kept = np.argsort(-most, kind="stable")[:MOST_CATEGORIES]
    folded = [np.r_[s[kept], s.sum() - s[kept].sum()] for s in shares]
    names = (*(labels[i] for i in kept), "other")
    return (names, folded) if max(f[-1] for f in folded) > 1e-9 else (names[:-1], [f[:-1] for f in folded])
