"""Grids: the fixed cells into which values are counted. Bound to the reference and never moved, so that any two
summaries of one grid merge and compare. Cell 0 is always "missing"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.summaries.counting import (
    BLOCK,
    HALVES,
    blocks,
    high_halves,
    short_words,
    tally_halves,
    word_number,
)
from detectors.summaries.summary import Floats, Ints

MAX_CATEGORIES = 1_000
MAX_GROUPS = 50

_MANTISSA_BITS = 6           # 64 cells to each doubling: a cell is at most 1/64 of its distance from the median wide
_OCTAVES = 8                 # from 2**-8 to 2**8 interquartile ranges on either side; beyond lies over- and underflow
_ARM = (2 * _OCTAVES << _MANTISSA_BITS) + 1      # cells on one side of the centre, the outermost for overflow

# The upper half of a single-precision number holds its sign, its exponent and 7 bits of its mantissa: two halves to a
# cell. By magnitude, arm 1 begins at _INNER, overflow at _OUTER; above infinity lie the NaNs.
_SIGN = HALVES // 2
_INNER = (127 - _OCTAVES) << 7
_OUTER = (127 + _OCTAVES) << 7
_INFINITY = 255 << 7


def _cell_of_half() -> Ints:
    """The cell of each of the 65,536 upper halves."""
    half = np.arange(HALVES)
    magnitude = half % _SIGN
    arm = np.clip((magnitude - _INNER) // 2 + 1, 0, _ARM)
    cell: Ints = np.where(half < _SIGN, arm, -arm) + _ARM + 1
    cell[magnitude > _INFINITY] = 0
    return cell


_CELL_OF_HALF = _cell_of_half()


@dataclass(frozen=True, slots=True)
class NumericGrid:
    """Cells from the high bits of ``(x - centre) / scale``: fine near the median, coarse in the tails, in one pass.

    Cells 1 to ``size - 1`` follow the order of the values; the first and the last hold under- and overflow, infinities
    among them. With the median as centre and the interquartile range as scale, a heavy tail does not crowd the rest
    into one cell, as it does on a uniform grid.

    >>> grid = NumericGrid.fit(np.arange(101.0))
    >>> cells = grid.cells(np.array([50.0, 49.0, 51.0, np.nan, np.inf]))
    >>> bool(cells[1] < cells[0] < cells[2]), int(cells[3]), int(cells[4]) == grid.size - 1
    (True, 0, True)
    """

    centre: float
    scale: float

    @property
    def size(self) -> int:
        return 2 * _ARM + 2

    @classmethod
    def fit(cls, values: Floats) -> NumericGrid:
        """Centre and scale from the finite values of the reference; with nothing to go by, 0 and 1."""
        finite = np.asarray(values, np.float64)
        finite = finite[np.isfinite(finite)]
        if not finite.size:
            return cls(0.0, 1.0)
        low, centre, high = (float(q) for q in np.quantile(finite, [0.25, 0.5, 0.75]))
        spread = high - low or float(finite.std()) or abs(centre) or 1.0
        return cls(centre, spread if np.isfinite(spread) else 1.0)

    def cells(self, values: Floats) -> Ints:
        """The cell of each value, shape (n,); NaN is missing."""
        cells: Ints = _CELL_OF_HALF[high_halves(np.asarray(values, np.float64), self.centre, self.scale)]
        return cells

    def count(self, values: Floats) -> Ints:
        """How many values each cell holds, shape (size,): the cells are found for the counts and not for the rows.

        >>> grid, x = NumericGrid(0.0, 1.0), np.linspace(-3.0, 3.0, 100_000)
        >>> bool((grid.count(x) == np.bincount(grid.cells(x), minlength=grid.size)).all())
        True
        """
        x = np.asarray(values, np.float64)
        if len(x) < HALVES:                  # a pass over the 65,536 counts would cost more than one over the rows
            return np.asarray(np.bincount(self.cells(x), minlength=self.size))
        above, below = tally_halves(x, self.centre, self.scale).reshape(2, _SIGN)
        missing = above[_INFINITY + 1 :].sum() + below[_INFINITY + 1 :].sum()
        centre = above[:_INNER].sum() + below[:_INNER].sum()
        return np.concatenate(([missing], _arm(below)[::-1], [centre], _arm(above)))

    def edges(self) -> Floats:
        """The lower edge of cells 1 to ``size - 1`` and last the upper edge of the last: shape (size,).

        The outermost are infinite. Values are compared in single precision, so an edge is good to one part in 2**23.
        """
        arm = np.arange(_ARM)
        outer = 2.0 ** (arm // 64 - _OCTAVES) * (1 + (arm % 64) / 64)       # inner bound of cell arm + 1, in scales
        z = np.r_[-np.inf, -outer[::-1], outer, np.inf]
        edges: Floats = self.centre + self.scale * z
        return edges

    def to_json(self) -> dict[str, Any]:
        return {"kind": "numeric", "centre": self.centre, "scale": self.scale}


def _arm(halves: Ints) -> Ints:
    """Counts by cell of one side, from the centre outwards, of counts by magnitude."""
    inner = halves[_INNER:_OUTER].reshape(-1, 2).sum(axis=1)
    return np.append(inner, halves[_OUTER : _INFINITY + 1].sum())


@dataclass(frozen=True, slots=True)
class UniformGrid:
    """``n`` cells of equal width on [0, 1], for scores: cell 1 + floor(value * n), the last closed at 1.

    >>> UniformGrid(10).cells(np.array([0.0, 0.55, 1.0, np.nan])).tolist()
    [1, 6, 10, 0]
    """

    n: int = 2_000

    @property
    def size(self) -> int:
        return self.n + 1

    def cells(self, values: Floats) -> Ints:
        """The cell of each value, shape (n,); NaN is missing, what lies outside [0, 1] counts as its nearer end."""
        x = np.asarray(values, np.float64)
        out = np.empty(len(x), np.int64)
        wide = np.empty(min(BLOCK, len(x)))
        with np.errstate(over="ignore"):
            for at in blocks(len(x)):
                scaled = np.multiply(x[at], self.n, out=wide[: at.stop - at.start])
                np.clip(scaled, 0.0, self.n - 1.0, out=scaled)
                if np.isnan(scaled.max()):
                    scaled[np.isnan(scaled)] = -1.0
                out[at] = scaled
        out += 1
        return out

    def count(self, values: Floats) -> Ints:
        """How many values each cell holds, shape (size,)."""
        total = np.zeros(self.size, np.int64)
        for at in blocks(len(values)):
            total += np.bincount(self.cells(values[at]), minlength=self.size)
        return total

    def count_by(self, values: Floats, codes: npt.NDArray[np.integer], classes: int) -> Ints:
        """The same by class: ``codes`` of shape (n,) below ``classes``, the result of shape (classes, size).

        >>> UniformGrid(2).count_by(np.array([0.1, 0.9, 0.9]), np.array([0, 1, 1]), 2).tolist()
        [[0, 1, 0], [0, 0, 2]]
        """
        size = classes * self.size
        total = np.zeros(size, np.int64)
        for at in blocks(len(values), max(BLOCK, size)):
            index = self.cells(values[at])
            index += codes[at] * np.int64(self.size)
            total += np.bincount(index, minlength=size)
        return total.reshape(classes, self.size)

    def edges(self) -> Floats:
        return np.arange(self.n + 1) / self.n

    def to_json(self) -> dict[str, Any]:
        return {"kind": "uniform", "n": self.n}


@dataclass(frozen=True, slots=True)
class CategoryGrid:
    """One cell for each known category, in the given order, and a last one for all others.

    ``complete`` says that the list holds every category of the reference, so that "other" means "never seen there".

    >>> grid = CategoryGrid(("a", "b"))
    >>> grid.cells(["b", None, "z", "a"]).tolist(), grid.size
    ([2, 0, 3, 1], 4)
    """

    categories: tuple[str, ...]
    complete: bool = True

    @property
    def size(self) -> int:
        return len(self.categories) + 2

    @property
    def other(self) -> int:
        return len(self.categories) + 1

    @classmethod
    def of(cls, counts: Mapping[str, int], limit: int = MAX_CATEGORIES) -> CategoryGrid:
        """The categories of the reference, most frequent first (ties by name), at most ``limit``.

        >>> CategoryGrid.of({"b": 2, "c": 1, "a": 2}, limit=2)
        CategoryGrid(categories=('a', 'b'), complete=False)
        """
        ranked = sorted(counts, key=lambda c: (-counts[c], c))
        return cls(tuple(ranked[:limit]), len(ranked) <= limit)

    def cells(self, values: Sequence[str | None]) -> Ints:
        """The cell of each value, shape (n,); ``None`` is missing."""
        code = self.codes()
        return np.fromiter((0 if v is None else code.get(v, self.other) for v in values), np.int64, len(values))

    def cells_in(self, column: pa.Array) -> Ints:
        """The same for Arrow's text, or a dictionary of it, read as it lies in memory.

        >>> CategoryGrid(("a", "b")).cells_in(pa.array(["b", None, "z", "a"])).tolist()
        [2, 0, 3, 1]
        """
        if pa.types.is_null(column.type):
            return np.zeros(len(column), np.int64)
        if pa.types.is_dictionary(column.type):
            return self.cells_of(column.dictionary.to_pylist(), np.asarray(column.indices.fill_null(-1)))
        words = short_words(column)
        if words is not None:
            found: Ints = self._table(words.itemsize)[words]
            return found
        index = pc.index_in(column, pa.array(self.categories, column.type)).fill_null(len(self.categories))
        cells = np.asarray(index) + np.int64(1)
        if column.null_count:
            cells[np.asarray(column.is_null())] = 0
        return cells

    def count(self, column: pa.Array) -> Ints:
        """How many values of a column each cell holds, shape (size,).

        >>> CategoryGrid(("a", "b")).count(pa.array(["b", None, "z", "b"])).tolist()
        [1, 0, 2, 1]
        """
        words = short_words(column)
        if words is None:
            return np.asarray(np.bincount(self.cells_in(column), minlength=self.size))
        counts, total = np.bincount(words), np.zeros(self.size, np.int64)
        found = np.flatnonzero(counts)
        np.add.at(total, self._table(words.itemsize)[found], counts[found])
        return total

    def _table(self, width: int) -> Ints:
        """The cell of each word of ``width`` bytes, by the number of ``short_words``."""
        table = np.full(1 << 8 * width, self.other)
        for category, cell in self.codes().items():
            if len(category.encode()) == width:
                table[word_number(category)] = cell
        return table

    def cells_of(self, dictionary: Sequence[str | None], indices: npt.NDArray[np.integer]) -> Ints:
        """The same for dictionary-encoded values, at the cost of the dictionary: index -1 is missing."""
        table = np.append(self.cells(dictionary), 0)
        cells: Ints = table[indices]
        return cells

    def codes(self) -> dict[str, int]:
        return {c: i for i, c in enumerate(self.categories, start=1)}

    def to_json(self) -> dict[str, Any]:
        return {"kind": "category", "categories": list(self.categories), "complete": self.complete}


Grid = NumericGrid | UniformGrid | CategoryGrid


def grid_from_json(data: dict[str, Any]) -> Grid:
    """Read what ``to_json`` wrote."""
    match data["kind"]:
        case "numeric":
            return NumericGrid(data["centre"], data["scale"])
        case "uniform":
            return UniformGrid(data["n"])
        case "category":
            return CategoryGrid(tuple(data["categories"]), data["complete"])
        case other:
            raise ValueError(f"'{other}' is no kind of grid known here")
