"""The columns by which rows are told apart: numbers as they are, a column for each of the most frequent categories."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from detectors.drift import measure_drift
from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.summary import Floats, Ints
from monitor.fold.rows import cells_of, column, matrix_of, numbers

MOST_COLUMNS = 120      # of all features together: what the classifier fits in well under a second
MOST_CATEGORIES = 8     # of a feature, the most frequent in the reference first; the rest are one column together
_DRIFT = "jensen_shannon"


class Part(NamedTuple):
    """A column: a feature's ``value``, one ``category`` of it, the ``other`` ones together, whether it is ``missing``,
    or a ``dimension`` of an embedding."""

    of: Literal["value", "category", "other", "missing", "dimension"]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """A feature as columns."""

    feature: str
    parts: tuple[Part, ...]
    grid: CategoryGrid | None = None
    embedding: int | None = None        # the number of its projection in the space

    def of(self, reference: Reference, table: pa.RecordBatch) -> Floats:
        """The rows as these columns, shape (n, columns); NaN where a number is missing. A missing category, and one
        beyond the most frequent, have columns of their own."""
        n = table.num_rows
        if self.embedding is not None:
            projection = reference.space.projections[self.embedding]
            matrix = matrix_of([self.feature], table, len(projection.names))
            return projection.coordinates(projection.standardise(matrix))
        values = column(table, f"features.{self.feature}")
        if self.grid is None:
            return numbers(values, n)[:, None]
        shown = len(self.parts) - 2
        cells = np.minimum(cells_of(self.grid, values, n), shown + 1)       # missing, the shown, all others
        return np.asarray(cells[:, None] == np.r_[1 : shown + 2, 0], np.float64)


def encodings(reference: Reference, predictions: Ints, protected: Collection[str]) -> tuple[list[Encoding], list[str]]:
    """How each feature is told, those that drifted most first, and the features left out: the ``protected``, and what
    comes after ``MOST_COLUMNS``. ``predictions`` is the window's dense summary."""
    found = _by_drift(reference, predictions)
    taken: list[Encoding] = []
    left, width = [], 0
    for one in found:
        if one.feature in protected or width + len(one.parts) > MOST_COLUMNS:
            left.append(one.feature)
        else:
            taken.append(one)
            width += len(one.parts)
    return taken, left


def matrix(reference: Reference, taken: Sequence[Encoding], table: pa.RecordBatch) -> Floats:
    """Rows as the columns of all encodings side by side, shape (n, columns)."""
    return np.concatenate([np.empty((table.num_rows, 0)), *(e.of(reference, table) for e in taken)], axis=1)


def _by_drift(reference: Reference, predictions: Ints) -> list[Encoding]:
    space, out = reference.space, []
    for c in space.features:
        if isinstance(c.grid, CategoryGrid):
            shown = (Part("category", name) for name in c.grid.categories[:MOST_CATEGORIES])
            out.append(Encoding(c.name, (*shown, Part("other"), Part("missing")), c.grid))
        else:
            out.append(Encoding(c.name, (Part("value"),)))
    drift = measure_drift(reference, predictions, frozenset({_DRIFT}))
    moved = {s.feature: m.value or 0.0 for metric, s, m in drift if metric == _DRIFT}
    out.sort(key=lambda e: -moved.get(e.feature, 0.0))
    for i, names in enumerate(space.projected):
        if len(names) == 1:         # of more it is the numeric features together, which are there already
            parts = tuple(Part("dimension", name) for name in space.projections[i].dimensions)
            out.append(Encoding(names[0], parts, embedding=i))
    return out
