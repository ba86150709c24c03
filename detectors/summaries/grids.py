"""Grids: the fixed cells into which values are counted. Bound to the reference and never moved, so that any two
summaries of one grid merge and compare. Cell 0 is always "missing"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.summaries.summary import Floats, Ints

MAX_CATEGORIES = 1_000
MAX_GROUPS = 50

_MANTISSA_BITS = 6           # 64 cells to each doubling: a cell is at most 1/64 of its distance from the median wide
_OCTAVES = 8                 # from 2**-8 to 2**8 interquartile ranges on either side; beyond lies over- and underflow
_SHIFT = 23 - _MANTISSA_BITS
_BASE = (127 - _OCTAVES) << _MANTISSA_BITS
_ARM = (2 * _OCTAVES << _MANTISSA_BITS) + 1      # cells on one side of the centre, the outermost for overflow


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
        x = np.asarray(values, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            z = ((x - self.centre) / self.scale).astype(np.float32)
        bits = z.view(np.int32)
        arm = np.clip(((bits & 0x7FFFFFFF) >> _SHIFT) - _BASE + 1, 0, _ARM)
        out: Ints = np.where(bits < 0, -arm, arm).astype(np.int64) + (_ARM + 1)
        out[np.isnan(x)] = 0
        return out

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
        x = np.asarray(values, np.float64)
        missing = np.isnan(x)
        out: Ints = np.clip((np.where(missing, 0.0, x) * self.n).astype(np.int64), 0, self.n - 1) + 1
        out[missing] = 0
        return out

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
