"""Drift bins: runs of grid cells, bound to the reference, in which two distributions are compared.

Numeric columns have the deciles of the reference, snapped to the grid's cells; category columns one bin for each
category and one for all others. The missing cell stands apart. A bin is a run of cells, so one ``np.add.reduceat``
over a dense prediction summary counts the bins of every column at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np

from detectors.cells import CellPlaces
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats, Ints

DECILES = 10

Numbers = TypeVar("Numbers", Ints, Floats)


@dataclass(frozen=True)
class Bins:
    """The drift bins of all columns of a space, one column behind the other.

    ``starts`` holds the first cell of every bin in a dense prediction summary; each column begins with its missing
    cell. ``first`` says where in ``starts`` each column begins; shape (columns,).

    >>> from detectors.summaries.space import example_space
    >>> space = example_space()
    >>> predictions = np.zeros(space.prediction_size, np.int64)
    >>> predictions[space.column_offsets[1] + np.array([0, 1, 2])] = 1, 6, 3      # plan: missing, basic, plus
    >>> bins = Bins.fit(space, predictions)
    >>> missing, counts = bins.count(predictions)
    >>> bins.labels(1), int(missing[1]), bins.of(1, counts).tolist()
    (('basic', 'plus', 'other'), 1, [6, 3, 0])
    """

    space: Space
    starts: Ints
    first: Ints

    @classmethod
    def fit(cls, space: Space, predictions: Ints) -> Bins:
        """The bins that follow from the reference's dense prediction summary."""
        starts, first, at = [], [], 0
        for offset, (column, counts) in zip(space.column_offsets, space.column_counts(predictions), strict=False):
            if isinstance(column.grid, CategoryGrid):
                inner = np.arange(column.grid.size)
            else:
                inner = np.r_[0, decile_starts(counts[1:]) + 1]
            starts.append(offset + inner)
            first.append(at)
            at += inner.size
        return cls(space, np.concatenate(starts).astype(np.int64), np.array(first, np.int64))

    def count(self, predictions: Numbers) -> tuple[Numbers, Numbers]:
        """Missing rows by column, shape (columns,), and rows by bin without the missing, shape (bins,)."""
        counts = np.add.reduceat(predictions[: self.space.column_offsets[-1]], self.starts)
        return counts[self.first], counts[self._present]

    @cached_property
    def offsets(self) -> Ints:
        """Where each column's bins begin among the counted ones; shape (columns,)."""
        return self.first - np.arange(self.first.size)

    @cached_property
    def column(self) -> Ints:
        """The column that each counted bin belongs to; shape (bins,)."""
        return np.repeat(np.arange(self.first.size), np.diff(np.r_[self.offsets, self.size]))

    @cached_property
    def places(self) -> CellPlaces:
        """Where the cells of the space lie."""
        return CellPlaces.of(self.space)

    @property
    def size(self) -> int:
        """How many bins there are in all, the missing ones left out."""
        return self.starts.size - self.first.size

    def total(self, values: Numbers) -> Numbers:
        """The sum over each column's bins: shape (bins,) becomes (columns,)."""
        return np.add.reduceat(values, self.offsets)

    def of(self, column: int, values: Ints) -> Ints:
        """The part of a by-bin array that belongs to one column."""
        ends = np.r_[self.offsets, self.size]
        return values[ends[column] : ends[column + 1]]

    def edges(self, column: int) -> Floats:
        """The inner edges between a numeric column's bins, shape (bins - 1,); the outer bins are open."""
        grid = self.space.columns[column].grid
        if isinstance(grid, CategoryGrid):
            raise ValueError(f"'{self.space.columns[column].name}' has categories and no edges")
        begin, end = self.first[column] + 2, np.r_[self.first, self.starts.size][column + 1]
        inner: Floats = grid.edges()[self.starts[begin:end] - self.space.column_offsets[column] - 1]
        return inner

    def labels(self, column: int) -> tuple[str, ...]:
        """What each bin of a column is called on a chart: a category, or a range of values."""
        grid = self.space.columns[column].grid
        if isinstance(grid, CategoryGrid):
            return (*grid.categories, "other")
        return ranges(self.edges(column))

    @cached_property
    def _present(self) -> Ints:
        return np.delete(np.arange(self.starts.size), self.first)


def ranges(edges: Floats) -> tuple[str, ...]:
    """What the bins between inner ``edges`` are called.

    >>> ranges(np.array([1.5, 3.0]))
    ('< 1.5', '1.5 to 3', '≥ 3')
    """
    inner = [f"{e:.4g}" for e in edges]
    if not inner:
        return ("all",)
    between = [f"{low} to {high}" for low, high in pairwise(inner)]
    return (f"< {inner[0]}", *between, f"≥ {inner[-1]}")


def decile_starts(counts: Ints) -> Ints:
    """The first cell of each bin: a bin ends with the cell in which the cumulative count crosses a tenth of the total.

    Heavy ties give fewer bins. Where the lowest or highest value alone fills a decile, what lies beyond it has a bin
    of its own, empty in the reference: a column that was constant is compared as below, at and above.

    >>> decile_starts(np.ones(20, np.int64)).tolist()
    [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    >>> decile_starts(np.array([0, 0, 7, 0])).tolist()
    [0, 2, 3]
    """
    cumulative = np.cumsum(counts)
    if not cumulative[-1]:
        return np.zeros(1, np.int64)
    ends = np.searchsorted(cumulative * DECILES, cumulative[-1] * np.arange(1, DECILES))
    lowest = int(np.flatnonzero(counts)[0])
    starts = np.unique(np.r_[0, ends + 1, lowest if ends[0] == lowest else 0])
    return starts[starts < counts.size].astype(np.int64)
