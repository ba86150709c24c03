"""A batch read through a space: cells, groups, decisions; and the digest that tells a duplicate from a conflict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from monitor.fold.digest import row_digests
from monitor.fold.entries import Entries
from monitor.fold.rows import cells_of, classes_of, matrix_of, numbers, read_outcomes, read_predictions
from monitor.model import ModelSpec

SPEC = ModelSpec("m", "binary_classification", favourable="1", decision_threshold=0.5)
SPACE = Space(
    "binary_classification",
    (Column("feature", "plan", CategoryGrid(("a", "b"))), Column("output", "score", UniformGrid(10))),
    (ALL, Axis("attribute", "sex", CategoryGrid(("f", "m"))), Axis("segment", "state", CategoryGrid(("MA",)))),
)


def table(**columns: Any) -> pa.RecordBatch:
    n = len(next(iter(columns.values())))
    base = {
        "prediction_id": [f"p{i}" for i in range(n)],
        "timestamp": pa.array([60_000_000] * n, pa.timestamp("us", "UTC")),
        "model_version": ["v"] * n,
        "role": ["champion"] * n,
    }
    return pa.RecordBatch.from_pydict(base | columns)


def words(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def test_predictions_become_cells_groups_and_decisions() -> None:
    rows = read_predictions(
        SPACE, SPEC,
        table(**{"features.plan": words("b", None, "z"), "prediction_score": [0.49, 0.5, None],
                 "prediction_label": pa.array(["1", None, None]), "tags.state": words("MA", "NY", None)}),
        pa.RecordBatch.from_pydict({"protected.sex": words("m", "x", None)}),
    )  # fmt: skip
    assert [c.tolist() for c in rows.columns] == [[2, 0, 3], [5, 6, 0]]
    assert [g.tolist() for g in rows.groups] == [[1, 1, 1], [2, 3, 0], [1, 2, 0]]
    assert rows.decisions is not None
    assert rows.decisions.tolist() == [1, 1, 0], "the label, else the score at or above the threshold"
    assert np.isnan(rows.predicted[2])
    part = rows.take(np.array([2, 0]))
    assert part.ids.values.to_pylist() == ["p2", "p0"]
    assert (part.columns[0].tolist(), part.decisions is not None) == ([3, 2], True)


def test_what_a_batch_lacks_is_missing_throughout() -> None:
    rows = read_predictions(SPACE, SPEC, table(prediction_label=["1", "0"]), None)
    assert [c.tolist() for c in rows.columns] == [[0, 0], [0, 0]]
    assert [g.tolist() for g in rows.groups] == [[1, 1], [0, 0], [0, 0]]


def test_outcomes_are_labels_or_values() -> None:
    rows = read_outcomes(SPACE, SPEC, table(actual_label=["1", "0", None]))
    assert rows.labels is not None
    assert (rows.labels.tolist(), rows.actual, rows.timestamps.tolist()) == ([1, 0, -1], None, [60_000_000] * 3)
    space = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),))
    spec = ModelSpec("m", "regression")
    actual = read_outcomes(space, spec, table(actual_value=[1.5, -2.0])).actual
    assert actual is not None
    assert actual.tolist() == [1.5, -2.0]


def test_a_column_of_another_type_than_its_grid_is_read_as_far_as_it_can_be() -> None:
    grid = NumericGrid(0.0, 1.0)
    expected = grid.cells(np.array([1.5, math.nan, math.nan, 2.0]))
    assert cells_of(grid, words("1.5", "old", None, "2"), 4).tolist() == expected.tolist()
    categories = CategoryGrid(("1", "2.5"))
    assert cells_of(categories, pa.array([1.0, 2.5, None, 7.0]), 4).tolist() == [1, 2, 0, 3]
    assert np.isnan(numbers(None, 2)).all()
    assert numbers(words(), 0).shape == (0,)


def test_a_label_is_told_from_another_and_from_none() -> None:
    many = Space("multiclass_classification", SPACE.columns, classes=("0", "1"))
    for column in (pa.array(["1", "0", "9", None]), words("1", "0", "9", None)):
        assert classes_of(SPACE, SPEC, column, 4).tolist() == [1, 0, 0, -1]
        assert classes_of(many, SPEC, column, 4).tolist() == [1, 0, 2, -1]
    assert classes_of(SPACE, SPEC, None, 2).tolist() == [-1, -1]


BASE: dict[str, Any] = {"features.plan": words("a", "b"), "prediction_score": pa.array([0.1, 0.2])}


def digests(**columns: Any) -> list[int]:
    found: list[int] = row_digests(table(**BASE | columns)).tolist()
    return found


@pytest.mark.parametrize(
    "columns",
    [
        {"request_id": ["x", "y"]}, {"trace_id": ["x", "y"]}, {"latency_ms": [1.0, 2.0]}, {"status": ["200", "500"]},
        {"tags.state": words(None, None)}, {"prediction_label": pa.nulls(2, pa.string())},
        {"features.plan": pa.array(["a", "b"])}, {"row": pa.array([7, 8], pa.int32())}, {"model_version": ["w", "w"]},
    ],
)  # fmt: skip
def test_what_may_differ_between_two_sendings(columns: dict[str, Any]) -> None:
    assert digests(**columns) == digests()


@pytest.mark.parametrize(
    "columns",
    [
        {"features.plan": words("b", "a")}, {"features.plan": words(None, None)}, {"role": ["shadow", "shadow"]},
        {"prediction_score": pa.array([0.1000001, 0.2000001])}, {"prediction_label": ["1", "0"]},
        {"timestamp": pa.array([1, 2], pa.timestamp("us", "UTC"))}, {"tags.state": words("MA", "MA")},
        {"tags.plan": words("a", "b")}, {"subject_key": ["s", "t"]},
    ],
)  # fmt: skip
def test_what_may_not(columns: dict[str, Any]) -> None:
    assert not set(digests(**columns)) & set(digests())


def test_a_digest_knows_which_column_a_value_stands_in_and_minus_zero_is_zero() -> None:
    one = row_digests(table(**{"features.a": pa.array([1.0]), "features.b": pa.array([2.0])}))
    other = row_digests(table(**{"features.a": pa.array([2.0]), "features.b": pa.array([1.0])}))
    assert one[0] != other[0]
    assert row_digests(table(x=pa.array([-0.0]))).tolist() == row_digests(table(x=pa.array([0.0]))).tolist()
    both = row_digests(table(**BASE), pa.RecordBatch.from_pydict({"protected.sex": words("f", "f")}))
    assert both.tolist() != digests()


def test_entries_survive_their_bytes() -> None:
    rows = read_predictions(SPACE, SPEC, table(**BASE), pa.RecordBatch.from_pydict({"protected.sex": words("m", None)}))
    entries = Entries.of(rows, 3_600_000_000)
    named = pa.RecordBatch.from_arrays([entries.ids.values, *entries.columns().columns],
                                       ["id", *entries.columns().schema.names])  # fmt: skip
    again = Entries.read(named, entries.ids.hashes)
    assert again.ids.values.equals(entries.ids.values)
    assert (again.versions.listed(), again.roles.listed()) == (entries.versions.listed(), entries.roles.listed())
    for name in ("decisions", "predicted", "groups", "buckets", "digests", "rates"):
        assert np.array_equal(getattr(entries, name), getattr(again, name)), name
    assert entries.buckets.tolist() == [0, 0], "the start of the hour"
    assert again.take(np.array([1])).groups.tolist() == [[1, 0, 0]]
    assert len(Entries.read(named.slice(0, 0), entries.ids.hashes[:0])) == 0


def vectors(size: int, n: int = 2) -> pa.Array:
    return pa.array([[1.0] * size] * n, pa.list_(pa.float32(), size))


@pytest.mark.parametrize("then", [vectors(4), vectors(2), pa.array([1.0, 2.0]), words("a", "b"), pa.nulls(2)])
def test_a_feature_of_another_time_is_missing_where_an_embedding_is_declared_now(then: pa.Array) -> None:
    assert np.isnan(matrix_of(["v"], table(**{"features.v": then}), 3)).all()
    assert matrix_of(["v"], table(**{"features.v": then}), 3).shape == (2, 3)


def test_an_embedding_of_another_time_is_missing_where_something_else_is_declared_now() -> None:
    assert np.isnan(numbers(vectors(4), 2)).all()
    assert cells_of(CategoryGrid(("a",)), vectors(4), 2).tolist() == [0, 0]
    mixed = matrix_of(["v", "x"], table(**{"features.v": vectors(4), "features.x": [1.0, 2.0]}))
    assert mixed[:, 1].tolist() == [1.0, 2.0]
    assert np.isnan(mixed[:, 0]).all()


def test_a_row_with_the_scores_of_other_classes_decides_for_none_of_these() -> None:
    columns = (Column("output", "label", CategoryGrid(("a", "b"))), *(
        Column("output", f"score={c}", UniformGrid(10)) for c in "ab"
    ))  # fmt: skip
    space = Space("multiclass_classification", columns, classes=("a", "b"))
    spec = ModelSpec("m", "multiclass_classification", classes=("a", "b"))
    sent = {"prediction_score.a": [None, 0.2], "prediction_score.old": [0.9, None], "prediction_score.b": [None, 0.7]}
    rows = read_predictions(space, spec, table(**{k: pa.array(v, pa.float64()) for k, v in sent.items()}), None)
    assert rows.decisions is not None
    assert rows.decisions.tolist() == [2, 1]
