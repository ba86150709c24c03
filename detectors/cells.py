"""Where the cells of numeric columns lie, so that distances in the column's own unit can be read from counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Space
from detectors.summaries.summary import Floats

_ROUNDING = 1 + 2.0**-15      # a cell's edge is good to 2**-23 of its distance from the centre, its width 2**-6 of it


@dataclass(frozen=True, eq=False)
class CellPlaces:
    """``positions`` and ``halves`` of cells in the grid's own unit, shape (cells,), and that ``unit``, by column.

    A cell's position is its middle, and the values in it lie within ``halves`` of it. The outermost cells of a
    ``NumericGrid`` are open; their position is their inner edge, 256 interquartile ranges from the median. A distance
    is thus that of the values clamped to there. Clamping brings no two values further apart: that of the values as
    they are may be larger by any amount where rows lie beyond, and is otherwise within the bound. The missing cell and
    the cells of categories have position 0.
    """

    positions: Floats
    halves: Floats
    unit: Floats

    @classmethod
    def of(cls, space: Space) -> CellPlaces:
        """For all columns of a space, one behind the other."""
        numeric, positions, halves, unit = NumericGrid(0.0, 1.0), [], [], []
        for column in space.columns:
            match column.grid:
                case CategoryGrid():
                    place, half = np.zeros(column.grid.size - 1), np.zeros(column.grid.size - 1)
                case NumericGrid():
                    place, half = places(numeric)
                case UniformGrid():
                    place, half = places(column.grid)
            positions += [np.zeros(1), place]
            halves += [np.zeros(1), half]
            unit.append(column.grid.scale if isinstance(column.grid, NumericGrid) else 1.0)
        return cls(np.concatenate(positions), np.concatenate(halves), np.array(unit))


def places(grid: NumericGrid | UniformGrid) -> tuple[Floats, Floats]:
    """Positions and halves of cells 1 to ``size - 1`` of one grid, in the unit of its values: shape (size - 1,).

    >>> [x[:2].round(3).tolist() for x in places(UniformGrid(10))]
    [[0.05, 0.15], [0.05, 0.05]]
    >>> positions, halves = places(NumericGrid(0.0, 1.0))
    >>> float(positions[0]), float(halves[0]), bool((halves <= np.maximum(abs(positions) / 100, 0.004)).all())
    (-256.0, 0.0, True)
    """
    edges = grid.edges()
    with np.errstate(invalid="ignore"):
        middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2 * _ROUNDING
    if np.isinf(edges[0]):
        middle[[0, -1]] = edges[[1, -2]]
        half[[0, -1]] = 0.0
    return middle, half
