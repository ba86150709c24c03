"""The space of a model: one flat numbering of all cells that its predictions and outcomes are counted into.

Predictions are counted by feature, by output (scores, or the value of a regression), by axis and decision, by decision
and score, by content (for duplicates) and by subject (for repeated people). Outcomes are counted by score and label,
and by axis, decision and label; their losses are summed, in all and by group. An axis divides the rows into groups:
``all`` has one, a protected attribute, an intersection of two, a segment or a feature has its categories or bins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from detectors.summaries.grids import CategoryGrid, Grid, NumericGrid, UniformGrid, grid_from_json
from detectors.summaries.layout import Layout
from detectors.summaries.projection import Projection
from detectors.summaries.summary import Floats, Ints

Task = Literal["binary_classification", "multiclass_classification", "regression", "ranking"]

CLASSIFICATION_SUMS = ("log_loss", "brier")
REGRESSION_SUMS = (         # the actual values are counted from the centre of the output's grid, all in the ``unit``
    "error", "absolute_error", "squared_error", "signed_squared_error", "fourth_power_error", "actual",
    "squared_actual", "cubed_actual", "fourth_power_actual", "squared_error_actual", "squared_error_squared_actual",
    "percentage_error", "squared_percentage_error", "nonzero",
)  # fmt: skip
REGRESSION_POWERS = (1, 1, 2, 2, 4, 1, 2, 3, 4, 3, 4, 0, 0, 0)      # of the unit in each of the sums
RANKING_SUMS = (
    "queries", "without_relevant", "ndcg", "mean_reciprocal_rank", "precision_at_k", "recall_at_k", "squared_ndcg",
    "squared_mean_reciprocal_rank", "squared_precision_at_k", "squared_recall_at_k",
)  # fmt: skip
GROUP_SUMS: dict[Task, tuple[int, ...]] = {
    "binary_classification": (2, 3),            # by label: rows with a score, score, score²
    "multiclass_classification": (0,),
    "regression": (3,),                         # error, |error|, error²
    "ranking": (6,),                            # the first six
}
CONTENTS = 8_192        # cells into which the contents of rows are hashed
PARTS = (2.0**12, 2.0**-20, 2.0**-52)
"""What the addends of a regression's sums are taken apart into: multiples of each step, the rest going to the next.

