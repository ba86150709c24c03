"""SageMaker, Databricks, MLflow and BentoML in the shape that they write, each trap with a record of its own."""

from __future__ import annotations

import dataclasses
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.batch import Kind
from monitor.codecs import Columns
from monitor.errors import InvalidInput
from monitor.model import ModelSpec, Source
from monitor.sources import by_request, decode

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
NDJSON = "application/x-ndjson"
SAGEMAKER = Source("sagemaker", columns=("a", "b", "c"), score=0, version="annotation")
DATABRICKS = Source("databricks", {"endpoint": "churn"}, score=0)
BENTO = Source("bentoml", label="pred", actual="truth", time_zone="Europe/Berlin")


def spec(*sources: Source, **more: Any) -> ModelSpec:
    return ModelSpec(**{"model": "m", "task": "binary_classification", "sources": sources, **more})


def read(format_: str, name: str, model: ModelSpec, kind: Kind = "predictions", **query: str) -> Columns:
    return decode(format_, NDJSON, (FIXTURES / name).read_bytes(), kind, query, model)


def test_sagemaker_data_are_decoded_again_by_their_encoding() -> None:
    found = read("sagemaker", "sagemaker-capture.jsonl", spec(SAGEMAKER))
    assert found.rejects == []
    event = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeee"
    assert found.data["prediction_id"] == [
        f"{event}1", "application-17/0", "application-17/1", f"{event}3", f"{event}4", f"{event}5/0", f"{event}5/1",
    ]  # fmt: skip
    assert found.data["features.b"] == [0, 23, None, 1, 2, 2, 3]
    assert found.data["prediction_score"] == [0.0254181120544672, 0.07675473392009735, 0.9, 0.61, 0.5, 0.4, 0.7]
    assert found.data["timestamp"][0] == "2022-02-14T17:25:49+00:00"
    assert found.data["model_version"] == [None, None, None, "7", None, None, None]


def test_the_path_of_a_capture_says_whose_it_is() -> None:
    champion = dataclasses.replace(SAGEMAKER, selectors={"endpoint": "churn"}, version="field:variant")
    challenger = dataclasses.replace(champion, selectors={"endpoint": "churn", "variant": "B"}, role="challenger")
    model = spec(champion, challenger)
    a = read("sagemaker", "sagemaker-capture.jsonl", model, endpoint="churn", variant="A")
    b = read("sagemaker", "sagemaker-capture.jsonl", model, endpoint="churn", variant="B")
    assert "role" not in a.data
    assert (set(a.data["model_version"]), set(b.data["role"])) == ({"A"}, {"challenger"})
    other = read("sagemaker", "sagemaker-capture.jsonl", model, endpoint="credit")
    assert (other.n_rows, len(other.rejects)) == (5, 5)
    assert "belongs to no source of this model: endpoint 'credit'" in other.rejects[0].reason


def test_ground_truth_names_a_row_or_a_request_with_an_array() -> None:
    found = read("sagemaker", "sagemaker-ground-truth.jsonl", spec(), "outcomes", timestamp="2022-03-01T09:00:00Z")
    predicted = read("sagemaker", "sagemaker-capture.jsonl", spec(SAGEMAKER))
    assert found.rejects == []
    assert found.data["actual_label"] == [1, 0, 1, 0, 1]
    assert set(found.data["prediction_id"]) < set(predicted.data["prediction_id"])
    assert set(found.data["timestamp"]) == {"2022-03-01T09:00:00+00:00"}


def test_ground_truth_has_no_time_and_none_is_guessed() -> None:
    found = read("sagemaker", "sagemaker-ground-truth.jsonl", spec(), "outcomes")
    assert len(found.rejects) == found.n_rows == 3
    assert "?timestamp=" in found.rejects[0].reason


def test_databricks_legacy_table_is_in_milliseconds_and_sampled() -> None:
    found = read("databricks", "databricks-legacy.jsonl", spec(DATABRICKS))
    first = "d2a1f0d0-0000-4000-8000-000000000001"
    assert found.data["prediction_id"] == [f"{first}/0", f"{first}/1", "order-9", None]
    assert found.data["timestamp"][:3] == ["2023-11-14T22:13:20.123000+00:00"] * 2 + ["2023-11-14T22:13:21+00:00"]
    assert found.data["model_version"][:3] == ["3"] * 3
    assert found.data["latency_ms"][:3] == [14.0, 14.0, 9.0]
    assert found.data["features.plan"][:3] == ["a", "b", None]
    assert found.envelope.sampling_rate == 0.5
    assert [(r.row, r.field) for r in found.rejects] == [(3, "status_code")]


