"""A layout: named blocks of cells one behind the other in a flat numbering, each with a shape of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeVar

import numpy as np

from detectors.summaries.summary import Floats, Ints

Numbers = TypeVar("Numbers", Ints, Floats)
Name = tuple[str, int]


@dataclass(frozen=True)
class Layout:
    """Where each block begins and what shape it has. A block is named by its kind and its number within the kind.

    >>> layout = Layout({("column", 0): (4,), ("axis", 0): (2, 2)})
    >>> layout.size, layout.start("axis", 0), layout.view(np.arange(8), "axis", 0).tolist()
    (8, 4, [[4, 5], [6, 7]])
    """

    shapes: Mapping[Name, tuple[int, ...]]

    @cached_property
    def starts(self) -> dict[Name, int]:
        ends = np.cumsum([prod(shape) for shape in self.shapes.values()]).tolist()
        return dict(zip(self.shapes, [0, *ends[:-1]], strict=True)) if ends else {}

    @cached_property
    def size(self) -> int:
        return sum(prod(shape) for shape in self.shapes.values())

    def start(self, kind: str, number: int = 0) -> int:
        """The first cell of a block."""
        return self.starts[kind, number]

    def view(self, values: Numbers, kind: str, number: int = 0) -> Numbers:
        """A block of a dense array, in its shape; no copy."""
        shape, start = self.shapes[kind, number], self.starts[kind, number]
        return values[start : start + prod(shape)].reshape(shape)
