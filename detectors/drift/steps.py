"""Two samples counted in the same ordered cells, for many columns at once: shares, and distribution functions."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from detectors.summaries.summary import Floats, Ints


class Side:
    """One sample by cell, shape (cells,): its ``shares``, and its distribution function at each cell's ``upper`` end.

    Counts are summed as integers, which is exact and faster than floats. An empty column has shares of 0.
    """

    def __init__(self, counts: Ints, first: Ints) -> None:
        self._counts = np.asarray(counts)
        self._sizes = np.diff(first, append=self._counts.size)
        self._sum = np.cumsum(self._counts)
        self._below = self._sum[first] - self._counts[first]
        total = self._sum[first + self._sizes - 1] - self._below
        self._total = np.repeat(np.maximum(total, 1).astype(np.float64), self._sizes)

    @cached_property
    def shares(self) -> Floats:
        return np.asarray(self._counts / self._total)

    @cached_property
    def upper(self) -> Floats:
        return np.asarray((self._sum - np.repeat(self._below, self._sizes)) / self._total)


class Steps:
    """Two samples, the reference and the window, by cell; ``first`` is where each column's cells begin."""

    def __init__(self, reference: Ints, current: Ints, first: Ints) -> None:
        self.first, self.size = first, np.size(reference)
        self.reference, self.current = Side(reference, first), Side(current, first)

    @cached_property
    def after(self) -> Floats:
        """F - G at the upper end of each cell."""
        return np.asarray(self.reference.upper - self.current.upper)

    @cached_property
    def before(self) -> Floats:
        """F - G at the lower end of each cell."""
        return np.asarray(self.after - (self.reference.shares - self.current.shares))

    def total(self, values: Floats) -> Floats:
        return np.add.reduceat(values, self.first)

    def largest(self, values: Floats) -> Floats:
        return np.maximum.reduceat(values, self.first)

    def each(self, by_column: Floats) -> Floats:
        """A value of each column, given to its cells."""
        return np.repeat(by_column, np.diff(self.first, append=self.size))

    def within(self) -> tuple[Floats, Floats]:
        """The least and the greatest that F - G of the raw rows can be inside each cell."""
        return self.before - self.current.shares, self.before + self.reference.shares

    def pooled(self, weight: float = 0.5) -> tuple[Floats, Floats]:
        """The step of H in each cell, and H at its upper end."""
        r, c = self.reference, self.current
        return weight * r.shares + (1 - weight) * c.shares, weight * r.upper + (1 - weight) * c.upper

    @cached_property
    def even(self) -> tuple[Floats, Floats]:
        """``pooled`` at equal weights."""
        return self.pooled()

    @cached_property
    def spread(self) -> Floats:
        """H (1 - H) at each cell's upper end, at equal weights."""
        upper = (self.reference.upper + self.current.upper) / 2
        return np.asarray(upper * (1 - upper))


def steps_of(reference: Ints, current: Ints) -> Steps | None:
    """One column's, or ``None`` where a side is empty."""
    if not np.sum(reference) or not np.sum(current):
        return None
    return Steps(reference, current, np.zeros(1, np.int64))