def test_databricks_gateway_table_tells_the_served_entity() -> None:
    champion = Source("databricks", {"served_entity": "6f1c"}, score="score")
    challenger = Source("databricks", {"served_entity": "9b2d"}, score="score", role="challenger")
    found = read("databricks", "databricks-gateway.jsonl", spec(champion, challenger))
    assert found.data["model_version"] == ["6f1c", "6f1c", None, "9b2d"]
    assert found.data["role"] == [None, None, None, "challenger"]
    assert found.data["timestamp"][0] == "2026-10-06T12:00:00.250000+00:00"
    assert [(r.row, r.field) for r in found.rejects] == [(2, "request")]
    assert "over the size" in found.rejects[0].reason


@pytest.mark.parametrize("kind", [
    pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ms", "Europe/Berlin"),
])  # fmt: skip
def test_databricks_parquet_has_instants(kind: pa.DataType) -> None:
    lines = [json.loads(line) for line in (FIXTURES / "databricks-gateway.jsonl").read_text().splitlines()]
    columns = {key: [line[key] for line in lines] for key in lines[0]}
    times = pa.array([datetime(2026, 10, 6, 12, 0, s, tzinfo=UTC) for s in range(3)], pa.timestamp("us", "UTC"))
    at = times.cast(pa.timestamp(kind.unit, "UTC")).cast(kind) if kind.tz else times.cast(pa.int64())
    columns["request_time"] = at if kind.tz else pa.array([v * 1000 for v in at.to_pylist()], kind)
    columns["logging_error_codes"] = pa.array(columns["logging_error_codes"], pa.list_(pa.string()))
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    model = spec(Source("databricks", score="score"))
    found = decode("databricks", "application/vnd.apache.parquet", sink.getvalue(), "predictions", {}, model)
    assert found.data["timestamp"][0] == "2026-10-06T12:00:00+00:00"
    assert found.data["prediction_id"][3] == "e2a1f0d0-0000-4000-8000-000000000003"


def test_a_map_of_arrow_is_read_as_one() -> None:
    about = pa.array([[("endpoint_name", "churn"), ("model_version", "3")]], pa.map_(pa.string(), pa.string()))
    line = json.loads((FIXTURES / "databricks-legacy.jsonl").read_text().splitlines()[0])
    sink = io.BytesIO()
    pq.write_table(pa.table({**{k: [v] for k, v in line.items()}, "request_metadata": about}), sink)
    found = decode("databricks", "application/vnd.apache.parquet", sink.getvalue(), "predictions", {}, spec(DATABRICKS))
    assert found.data["model_version"] == ["3", "3"]


def test_records_of_different_rates_need_batches_of_their_own() -> None:
    body = (FIXTURES / "databricks-legacy.jsonl").read_bytes() + (FIXTURES / "databricks-gateway.jsonl").read_bytes()
    with pytest.raises(InvalidInput, match="2 different rates"):
        decode("databricks", NDJSON, body, "predictions", {}, spec(Source("databricks", score=0)))
    found = decode("databricks", NDJSON, body, "predictions", {"sampling_rate": "0.25"}, spec(DATABRICKS))
    assert found.envelope.sampling_rate == 0.25


def test_mlflow_in_each_of_its_five_forms() -> None:
    found = read("mlflow", "mlflow.jsonl", spec(Source("mlflow", score=0)))
    assert found.rejects == []
    assert found.data["prediction_id"] == ["m-1/0", "m-1/1", "m-2/0", "m-2/1", "m-3", "m-4", "m-5/0", "m-5/1"]
    assert found.data["features.age"] == [40, 41, 40, None, 40, 40, 40, 41]
    assert found.data["features.plan"] == ["a", "b", None, "b", "a", "a", "a", "b"]
    assert found.data["model_version"] == ["4", "4"] + [None] * 6


def test_bentoml_rows_of_a_request_share_its_id_and_the_zone_is_declared() -> None:
    found = read("bentoml", "bentoml-data.log", spec(BENTO))
    first = "8545862025118083217"
    assert found.data["prediction_id"] == [f"{first}/0", f"{first}/1", "3545862025118083218"]
    assert found.data["timestamp"][0] == "2022-11-09T14:49:13.654236+00:00"
    assert found.data["prediction_label"] == ["setosa", "virginica", "setosa"]
    assert {name for name in found.data if name.startswith("features.")} == {
        "features.sepal length", "features.sepal width",
    }  # fmt: skip


