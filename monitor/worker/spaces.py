"""A model's space from the rows of its reference: a grid for each feature, groups for each axis, projections."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.bins import decile_starts, ranges
from detectors.summaries.grids import MAX_CATEGORIES, MAX_GROUPS, CategoryGrid, Grid, NumericGrid, UniformGrid
from detectors.summaries.projection import Projection
from detectors.summaries.space import ALL, Axis, Column, Space
from monitor.batch import Batch
from monitor.fold import rankings
from monitor.fold.rows import Floats, Ints, cells_of, column, matrix_of, numbers
from monitor.model import FeatureType, ModelSpec, dimensions

MAX_FEATURE_AXES = 16       # features by whose bins outcomes are counted too: those that move the output most
MAX_TOGETHER = 64           # numeric features that are projected together
FEATURE_GROUPS = 10


def feature_types(spec: ModelSpec, table: pa.RecordBatch) -> dict[str, FeatureType]:
    """The declared features, or those of the reference with the types of its columns."""
    if spec.features:
        return dict(spec.features)
    found: dict[str, FeatureType] = {}
    for field in table.schema:
        if field.name.startswith("features."):
            found[field.name.removeprefix("features.")] = _feature_type(field.type)
    return found


def _feature_type(kind: pa.DataType) -> FeatureType:
    if pa.types.is_fixed_size_list(kind):
        return f"embedding[{kind.list_size}]"
    return "numeric" if pa.types.is_floating(kind) else "categorical"


def build_space(spec: ModelSpec, features: dict[str, FeatureType], batch: Batch) -> Space:
    """Fit a grid to each feature and the groups of each axis, from the rows of the reference."""
    table, n = batch.table, batch.table.num_rows
    single = {name: kind for name, kind in features.items() if dimensions(kind) is None}
    columns = [Column("feature", m, _grid(kind, column(table, f"features.{m}"))) for m, kind in single.items()]
    outputs = _outputs(spec, table)
    projected = _projected(features, table)
    axes = [ALL]
    for name in spec.protected_attributes:
        groups = _categories(column(batch.protected, f"protected.{name}"), MAX_GROUPS)
        axes.append(Axis("attribute", name, groups))
    axes += [_intersection(pair, batch.protected) for pair in spec.intersections]
    axes += [Axis("segment", m, _categories(column(table, f"tags.{m}"), MAX_GROUPS)) for m in spec.segments]
    cells = [cells_of(c.grid, column(table, f"features.{c.name}"), n) for c in columns]
    axes += _feature_axes(columns, cells, _first_output(spec, table, n))
    return Space(
        spec.task,
        (*columns, *outputs),
        tuple(axes),
        spec.classes,
        tuple(_projection(names, table) for names in projected),
        projected,
        column(table, "subject_key") is not None,
        spec.top,
    )


def _outputs(spec: ModelSpec, table: pa.RecordBatch) -> list[Column]:
    if not spec.classifies:
        return [Column("output", "value", NumericGrid.fit(_first_output(spec, table, table.num_rows)))]
    if not spec.classes:
        return [Column("output", "score", UniformGrid())]
    label = Column("output", "label", CategoryGrid(spec.classes))
    return [label, *(Column("output", f"score={c}", UniformGrid()) for c in spec.classes)]


def _intersection(pair: tuple[str, str], protected: pa.RecordBatch | None) -> Axis:
    """The pairs of groups that occur, the most frequent first."""
    parts = [column(protected, f"protected.{name}") for name in pair]
    there = [p.dictionary_decode() for p in parts if p is not None]
    joined = pc.binary_join_element_wise(*there, "&") if len(there) == 2 else None
    return Axis("attribute", "&".join(pair), _categories(joined, MAX_GROUPS), of=pair)


def _feature_axes(columns: list[Column], cells: list[Ints], output: Floats) -> list[Axis]:
    """The features whose bins differ most in the output, as axes: what a change in performance is broken down by."""
    found = []
    for column_, at in zip(columns, cells, strict=True):
        counts = np.bincount(at, minlength=column_.grid.size)
        if isinstance(column_.grid, CategoryGrid):
            starts = np.arange(1, min(column_.grid.size, FEATURE_GROUPS + 1) + 1)[: column_.grid.size - 1]
            names = (*column_.grid.categories, "other")[: starts.size]
            labels = (*names[:-1], "other") if len(column_.grid.categories) > FEATURE_GROUPS else names
        else:
            starts = decile_starts(counts[1:]) + 1
            labels = ranges(column_.grid.edges()[starts[1:] - 1])
        axis = Axis("feature", column_.name, CategoryGrid(tuple(labels)), starts=tuple(starts.tolist()))
        groups = axis.groups_of(at)
        n = np.bincount(groups, minlength=axis.size)
        mean = np.bincount(groups, weights=output, minlength=axis.size) / np.maximum(n, 1)
        found.append((float((n * (mean - output.mean()) ** 2).sum()), axis))
    ranked = sorted(range(len(found)), key=lambda i: -found[i][0])[:MAX_FEATURE_AXES]
    return [found[i][1] for i in sorted(ranked)]


def _first_output(spec: ModelSpec, table: pa.RecordBatch, n: int) -> Floats:
    """What stands for the output where one number is asked for: the score (the first class's, the list's highest), or
    the value."""
    if spec.task == "ranking":
        return np.nan_to_num(rankings.top(rankings.pack(column(table, "prediction_score"), n)))
    name = "prediction_value" if spec.task == "regression" else "prediction_score"
    if spec.classes:
        name = f"prediction_score.{spec.classes[0]}"
    return np.nan_to_num(numbers(column(table, name), n))


def _projected(features: dict[str, FeatureType], table: pa.RecordBatch) -> tuple[tuple[str, ...], ...]:
    """The features that are projected together: all numeric ones where there are two or more, and each embedding."""
    numeric = tuple(name for name, kind in features.items() if kind == "numeric")[:MAX_TOGETHER]
    alone = [(m,) for m, kind in features.items() if dimensions(kind) and column(table, f"features.{m}") is not None]
    return ((numeric,) if len(numeric) > 1 else ()) + tuple(alone)


def _projection(names: tuple[str, ...], table: pa.RecordBatch) -> Projection:
    matrix = matrix_of(names, table)
    labels = names if len(names) > 1 else [f"{names[0]}[{i}]" for i in range(matrix.shape[1])]
    return Projection.fit(matrix, labels)


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
