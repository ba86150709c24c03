"""A summary: exact signed counts of cells, and sums of quantised floats. A commutative group under ``+``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.summaries.counting import occurrences
from detectors.summaries.packing import merge_cells, pack, unpack

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

QUANTUM = 2.0**-36
"""Addends of a float sum are rounded to this step, so that their sum is exact, whatever its order, up to 2**17 in
magnitude (a double's 53 bits); beyond it each merge errs by at most one part in 2**53 of the total."""

@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Counts of the cells of a ``Space`` (sorted cell numbers with non-zero counts) and its float sums.

    ``+`` merges, ``-`` takes back; ``Summary.zero(k)`` is neutral. Counts are exact integers, so that
    ``fold(a + b) == fold(a) + fold(b)`` for every split and order.

    >>> a = Summary.of(np.array([3, 5, 3]), np.array([0.5]))
    >>> a.cells.tolist(), a.counts.tolist(), a.sums.tolist()
    ([3, 5], [2, 1], [0.5])
    >>> (a + a - a) == a, (a - a) == Summary.zero(1)
    (True, True)
    """

    cells: Ints
    counts: Ints
    sums: Floats

    @classmethod
    def zero(cls, n_sums: int = 0) -> Summary:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.zeros(n_sums))

    @classmethod
    def of(cls, cells: npt.NDArray[np.integer], sums: Floats | None = None) -> Summary:
        """Count each cell number's occurrences. Shape (n,), any order."""
        size = int(cells.max()) + 1 if cells.size else 0
        return cls(*occurrences(np.asarray(cells, np.int64), size), np.zeros(0) if sums is None else sums)

    @classmethod
    def merge(cls, parts: Iterable[Summary], n_sums: int = 0) -> Summary:
        """The sum of any number of summaries of one space, in any order."""
        some = list(parts)
        if not some:
            return cls.zero(n_sums)
        sums = np.sum([p.sums for p in some], axis=0) if some[0].sums.size else some[0].sums
        return cls(*merge_cells([(p.cells, p.counts) for p in some]), sums)

    def __add__(self, other: Summary) -> Summary:
        return Summary.merge((self, other))

    def __neg__(self) -> Summary:
        return Summary(self.cells, -self.counts, -self.sums)

    def __sub__(self, other: Summary) -> Summary:
        return self + -other

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Summary)
            and np.array_equal(self.cells, other.cells)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.sums, other.sums)
        )

    __hash__ = None  # type: ignore[assignment]  # a value that holds arrays is no key

    def dense(self, size: int) -> Ints:
        """All cells of the space as one array of counts, shape (size,)."""
        out = np.zeros(size, np.int64)
        out[self.cells] = self.counts
        return out

    def to_bytes(self) -> bytes:
        """Versioned bytes, see ``detectors.summaries.packing``."""
        return pack(self.cells, self.counts, self.sums)

    @classmethod
    def from_bytes(cls, data: bytes) -> Summary:
        """Read what ``to_bytes`` wrote; ``ValueError`` for anything else."""
        return cls(*unpack(data))


def dense_sum(parts: Iterable[Summary], size: int, n_sums: int = 0) -> tuple[Ints, Floats]:
    """Merge straight into dense arrays: counts of shape (size,) and sums of shape (n_sums,)."""
    counts, sums = np.zeros(size, np.int64), np.zeros(n_sums)
    for part in parts:
        counts[part.cells] += part.counts
        sums += part.sums
    return counts, sums


def quantise(values: Floats, step: float = QUANTUM) -> Floats:
    """Round addends to multiples of ``step`` (a power of two), at most half a step away.

    >>> abs(float(quantise(np.array([0.1]))[0]) - 0.1) < 2.0**-36, float(quantise(np.array([0.3]), 0.25)[0])
    (True, 0.25)
    """
    return np.rint(np.asarray(values, np.float64) / step) * step
