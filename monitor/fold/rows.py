"""A batch read through a space: every row as cells, groups, decision and score, ready to be counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.summaries.grids import CategoryGrid, Grid
from detectors.summaries.space import Axis, Space
from monitor.fold.digest import row_digests
from monitor.model import ModelSpec, canonical_label

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions of one batch, arrays of shape (n,); ``columns`` and ``groups`` hold one for each of the space's."""

    ids: list[str]
    versions: list[str]
    roles: list[str]
    timestamps: Ints
    digests: Ints
    columns: list[Ints]
    groups: list[Ints]
    decisions: Ints | None
    predicted: Floats

    def take(self, rows: Ints) -> Predictions:
        return Predictions(
            [self.ids[i] for i in rows],
            [self.versions[i] for i in rows],
            [self.roles[i] for i in rows],
            self.timestamps[rows],
            self.digests[rows],
            [c[rows] for c in self.columns],
            [g[rows] for g in self.groups],
            None if self.decisions is None else self.decisions[rows],
            self.predicted[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Outcomes of one batch, all of shape (n,): ``labels`` for a classification, ``actual`` for a regression."""

    ids: list[str]
    timestamps: Ints
    digests: Ints
    labels: Ints | None
    actual: Floats | None


def read_predictions(
    space: Space, spec: ModelSpec, table: pa.RecordBatch, protected: pa.RecordBatch | None
) -> Predictions:
    """Predictions (or a reference's rows) as cells. Columns that the batch lacks are missing throughout."""
    n = table.num_rows
    labels = column(table, "prediction_label")
    classify = space.task == "binary_classification"
    predicted = numbers(column(table, "prediction_score" if classify else "prediction_value"), n)
    cells = [
        space.output.grid.cells(predicted)  # type: ignore[arg-type]  # the output's grid takes numbers
        if c.kind == "output"
        else cells_of(c.grid, column(table, f"features.{c.name}"), n)
        for c in space.columns
    ]
    return Predictions(
        table.column("prediction_id").to_pylist(),
        table.column("model_version").to_pylist(),
        table.column("role").to_pylist(),
        micros(column(table, "timestamp"), n),
        row_digests(table, protected),
        cells,
        [_groups(axis, table, protected) for axis in space.axes],
        _decisions(labels, predicted, spec, n) if classify else None,
        predicted,
    )


def read_outcomes(space: Space, spec: ModelSpec, table: pa.RecordBatch) -> Outcomes:
    """Outcomes, or the outcome columns of a reference."""
    n = table.num_rows
    classify = space.task == "binary_classification"
    actual = numbers(column(table, "actual_value"), n)
    return Outcomes(
        table.column("prediction_id").to_pylist(),
        micros(column(table, "timestamp"), n),
        row_digests(table.select([c for c in table.schema.names if c.startswith(("actual", "final", "tags"))])),
        equals(column(table, "actual_label"), spec.positive_label, n) if classify else None,
        None if classify else actual,
    )


def cells_of(grid: Grid, values: pa.Array | None, n: int) -> Ints:
    """The cells of an Arrow column under a grid, shape (n,)."""
    if values is None:
        return np.zeros(n, np.int64)
    if isinstance(grid, CategoryGrid):
        encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        words = [None if v is None else canonical_label(v) for v in encoded.dictionary.to_pylist()]
        return grid.cells_of(words, np.asarray(encoded.indices.fill_null(-1)))
    return grid.cells(numbers(values, n))


def column(table: pa.RecordBatch | None, name: str) -> pa.Array | None:
    if table is None:
        return None
    at = table.schema.get_field_index(name)
    return None if at < 0 else table.column(at)


def numbers(values: pa.Array | None, n: int) -> Floats:
    """Float64 with NaN for null, shape (n,). Text of a time when the column was declared a category is read as a number
    where it is one, and missing otherwise."""
    if values is None:
        return np.full(n, np.nan)
    if pa.types.is_dictionary(values.type):
        table = np.array([*(_number(v) for v in values.dictionary.to_pylist()), np.nan])
        found: Floats = table[np.asarray(values.indices.fill_null(-1))]
        return found
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def micros(values: pa.Array | None, n: int) -> Ints:
    """Microseconds since 1970, 0 for null, shape (n,)."""
    if values is None:
        return np.zeros(n, np.int64)
    return np.asarray(values.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).fill_null(0))


def equals(values: pa.Array | None, label: str, n: int) -> Ints:
    """1 where a text column holds ``label``, 0 where it holds another, -1 where it is null; shape (n,)."""
    if values is None:
        return np.full(n, -1, np.int64)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    table = np.array([*(int(v == label) for v in encoded.dictionary.to_pylist()), -1], np.int64)
    found: Ints = table[np.asarray(encoded.indices.fill_null(-1))]
    return found


def _decisions(labels: pa.Array | None, scores: Floats, spec: ModelSpec, n: int) -> Ints:
    """The predicted label, else the score at or above the threshold."""
    by_score = (np.nan_to_num(scores, nan=-1.0) >= spec.decision_threshold).astype(np.int64)
    given = equals(labels, spec.positive_label, n)
    return np.where(given >= 0, given, by_score)


def _groups(axis: Axis, table: pa.RecordBatch, protected: pa.RecordBatch | None) -> Ints:
    if axis.kind == "all":
        return np.ones(table.num_rows, np.int64)
    if axis.kind == "attribute":
        return cells_of(axis.grid, column(protected, f"protected.{axis.name}"), table.num_rows)
    return cells_of(axis.grid, column(table, f"tags.{axis.name}"), table.num_rows)
