"""A recording in the order of its arrival: each row once, predictions at their time, outcomes once they are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.cli.failure import Failure
from monitor.cli.replay.findings import Found, expected_figure
from monitor.cli.replay.streams import Stream, in_order, open_recording
from monitor.model import parse_declaration

START = datetime(2026, 1, 1, tzinfo=UTC)
DECLARATION = b"model: m\ntask: binary_classification\nfeatures: {age: numeric}\n"


def table(days: list[float], ids: list[str], **more: list[Any]) -> pa.Table:
    times = pa.array([START + timedelta(days=d) for d in days], pa.timestamp("ms", "UTC"))
    return pa.table({"prediction_id": ids, "timestamp": times, **more})


def stream(predictions: pa.Table, outcomes: pa.Table) -> Stream:
    return Stream(parse_declaration(DECLARATION, "yaml"), DECLARATION, predictions, predictions, outcomes)


def test_predictions_come_before_the_outcomes_that_were_known_by_then() -> None:
    predictions = table([0, 1, 2, 3, 4], list("abcde"))
    outcomes = table([0.5, 1.5, 3.5, 9, 10], list("abdce"))
    posts = [(p.kind, "".join(p.table["prediction_id"].to_pylist())) for p in
             in_order([stream(predictions, outcomes)], 2)]  # fmt: skip
    assert posts == [
        ("predictions", "ab"), ("outcomes", "a"), ("predictions", "cd"), ("outcomes", "b"), ("predictions", "e"),
        ("outcomes", "d"), ("outcomes", "ce"),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3, 7, 1000])
def test_each_row_goes_once_and_no_batch_is_over_the_size(rows: int) -> None:
    ids = [f"p{i}" for i in range(50)]
    one = stream(table([i / 7 for i in range(50)], ids), table([i / 7 + 0.3 for i in range(50)], ids))
    posts = list(in_order([one, one], rows))
    assert max(p.table.num_rows for p in posts) <= rows
    for kind in ("predictions", "outcomes"):
        sent = [i for p in posts if p.kind == kind for i in p.table["prediction_id"].to_pylist()]
        assert sorted(sent) == sorted(ids * 2)


def test_what_must_be_counted_follows_from_the_files() -> None:
    one = stream(table([0, 1, 1], list("abb")), table([1, 1, 2], list("axb")))
    assert one.expected == {"predictions": 2, "joined": 2, "orphans": 1}


def test_a_folder_is_read_under_the_names_of_the_wire_and_by_time(tmp_path: Path) -> None:
    rows = table([2, 0, 1], list("cab"), age=[3, 1, 2], score=[0.3, 0.1, 0.2], prediction=[0, 0, 0])
    for name in ("reference", "predictions"):
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    pq.write_table(table([5], ["a"], label=[1]), tmp_path / "outcomes.parquet")
    (tmp_path / "model.yaml").write_bytes(DECLARATION)
    found = open_recording(str(tmp_path))
    (one,) = found.streams
    assert one.predictions["features.age"].to_pylist() == [1, 2, 3]
    assert one.predictions["prediction_score"].to_pylist() == [0.1, 0.2, 0.3]
    assert one.outcomes.column_names == ["prediction_id", "timestamp", "actual_label"]
    assert (found.rows, found.figures) == (4, {})


def test_the_shipped_recordings_open() -> None:
    census, flights = open_recording("census"), open_recording("flights")
    assert [s.spec.model for s in census.streams] == ["census-employment"]
    assert census.streams[0].expected == {"predictions": 208_892, "joined": 208_892, "orphans": 0}
    assert {s.spec.model: s.expected for s in flights.streams} == {
        name: {"predictions": 255_987, "joined": 249_435, "orphans": 0} for name in ("flights-delay", "flights-arrival")
    }


def test_a_folder_that_lacks_files_says_which(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"lacks reference.parquet, predictions.parquet, outcomes.parquet") as caught:
        open_recording(str(tmp_path))
    assert "census, flights" in caught.value.mend
    for name in ("reference", "predictions", "outcomes"):
        pq.write_table(table([0], ["a"]), tmp_path / f"{name}.parquet")
    with pytest.raises(Failure, match="has no declaration"):
        open_recording(str(tmp_path))


@pytest.mark.parametrize(
    ("data", "task", "metric", "window", "of", "value"),
    [
        ("census", "binary_classification", "roc_auc", "2017", None, 0.905076),
        ("census", "binary_classification", "roc_auc", "all", None, 0.904282),
        ("census", "binary_classification", "equalized_odds_difference", "all", "SEX", 0.053230),
        ("census", "binary_classification", "demographic_parity_difference", "all", "RAC1P", None),
        ("flights", "binary_classification", "roc_auc", "2013", None, 0.641709),
        ("flights", "binary_classification", "equalized_odds_difference", "2013", "origin", 0.140200),
        ("flights", "regression", "rmse", "2013", None, 45.882568),
    ],
)
def test_the_figures_of_other_tools_are_found(
    data: str, task: str, metric: str, window: str, of: str | None, value: float | None
) -> None:
    figures = open_recording(data).figures
    found = expected_figure(figures, task, Found(metric, window, of, 0.0, None, 0, None), data == "flights", 100)
    assert found == (None if value is None else pytest.approx(value, abs=1e-6))