Each part is summed on its own, so that a value that is wildly wrong and then corrected leaves nothing behind, and a
square that is small is not rounded away. All parts are exact for up to 2**22 rows, the first up to 2**65 in magnitude.
"""
SUBJECTS = 1_024        # counters of the sketch of subjects, each with a plus and a minus cell


@dataclass(frozen=True, slots=True)
class Column:
    """A measured column with its grid: a feature, or an output: ``score``, ``score=CLASS``, ``label`` or ``value``."""

    kind: Literal["feature", "output"]
    name: str
    grid: Grid


@dataclass(frozen=True, slots=True)
class Axis:
    """A way to divide the rows into groups.

    ``of`` names what an intersection is made of. For a ``feature`` it is empty and ``starts`` holds the first cell of
    each bin in the feature's own grid, the missing cell being group 0.
    """

    kind: Literal["all", "attribute", "segment", "feature"]
    name: str
    grid: CategoryGrid
    of: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return self.grid.size

    def groups_of(self, cells: Ints) -> Ints:
        """The bin of each cell of the feature's own grid, shape (n,).

        >>> Axis("feature", "age", CategoryGrid(("low", "high")), starts=(1, 900)).groups_of(np.array([0, 5, 901]))
        array([0, 1, 2])
        """
        known = np.arange(int(cells.max()) + 1 if cells.size else 0)
        table = np.searchsorted(np.array(self.starts), known, side="right")     # once a cell, and not once a row
        found: Ints = table[cells].astype(np.int64, copy=False)
        return found


ALL = Axis("all", "all", CategoryGrid(("all",)))


@dataclass(frozen=True)
class Space:
    """The columns and axes of a model and where their cells lie. ``axes[0]`` is always ``ALL``.

    ``classes`` are those of a multiclass model; class ``len(classes)`` stands for all others. Of a binary one, class 1
    is the positive label and 0 the other. A regression and a ranking have no decisions and labels: both dimensions
    are 1. A ranking is judged by its first ``top`` items.
    ``projections`` give the multivariate sums of predictions: that of all numeric features together, and one for each
    embedding; ``projected`` names the features that each takes. ``subjects`` says whether rows name the person that
    they are about. A ranking is judged by its first ``top`` items.
    """

    task: Task
    columns: tuple[Column, ...]
    axes: tuple[Axis, ...] = (ALL,)
    classes: tuple[str, ...] = ()
    projections: tuple[Projection, ...] = ()
    projected: tuple[tuple[str, ...], ...] = ()
    subjects: bool = False
    top: int = 10

    @property
    def features(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.kind == "feature")

    @property
    def output(self) -> Column:
        """The first output: the score, the predicted label of many, a regression's value, a ranking's top score."""
        return next(c for c in self.columns if c.kind == "output")

    @cached_property
    def scores(self) -> tuple[int, ...]:
        """The numbers of the columns that hold a score (one for each class of many), or a regression's value."""
        return tuple(i for i, c in enumerate(self.columns) if c.kind == "output" and c.name != "label")

    @property
    def n_classes(self) -> int:
        return {"binary_classification": 2, "multiclass_classification": len(self.classes) + 1}.get(self.task, 1)

    @cached_property
    def unit(self) -> float:
        """What a regression's errors and actual values are summed in: the power of two next to its grid's scale."""
        grid = self.output.grid
        exponent = np.log2(grid.scale) if isinstance(grid, NumericGrid) and self.task == "regression" else 0.0
        return float(2.0 ** np.clip(np.rint(exponent), -180, 180))

    @property
    def sums(self) -> tuple[str, ...]:
        """The names of the outcome sums of the model as a whole, in their order; those by group follow them."""
        return {"regression": REGRESSION_SUMS, "ranking": RANKING_SUMS}.get(self.task, CLASSIFICATION_SUMS)

    @cached_property
    def predictions(self) -> Layout:
        """Columns (cell); axes (group, decision); ``decided`` (decision, cell of that class's score); ``contents``;
        ``mistyped`` rows by the column whose value had a wrong type; rows with ``undeclared`` fields; ``subjects``
        (counter, minus or plus)."""
        k = self.n_classes
        shapes: dict[tuple[str, int], tuple[int, ...]] = {
            ("column", i): (c.grid.size,) for i, c in enumerate(self.columns)
        }
        shapes |= {("axis", i): (a.size, k) for i, a in enumerate(self.axes)}
        if k > 1:
            shapes["decided", 0] = (k, self._score_size)
        shapes["contents", 0] = (CONTENTS,)
        shapes["mistyped", 0] = (len(self.columns),)
        shapes["undeclared", 0] = (1,)
        if self.subjects:
            shapes["subjects", 0] = (SUBJECTS, 2)
        return Layout(shapes)

    @cached_property
    def outcomes(self) -> Layout:
        """``scored`` (is it the label, cell) of each score, (1, cell) of a value; axes (group, decision, label)."""
        k = self.n_classes
        shapes: dict[tuple[str, int], tuple[int, ...]] = {
            ("scored", i): (min(k, 2), self._score_size) for i in range(len(self.scores))
        }
        shapes |= {("axis", i): (a.size, k, k) for i, a in enumerate(self.axes)}
        return Layout(shapes)

    @cached_property
    def prediction_sums(self) -> Layout:
        """Each projection's sums."""
        return Layout({("projection", i): (p.size,) for i, p in enumerate(self.projections)})

    @cached_property
    def outcome_sums(self) -> Layout:
        """The ``addends``; those of a regression once for each of their ``PARTS``, one behind the other."""
        parts = len(PARTS) if self.task == "regression" else 1
        return Layout({("part", i): (self.addends.size,) for i in range(parts)})

    @cached_property
    def addends(self) -> Layout:
        """The model's ``sums``, then those by group of each axis: (group, *GROUP_SUMS of the task)."""
        shapes: dict[tuple[str, int], tuple[int, ...]] = {("model", 0): (len(self.sums),)}
        shapes |= {("axis", i): (a.size, *GROUP_SUMS[self.task]) for i, a in enumerate(self.axes)}
        return Layout(shapes)

    @cached_property
    def column_offsets(self) -> Ints:
        """Where each column's cells begin in a prediction summary, and where the last ends; shape (columns + 1,)."""
        return np.cumsum([0, *(c.grid.size for c in self.columns)]).astype(np.int64)

    @property
    def prediction_size(self) -> int:
        return self.predictions.size

    @property
    def outcome_size(self) -> int:
        return self.outcomes.size

    def column_counts(self, predictions: Ints) -> Iterator[tuple[Column, Ints]]:
        """Each column with its own cells of a dense prediction summary."""
        for i, column in enumerate(self.columns):
            yield column, self.predictions.view(predictions, "column", i)

    def decisions(self, predictions: Ints, axis: int = 0) -> Ints:
        """Counts by group and decision of one axis: shape (groups, classes)."""
        return self.predictions.view(predictions, "axis", axis)

    def rows(self, predictions: Ints) -> int:
        """How many predictions a dense summary speaks of."""
        return int(self.decisions(predictions).sum())

    def decided(self, predictions: Ints) -> Ints:
        """Counts by decision and by cell of the score of that class (of many) or of the positive label (of two)."""
        return self.predictions.view(predictions, "decided")

    def confusion(self, outcomes: Ints, axis: int = 0) -> Ints:
        """Counts by group, decision and label of one axis: shape (groups, classes, classes)."""
        return self.outcomes.view(outcomes, "axis", axis)

    def score_by_label(self, outcomes: Ints, score: int = 0) -> Ints:
        """Counts of a score by "is this class the label" and cell, shape (2, grid size); of a value (1, grid size)."""
        return self.outcomes.view(outcomes, "scored", score)

    def model_sums(self, sums: Floats) -> Floats:
        """The outcome sums of the model as a whole, in the order of ``sums``."""
        total = self.addends.view(self._together(sums), "model")
        return total * self.unit ** np.array(REGRESSION_POWERS) if self.task == "regression" else total

    def group_sums(self, sums: Floats, axis: int) -> Floats:
        """The outcome sums by group of one axis: (groups, label, [rows, score, score²]) of two
        classes, (groups, [error, |error|, error²]) of a regression."""
        total = self.addends.view(self._together(sums), "axis", axis)
        return total * self.unit ** np.array(REGRESSION_POWERS[:3]) if self.task == "regression" else total

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "columns": [{"kind": c.kind, "name": c.name, "grid": c.grid.to_json()} for c in self.columns],
            "axes": [
                {"kind": a.kind, "name": a.name, "grid": a.grid.to_json(), "of": a.of, "starts": a.starts}
                for a in self.axes
            ],
            "classes": self.classes,
            "projections": [p.to_json() for p in self.projections],
            "projected": self.projected,
            "subjects": self.subjects,
            "top": self.top,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Space:
        """Read what ``to_json`` wrote."""
        columns = tuple(Column(c["kind"], c["name"], grid_from_json(c["grid"])) for c in data["columns"])
        axes = []
        for a in data["axes"]:
            grid = grid_from_json(a["grid"])
            assert isinstance(grid, CategoryGrid)
            axes.append(Axis(a["kind"], a["name"], grid, tuple(a["of"]), tuple(a["starts"])))
        projections = tuple(Projection.from_json(p) for p in data["projections"])
        projected = tuple(tuple(names) for names in data["projected"])
        rest = projections, projected, data["subjects"], data["top"]
        return cls(data["task"], columns, tuple(axes), tuple(data["classes"]), *rest)

    def _together(self, sums: Floats) -> Floats:
        """The sums of the addends from those of their parts; no copy where they have none."""
        return np.asarray(sums.reshape(len(PARTS), -1).sum(axis=0)) if self.task == "regression" else sums

    @property
    def _score_size(self) -> int:
        return self.columns[self.scores[0]].grid.size


def example_space() -> Space:
    """A small space for doctests and tests: one numeric and one categorical feature, a score, one attribute.

    >>> space = example_space()
    >>> [c.name for c in space.columns], space.prediction_size, space.outcome_size
    (['age', 'plan', 'score'], 16269, 4030)
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
