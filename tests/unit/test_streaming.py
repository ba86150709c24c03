"""The streams of a model: how they are declared, which values reach which detector, and what is stored of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from detectors.point import Measurement, MetricPoint, Reason
from detectors.scope import Scope, Window
from detectors.summaries.grids import NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from monitor.database import open_database, writing
from monitor.errors import InvalidDeclaration
from monitor.fold.join import Folded, fold_predictions
from monitor.fold.rows import read_predictions
from monitor.model import ModelSpec, parse_declaration
from monitor.model.streams import DEFAULT_STREAMS, StreamSpec
from monitor.store import streams, tables
from monitor.times import to_micros
from monitor.worker.streaming import step_points, step_values

HEAD = "model: m\ntask: binary_classification\nfeatures: {age: numeric, plan: categorical}\n"
SPACE = Space(
    "binary_classification",
    (Column("feature", "age", NumericGrid(40.0, 10.0)), Column("output", "score", UniformGrid(10))),
)
QUICK = {"block": 1, "warm_up": 0, "clock": 1}
HOUR = 3_600_000_000


def read(text: str, head: str = HEAD) -> tuple[StreamSpec, ...]:
    return parse_declaration(f"{head}streams: {text}", "yaml").streams


def test_without_the_key_score_and_error_are_watched_and_an_empty_list_watches_nothing() -> None:
    assert parse_declaration(HEAD, "yaml").streams == DEFAULT_STREAMS
    assert [s.stream for s in DEFAULT_STREAMS] == ["score", "error"]
    assert read("[]") == ()


def test_streams_are_read_and_written() -> None:
    text = """[{stream: error, detector: ddm, settings: {warm_start: 50}}, {stream: "feature:age"},
               {stream: "metric:psi@feature:age", detector: page_hinkley}, {stream: "metric:roc_auc"}]"""
    found = read(text)
    assert [s.parts for s in found] == [
        ("error", "", ""), ("feature", "age", ""), ("metric", "psi", "feature:age"), ("metric", "roc_auc", "model"),
    ]  # fmt: skip
    assert (found[0].full_settings["warm_start"], found[0].full_settings["drift_threshold"]) == (50, 4.0)
    assert (found[2].full_settings["block"], found[2].full_settings["warm_up"]) == (1, 30)
    spec = parse_declaration(f"{HEAD}streams: {text}", "yaml")
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert "streams" not in parse_declaration(HEAD, "yaml").to_dict()


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("[{detector: adwin}]", "streams[0].stream", "is missing; write score, error or feature:NAME"),
        ("[{stream: scores}]", "streams[0].stream", "write score, error, feature:NAME, metric:NAME"),
        ("[{stream: 'score:x'}]", "streams[0].stream", "write score, error, feature:NAME"),
        ("[{stream: 'feature:plan'}]", "streams[0].stream", "'plan' is no numeric feature"),
        ("[{stream: 'feature:agee'}]", "streams[0].stream", "'agee' is no numeric feature"),
        ("[{stream: 'metric:roc_acu'}]", "streams[0].stream", "the nearest known is 'roc_auc'"),
        ("[{stream: 'metric:psi@age'}]", "streams[0].stream", "'age' is no scope"),
        (f"[{{stream: 'feature:{'x' * 600}'}}]", "streams[0].stream", "is longer than 600 characters"),
        ("[{stream: score, detector: adwim}]", "streams[0].detector", "the nearest known is 'adwin'"),
        ("[{stream: score, detector: ddm}]", "streams[0].detector", "ddm takes 0 and 1 alone"),
        ("[{stream: 'feature:age', detector: hddm_a}]", "streams[0].detector", "takes numbers from 0 to 1"),
        ("[{stream: score, settings: {delat: 1}}]", "streams[0].settings", "the nearest known is 'delta'"),
        ("[{stream: score, settings: {delta: 7}}]", "streams[0].settings", "write a number from"),
        ("[{stream: score}, {stream: score, detector: kswin}]", "streams[1].stream", "'score' stands twice"),
        ("[{stream: score, settigns: {}}]", "streams[0].settigns", "the nearest known is 'settings'"),
        ("{stream: score}", "streams", "write a list"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_the_mend(text: str, key: str, reason: str) -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        read(text)
    assert [f["key"] for f in caught.value.faults] == [key]
    assert reason in str(caught.value.faults[0]["reason"])


def test_a_regression_has_errors_of_any_size() -> None:
    head = "model: m\ntask: regression\n"
    assert read("[{stream: error, detector: page_hinkley}, {stream: 'feature:any'}]", head)[1].stream == "feature:any"
    with pytest.raises(InvalidDeclaration, match="ddm takes 0 and 1 alone"):
        read("[{stream: error, detector: ddm}]", head)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


def spec_of(*watched: StreamSpec) -> ModelSpec:
    return ModelSpec("m", "binary_classification", streams=watched)


def batch(ids: list[str], ages: list[Any], roles: list[str] | None = None) -> pa.RecordBatch:
    n = len(ids)
    return pa.RecordBatch.from_pydict({
        "prediction_id": ids, "timestamp": pa.array([HOUR + i for i in range(n)], pa.timestamp("us", "UTC")),
        "model_version": ["v"] * n, "role": roles or ["champion"] * n, "prediction_score": pa.array([0.5] * n),
        "features.age": pa.array(ages),
    })  # fmt: skip


def fold(spec: ModelSpec, table: pa.RecordBatch) -> Folded:
    return fold_predictions(SPACE, HOUR, read_predictions(SPACE, spec, table, None))


def signals(engine: Engine) -> list[tuple[str, int, str]]:
    with engine.connect() as db:
        return [(s["stream"], s["at"], s["detail"]["direction"]) for s in streams.list_signals(db, 1)]


def test_a_feature_is_stepped_by_its_new_serving_rows_and_the_signal_has_its_rows_instant(engine: Engine) -> None:
    spec = spec_of(StreamSpec("feature:age", "adwin", QUICK))
    ages = [40.0 + i % 2 for i in range(200)] + [90.0 + i % 2 for i in range(200)]
    ids = [f"p{i}" for i in range(400)]
    doubled = [j for i in range(400) for j in (i, i)]       # each row twice, and a shadow that says otherwise
    table = batch(
        [*(ids[i] for i in doubled), *(f"s{i}" for i in range(300))], [*(ages[i] for i in doubled), *([7.0] * 300)],
        ["champion"] * 800 + ["shadow"] * 300,
    )  # fmt: skip
    with writing(engine) as db:
        step_values(db, 1, spec, fold(spec, table), table)
    ((stream, at, direction),) = signals(engine)
    assert (stream, direction) == ("feature:age", "up")
    assert HOUR + 400 <= at < HOUR + 500


def test_a_feature_that_is_absent_or_a_category_is_no_stream(engine: Engine) -> None:
    spec = spec_of(StreamSpec("feature:age", "adwin", QUICK), StreamSpec("feature:gone"))
    words = batch(["a", "b"], ["x", "y"])
    words = words.set_column(5, "features.age", words.column(5).dictionary_encode())
    result = fold(spec, batch(["a", "b"], [1.0, 2.0]))
    with writing(engine) as db:
        step_values(db, 1, spec, result, words)
        assert streams.load(db, 1, "feature:age") is None
        assert streams.load(db, 1, "feature:gone") is None


def test_scores_and_errors_go_to_their_streams_and_to_no_other(engine: Engine) -> None:
    spec = spec_of(StreamSpec("score"), StreamSpec("error", "ddm"))
    result = Folded(3, errors=np.zeros(3), instants=np.arange(3))
    with writing(engine) as db:
        step_values(db, 1, spec, result, batch([], []))
        assert streams.load(db, 1, "score") is None
        assert streams.load(db, 1, "error") is not None


def test_another_detector_or_setting_begins_anew(engine: Engine) -> None:
    result = Folded(50, scores=np.full(50, 0.5), instants=np.arange(50))
    for watched in (StreamSpec("score"), StreamSpec("score", "kswin"), StreamSpec("score", "kswin", {"block": 2})):
        with writing(engine) as db:
            step_values(db, 1, spec_of(watched), result, batch([], []))
            before = streams.load(db, 1, "score")
            step_values(db, 1, spec_of(watched), result, batch([], []))
            assert streams.load(db, 1, "score") != before, "and goes on from there"
    assert signals(engine) == []


def test_a_metrics_points_are_a_stream_whose_signals_stand_at_the_windows_end(engine: Engine) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    spec = spec_of(StreamSpec("metric:psi@feature:age", "page_hinkley", {"threshold": 5}))
    with writing(engine) as db:
        for day in range(80):
            window = Window(start + timedelta(days=day), start + timedelta(days=day + 1))
            value = 0.01 + 0.001 * (day % 3) + (0.1 if day >= 60 else 0.0)
            unknown = Measurement.unknown(Reason.EMPTY_WINDOW)
            points = [
                MetricPoint("psi", Scope(feature="age"), window, unknown if day == 7 else Measurement(value, 100)),
                MetricPoint("psi", Scope(feature="other"), window, Measurement(value * day, 100)),
            ]
            step_points(db, 1, spec, points)
            step_points(db, 1, spec_of(), points)
    ((stream, at, direction),) = signals(engine)
    assert (stream, direction) == ("metric:psi@feature:age", "up")
    assert to_micros(start + timedelta(days=61)) <= at <= to_micros(start + timedelta(days=63))
