"""A batch read through a space: every row as cells, groups, decision and score, ready to be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.summaries.grids import CategoryGrid, Grid
from detectors.summaries.mixing import Words
from detectors.summaries.space import Axis, Space
from monitor.fold import rankings
from monitor.fold.coded import Coded
from monitor.fold.digest import row_digests
from monitor.fold.ids import Ids, unpack_ids
from monitor.model import ModelSpec, canonical_label

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions of one batch, arrays of shape (n,); ``columns`` and ``groups`` hold one for each of the space's.

    ``predicted``: scores or value, shape (n, scores); ``subjects``: a digest of the person, or of the prediction where
    none is named; ``matrices``: the values that each projection of the space takes, shape (n, dimensions); ``lists``:
    those of a ranking, packed. ``mistyped`` and ``undeclared``: what was wrong with a row beside what was taken of it,
    as in ``Batch``.
    """

    ids: Ids
    versions: Coded
    roles: Coded
    timestamps: Ints
    digests: Ints
    columns: list[Ints]
    groups: list[Ints]
    decisions: Ints | None
    predicted: Floats
    subjects: Ints | None
    matrices: list[Floats]
    lists: list[bytes]
    mistyped: pa.DictionaryArray | None = None
    undeclared: npt.NDArray[np.bool_] | None = None

    def take(self, rows: Ints) -> Predictions:
        return Predictions(
            self.ids.take(rows),
            self.versions.take(rows),
            self.roles.take(rows),
            self.timestamps[rows],
            self.digests[rows],
            [c[rows] for c in self.columns],
            [g[rows] for g in self.groups],
            None if self.decisions is None else self.decisions[rows],
            self.predicted[rows],
            None if self.subjects is None else self.subjects[rows],
            [m[rows] for m in self.matrices],
            [self.lists[i] for i in rows.tolist()] if self.lists else [],
            None if self.mistyped is None else self.mistyped.take(pa.array(rows)),
            None if self.undeclared is None else self.undeclared[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Outcomes of one batch, all of length n: ``labels`` for a classification, ``actual`` for a regression,
    ``relevance`` (packed) for a ranking."""

    ids: Ids
    timestamps: Ints
    digests: Ints
    labels: Ints | None
    actual: Floats | None
    relevance: list[bytes] | None = None

    def __len__(self) -> int:
        return self.digests.size

    def take(self, rows: Ints) -> Outcomes:
        return Outcomes(
            self.ids.take(rows),
            self.timestamps[rows],
            self.digests[rows],
            None if self.labels is None else self.labels[rows],
            None if self.actual is None else self.actual[rows],
            None if self.relevance is None else [self.relevance[i] for i in rows.tolist()],
        )

    def columns(self) -> pa.RecordBatch:
        """All but the ids, as they are kept."""
        found: dict[str, pa.Array] = {"timestamp": pa.array(self.timestamps), "digest": pa.array(self.digests)}
        if self.labels is not None:
            found["label"] = pa.array(self.labels.astype(np.int32))
        if self.actual is not None:
            found["value"] = pa.array(self.actual)
        if self.relevance is not None:
            found["relevance"] = pa.array(self.relevance, pa.binary())
        return pa.RecordBatch.from_pydict(found)

    @classmethod
    def read(cls, rows: pa.RecordBatch, hashes: Words) -> Outcomes:
        """What ``columns`` gave, under its ids in the column ``id``, whose hashes are known."""
        names = rows.schema.names
        return cls(
            Ids(rows.column("id"), hashes),
            np.asarray(rows.column("timestamp")),
            np.asarray(rows.column("digest")),
            np.asarray(rows.column("label")).astype(np.int64) if "label" in names else None,
            np.asarray(rows.column("value")) if "value" in names else None,
            rows.column("relevance").to_pylist() if "relevance" in names else None,
        )


def read_predictions(
    space: Space, spec: ModelSpec, table: pa.RecordBatch, protected: pa.RecordBatch | None
) -> Predictions:
    """Predictions (or a reference's rows) as cells. Columns that the batch lacks are missing throughout."""
    n = table.num_rows
    lists = rankings.pack(column(table, "prediction_score"), n) if space.task == "ranking" else []
    predicted = rankings.top(lists)[:, None] if lists else _predicted(space, table, n)
    decisions = _decisions(space, spec, table, predicted)
    scores = {space.columns[c].name: predicted[:, i] for i, c in enumerate(space.scores)}
    cells = []
    for c in space.columns:
        if c.kind == "feature":
            cells.append(cells_of(c.grid, column(table, f"features.{c.name}"), n))
        elif isinstance(c.grid, CategoryGrid):
            assert decisions is not None, "a model whose output is a label decides"
            cells.append(decisions + 1)
        else:
            cells.append(c.grid.cells(scores[c.name]))
    return Predictions(
        Ids.of(table.column("prediction_id")),
        Coded.of(table.column("model_version")),
        Coded.of(table.column("role")),
        micros(column(table, "timestamp"), n),
        row_digests(table, protected),
        cells,
        _groups(space, cells, table, protected),
        decisions,
        predicted,
        _subjects(table) if space.subjects else None,
        [matrix_of(m, table, len(p.names)) for m, p in zip(space.projected, space.projections, strict=True)],
        lists,
        column(table, "mistyped"),
        None if column(table, "undeclared") is None else _flags(column(table, "undeclared")),
    )


def read_outcomes(space: Space, spec: ModelSpec, table: pa.RecordBatch) -> Outcomes:
    """Outcomes, or the outcome columns of a reference."""
    n = table.num_rows
    classify, ranks = space.n_classes > 1, space.task == "ranking"
    return Outcomes(
        Ids.of(table.column("prediction_id")),
        micros(column(table, "timestamp"), n),
        row_digests(table.select([c for c in table.schema.names if c.startswith(("actual", "final", "tags"))])),
        classes_of(space, spec, column(table, "actual_label"), n) if classify else None,
        None if classify or ranks else numbers(column(table, "actual_value"), n),
        rankings.pack(column(table, "actual_relevance"), n, most=None) if ranks else None,
    )


def _flags(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False))


def cells_of(grid: Grid, values: pa.Array | None, n: int) -> Ints:
    """The cells of an Arrow column under a grid, shape (n,). Lists of a time when the column was declared an embedding
    are missing."""
    if values is None or pa.types.is_fixed_size_list(values.type):
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
    where it is one, and missing otherwise; so is a list of a time when it was an embedding."""
    if values is None or pa.types.is_fixed_size_list(values.type):
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


def matrix_of(features: Sequence[str], table: pa.RecordBatch, size: int | None = None) -> Floats:
    """Numeric features side by side, or the one embedding there is, shape (n, dimensions); NaN where missing. An
    embedding of another ``size`` (``None``: any will do), of a time when it was declared so, is missing."""
    n = table.num_rows
    columns = [column(table, f"features.{name}") for name in features]
    first = columns[0]
    if len(features) == 1:
        if first is None or not pa.types.is_fixed_size_list(first.type) or size not in (None, first.type.list_size):
            return np.full((n, size or 1), np.nan)
        size = first.type.list_size
        flat = first.fill_null([np.nan] * size) if first.null_count else first
        return np.asarray(flat.flatten(), np.float64).reshape(n, size)
    return np.stack([numbers(values, n) for values in columns]).T       # column by column, as the projection reads it


def classes_of(space: Space, spec: ModelSpec, values: pa.Array | None, n: int) -> Ints:
    """The class of each label, -1 where it is null; shape (n,). Of two classes 1 is the positive label; of many a label
    that is none of them has the number after the last."""
    if values is None:
        return np.full(n, -1, np.int64)
    codes = {c: i for i, c in enumerate(space.classes)} if space.classes else {spec.positive_label: 1}
    other = len(space.classes)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    table = np.array([*(codes.get(v, other) for v in encoded.dictionary.to_pylist()), -1], np.int64)
    found: Ints = table[np.asarray(encoded.indices.fill_null(-1))]
    return found


def _predicted(space: Space, table: pa.RecordBatch, n: int) -> Floats:
    if space.task == "regression":
        return numbers(column(table, "prediction_value"), n)[:, None]
    names = [f"prediction_score.{c}" for c in space.classes] or ["prediction_score"]
    return np.stack([numbers(column(table, name), n) for name in names], axis=1)


def _decisions(space: Space, spec: ModelSpec, table: pa.RecordBatch, predicted: Floats) -> Ints | None:
    """The predicted label; else the score at or above the threshold, of many classes the one with the highest."""
    if space.n_classes == 1:
        return None
    known = np.nan_to_num(predicted, nan=-1.0)
    if space.classes:       # a row of a time when other classes were declared has a score of none of these
        by_score = np.where((known < 0).all(axis=1), len(space.classes), known.argmax(axis=1))
    else:
        by_score = known[:, 0] >= spec.decision_threshold
    given = classes_of(space, spec, column(table, "prediction_label"), len(predicted))
    return np.where(given >= 0, given, by_score.astype(np.int64))


def _subjects(table: pa.RecordBatch) -> Ints:
    """A digest of the person that each row is about; a row that names nobody is its own."""
    ids, named = unpack_ids(table.column("prediction_id")), column(table, "subject_key")
    who = ids if named is None else pc.coalesce(named, ids)
    return row_digests(pa.RecordBatch.from_pydict({"subject": who}))


def _groups(
    space: Space, cells: Sequence[Ints], table: pa.RecordBatch, protected: pa.RecordBatch | None
) -> list[Ints]:
    """The group of each row on each axis."""
    n, found = table.num_rows, dict[str, Ints]()
    at = {c.name: i for i, c in enumerate(space.columns) if c.kind == "feature"}
    out = []
    for axis in space.axes:
        if axis.kind == "all":
            groups = np.ones(n, np.int64)
        elif axis.kind == "feature":
            groups = axis.groups_of(cells[at[axis.name]])
        elif axis.of:
            groups = intersect(axis, [found[name] for name in axis.of], space)
        elif axis.kind == "attribute":
            groups = found[axis.name] = cells_of(axis.grid, column(protected, f"protected.{axis.name}"), n)
        else:
            groups = cells_of(axis.grid, column(table, f"tags.{axis.name}"), n)
        out.append(groups)
    return out


def intersect(axis: Axis, parts: Sequence[Ints], space: Space) -> Ints:
    """The groups of an intersection from those of the two attributes that it is made of; missing where either is."""
    grids = [next(a.grid for a in space.axes if a.kind == "attribute" and a.name == name) for name in axis.of]
    names = [["", *grid.categories, ""] for grid in grids]
    pairs = [f"{a}&{b}" for a in names[0] for b in names[1]]
    table = axis.grid.cells(pairs).reshape(grids[0].size, grids[1].size)
    table[[0], :], table[:, [0]] = 0, 0
    table[-1, 1:], table[1:, -1] = axis.grid.other, axis.grid.other
    found: Ints = table[parts[0], parts[1]]
    return found
