"""The space of a model: one flat numbering of all cells that its predictions and outcomes are counted into.

Predictions are counted by feature, by output (the score, or the value of a regression) and by axis and decision.
Outcomes are counted by score and label, and by axis, decision and label; their losses are summed. An axis divides the
rows into groups: ``all`` has one, a protected attribute or a segment has its categories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from detectors.summaries.grids import CategoryGrid, Grid, NumericGrid, UniformGrid, grid_from_json
from detectors.summaries.summary import Ints

Task = Literal["binary_classification", "regression"]

CLASSIFICATION_SUMS = ("log_loss", "brier")
REGRESSION_SUMS = ("error", "absolute_error", "squared_error", "fourth_power_error", "actual", "squared_actual")


@dataclass(frozen=True, slots=True)
class Column:
    """A measured column: a feature, or the output ``score`` or ``value``, with its grid."""

    kind: Literal["feature", "output"]
    name: str
    grid: Grid


@dataclass(frozen=True, slots=True)
class Axis:
    """A way to divide the rows into groups: everything, a protected attribute, or a segment (a tag)."""

    kind: Literal["all", "attribute", "segment"]
    name: str
    grid: CategoryGrid

    @property
    def size(self) -> int:
        return self.grid.size


ALL = Axis("all", "all", CategoryGrid(("all",)))


@dataclass(frozen=True)
class Space:
    """The columns and axes of a model and where their cells lie. ``axes[0]`` is always ``ALL``.

    Prediction cells: the columns one behind the other, then each axis as (group, decision). Outcome cells:
    the output's grid as (label, cell), then each axis as (group, decision, label). Decision and label
    are 1 for the positive label, 0 for the other; a regression has no decisions and labels: both dimensions are 1.
    """

    task: Task
    columns: tuple[Column, ...]
    axes: tuple[Axis, ...] = (ALL,)

    @property
    def features(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.kind == "feature")

    @property
    def output(self) -> Column:
        """The column of the score, or of a regression's predicted value."""
        return next(c for c in self.columns if c.kind == "output")

    @property
    def n_classes(self) -> int:
        return 2 if self.task == "binary_classification" else 1

    @property
    def sums(self) -> tuple[str, ...]:
        """The names of the outcome sums, in their order."""
        return CLASSIFICATION_SUMS if self.task == "binary_classification" else REGRESSION_SUMS

    @cached_property
    def column_offsets(self) -> Ints:
        """Where each column's cells begin in a prediction summary, and where the last ends; shape (columns + 1,)."""
        return np.cumsum([0, *(c.grid.size for c in self.columns)]).astype(np.int64)

    @cached_property
    def axis_offsets(self) -> Ints:
        """Where each axis begins in a prediction summary; shape (axes + 1,)."""
        sizes = [0, *(a.size * self.n_classes for a in self.axes)]
        offsets: Ints = self.column_offsets[-1] + np.cumsum(sizes).astype(np.int64)
        return offsets

    @cached_property
    def outcome_axis_offsets(self) -> Ints:
        """Where each axis begins in an outcome summary, behind the output's (label, cell); shape (axes + 1,)."""
        sizes = [self.n_classes * self.output.grid.size, *(a.size * self.n_classes**2 for a in self.axes)]
        return np.cumsum(sizes).astype(np.int64)

    @property
    def prediction_size(self) -> int:
        return int(self.axis_offsets[-1])

    @property
    def outcome_size(self) -> int:
        return int(self.outcome_axis_offsets[-1])

    def column_counts(self, predictions: Ints) -> Iterator[tuple[Column, Ints]]:
        """Each column with its own cells of a dense prediction summary."""
        for i, column in enumerate(self.columns):
            yield column, predictions[self.column_offsets[i] : self.column_offsets[i + 1]]

    def decisions(self, predictions: Ints, axis: int = 0) -> Ints:
        """Counts by group and decision of one axis: shape (groups, classes)."""
        at = slice(self.axis_offsets[axis], self.axis_offsets[axis + 1])
        return predictions[at].reshape(-1, self.n_classes)

    def confusion(self, outcomes: Ints, axis: int = 0) -> Ints:
        """Counts by group, decision and label of one axis: shape (groups, classes, classes)."""
        at = slice(self.outcome_axis_offsets[axis], self.outcome_axis_offsets[axis + 1])
        return outcomes[at].reshape(-1, self.n_classes, self.n_classes)

    def score_by_label(self, outcomes: Ints) -> Ints:
        """Counts by label and cell of the output's grid: shape (classes, grid size)."""
        return outcomes[: self.outcome_axis_offsets[0]].reshape(self.n_classes, -1)

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "columns": [{"kind": c.kind, "name": c.name, "grid": c.grid.to_json()} for c in self.columns],
            "axes": [{"kind": a.kind, "name": a.name, "grid": a.grid.to_json()} for a in self.axes],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Space:
        """Read what ``to_json`` wrote."""
        columns = tuple(Column(c["kind"], c["name"], grid_from_json(c["grid"])) for c in data["columns"])
        axes = []
        for a in data["axes"]:
            grid = grid_from_json(a["grid"])
            assert isinstance(grid, CategoryGrid)
            axes.append(Axis(a["kind"], a["name"], grid))
        return cls(data["task"], columns, tuple(axes))


def example_space() -> Space:
    """A small space for doctests and tests: one numeric and one categorical feature, a score, one attribute.

    >>> space = example_space()
    >>> [c.name for c in space.columns], space.prediction_size, space.outcome_size
    (['age', 'plan', 'score'], 4071, 4030)
    >>> Space.from_json(space.to_json()) == space
    True
    """
    return Space(
        "binary_classification",
        (
            Column("feature", "age", NumericGrid(40.0, 20.0)),
            Column("feature", "plan", CategoryGrid(("basic", "plus"))),
            Column("output", "score", UniformGrid()),
        ),
        (ALL, Axis("attribute", "sex", CategoryGrid(("1", "2")))),
    )