def test_bentoml_times_have_no_zone_and_none_is_guessed() -> None:
    found = read("bentoml", "bentoml-data.log", spec(dataclasses.replace(BENTO, time_zone=None)))
    assert [r.field for r in found.rejects] == ["timestamp"] * 3
    assert "no time zone" in found.rejects[0].reason


def test_bentoml_targets_are_outcomes_of_the_same_ids() -> None:
    found = read("bentoml", "bentoml-data.log", spec(BENTO), "outcomes")
    assert found.data["actual_label"] == ["setosa"] * 3
    assert found.data["prediction_id"] == read("bentoml", "bentoml-data.log", spec(BENTO)).data["prediction_id"]
    with pytest.raises(InvalidInput, match="'actual' in the source"):
        read("bentoml", "bentoml-data.log", spec(dataclasses.replace(BENTO, actual=None)), "outcomes")


def test_a_model_without_such_a_source_says_what_to_declare() -> None:
    with pytest.raises(InvalidInput, match="kind: mlflow"):
        read("mlflow", "mlflow.jsonl", spec(SAGEMAKER))
    with pytest.raises(InvalidInput, match="mlflow keeps no outcomes"):
        read("mlflow", "mlflow.jsonl", spec(Source("mlflow", score=0)), "outcomes")


BROKEN = {
    "sagemaker": [
        {}, {"captureData": None, "eventMetadata": {"eventId": "e", "inferenceTime": "2022-02-14T17:25:49Z"}},
        {"eventMetadata": {"eventId": "e", "inferenceTime": 1700000000}},
        {"captureData": {"endpointInput": {"data": "é", "encoding": "BASE64"}, "endpointOutput": {}},
         "eventMetadata": {"eventId": "e", "inferenceTime": "2022-02-14T17:25:49Z"}},
        {"captureData": {"endpointInput": {"data": "1", "encoding": "GZIP"}},
         "eventMetadata": {"eventId": "e", "inferenceTime": "2022-02-14T17:25:49Z"}},
    ],
    "databricks": [
        {"status_code": 200}, {"status_code": 200, "databricks_request_id": "d", "timestamp_ms": "1700000000000"},
        {"status_code": 200, "databricks_request_id": "d", "timestamp_ms": 2**52},
        {"status_code": 200, "databricks_request_id": "d", "request_time": "2026-10-06 12:00:00"},
        {"status_code": 200, "databricks_request_id": "d", "timestamp_ms": 1, "request": "{", "response": "{}"},
    ],
    "mlflow": [
        {"request_id": "r", "request": {}, "response": {}}, {"request_id": "r", "timestamp": "yesterday"},
        {"request_id": "r", "timestamp": "2026-01-31T12:00:00Z", "request": {"instances": [[1]]}},
    ],
    "bentoml": [{"pred": "a", "timestamp": "2022-11-09T15:49:13"}, {"request_id": "None"}, {"request_id": "1"}],
}  # fmt: skip


@pytest.mark.parametrize("format_", BROKEN)
def test_a_broken_record_is_a_reject_with_its_field_and_the_mend(format_: str) -> None:
    source = Source(format_, score="p", columns=("a",))  # type: ignore[arg-type]
    body = b"\n".join(json.dumps(record).encode() for record in BROKEN[format_])
    found = decode(format_, NDJSON, body, "predictions", {}, spec(source))
    assert [reject.row for reject in found.rejects] == list(range(len(BROKEN[format_])))
    assert all(reject.reason for reject in found.rejects)


def test_a_line_that_is_no_object_keeps_its_place() -> None:
    first = (FIXTURES / "mlflow.jsonl").read_bytes().splitlines()[2]
    found = decode("mlflow", NDJSON, b"7\n" + first, "predictions", {}, spec(Source("mlflow", score=0)))
    assert [reject.row for reject in found.rejects] == [0]
    assert found.data["prediction_id"] == [None, "m-3"]


def test_outcomes_with_a_list_are_one_for_each_row() -> None:
    sent = Columns({"prediction_id": ["a", "b", None], "actual_value": [[1.5], 2.0, [1, 2]]}, 3)
    found = by_request(sent)
    assert (found.data["prediction_id"], found.data["actual_value"]) == (["a", "b", None], [1.5, 2.0, None])
    assert [(r.row, r.field) for r in found.rejects] == [(2, "actual_value")]
    plain = Columns({"prediction_id": ["a"], "actual_label": ["x"]}, 1)
    assert by_request(plain) is plain
