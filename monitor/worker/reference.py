"""A reference becomes the grid of its model: cells for each feature, groups for each attribute, noise from blocks."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.reference import Reference
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import MAX_CATEGORIES, MAX_GROUPS, CategoryGrid, Grid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary
from monitor.batch import Batch
from monitor.fold.rows import Ints, Predictions, column, numbers, read_outcomes, read_predictions
from monitor.model import FeatureType, ModelSpec
from monitor.times import from_micros

FEW_BLOCKS, MANY_BLOCKS = 64, 512     # pieces whose differences show how far apart two samples of one process lie


def feature_types(spec: ModelSpec, table: pa.RecordBatch) -> dict[str, FeatureType]:
    """The declared features, or those of the reference with the types of its columns."""
    if spec.features:
        return dict(spec.features)
    found: dict[str, FeatureType] = {}
    for field in table.schema:
        if field.name.startswith("features."):
            numeric = pa.types.is_floating(field.type)
            found[field.name.removeprefix("features.")] = "numeric" if numeric else "categorical"
    return found


def build_space(spec: ModelSpec, features: dict[str, FeatureType], batch: Batch) -> Space:
    """Fit a grid to each feature and the groups of each axis, from the rows of the reference."""
    table = batch.table
    columns = [Column("feature", n, _grid(kind, column(table, f"features.{n}"))) for n, kind in features.items()]
    if spec.task == "binary_classification":
        columns.append(Column("output", "score", UniformGrid()))
    else:
        columns.append(Column("output", "value", _grid("numeric", column(table, "prediction_value"))))
    axes = [ALL]
    for name in spec.protected_attributes:
        groups = _categories(column(batch.protected, f"protected.{name}"), MAX_GROUPS)
        axes.append(Axis("attribute", name, groups))
    axes += [Axis("segment", n, _categories(column(table, f"tags.{n}"), MAX_GROUPS)) for n in spec.segments]
    return Space(spec.task, tuple(columns), tuple(axes))


def build_reference(spec: ModelSpec, space: Space, batch: Batch, name: str) -> Reference:
    """Summarise the reference, whole and by contiguous blocks in the order of time (of the rows, where it has none)."""
    rows = read_predictions(space, spec, batch.table, batch.protected)
    order = np.argsort(rows.timestamps, kind="stable")
    times = rows.timestamps[rows.timestamps > 0]
    start, end = (from_micros(int(t)) for t in (times.min(), times.max())) if times.size else (None, None)
    pieces = np.array_split(order, _pieces(spec, start, end))
    blocks = [_block(space, rows.take(piece)) for piece in pieces if piece.size]
    outcomes = _outcomes(spec, space, batch, rows)
    return Reference.build(name, space, blocks, outcomes, start, end)


def _pieces(spec: ModelSpec, start: datetime | None, end: datetime | None) -> int:
    """How many blocks: each no longer than a drift window, for a season within a block would not be seen as noise."""
    windows = (end - start) // spec.windows.drift + 1 if start and end else MANY_BLOCKS // 2
    return min(max(windows, FEW_BLOCKS), MANY_BLOCKS)


def _block(space: Space, rows: Predictions) -> Summary:
    return fold_predictions(space, rows.columns, rows.groups, rows.decisions)


def _outcomes(spec: ModelSpec, space: Space, batch: Batch, rows: Predictions) -> Summary:
    truth = read_outcomes(space, spec, batch.table)
    known: Ints
    if truth.labels is not None:
        known = np.flatnonzero(truth.labels >= 0)
    else:
        assert truth.actual is not None, "a regression's truth is a value"
        known = np.flatnonzero(np.isfinite(truth.actual))
    if not known.size:
        return Summary.zero(len(space.sums))
    part = rows.take(known)
    return fold_outcomes(
        space,
        part.columns[space.columns.index(space.output)],
        part.groups,
        part.decisions,
        None if truth.labels is None else truth.labels[known],
        part.predicted,
        None if truth.actual is None else truth.actual[known],
    )


def _grid(kind: FeatureType, values: pa.Array | None) -> Grid:
    if kind == "numeric":
        return NumericGrid.fit(numbers(values, 0 if values is None else len(values)))
    return _categories(values)


def _categories(values: pa.Array | None, limit: int = MAX_CATEGORIES) -> CategoryGrid:
    """Categories by how often they occur, without a Python object for each row."""
    if values is None:
        return CategoryGrid(())
    decoded = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    counted = pc.value_counts(decoded.drop_null())
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return CategoryGrid.of(dict(pairs), limit)
