"""Bodies of requests and responses, in every protocol, as columns."""

from __future__ import annotations

import json
import math
import struct

import pytest

from monitor.sources import Payload, Unreadable, read_payload
from monitor.sources.payload import Side


def read(body: object, side: Side = "inputs", content_type: str = "application/json") -> Payload:
    return read_payload(body if isinstance(body, str | bytes) else json.dumps(body), side, content_type)


def test_v1_rows_without_names_have_positions() -> None:
    payload = read({"signature_name": "x", "instances": [[1, 2.5], [3, None]]})
    assert (payload.columns, payload.n_rows, payload.named) == ({"0": [1, 3], "1": [2.5, None]}, 2, False)


def test_v1_rows_may_be_objects_and_a_field_that_one_lacks_is_missing() -> None:
    assert read({"instances": [{"age": 40}, {"plan": "a"}]}).columns == {"age": [40, None], "plan": [None, "a"]}


@pytest.mark.parametrize("body", [
    {"dataframe_split": {"index": [0, 1], "columns": ["age", "plan"], "data": [[40, "a"], [41, "b"]]}},
    {"dataframe_records": [{"age": 40, "plan": "a"}, {"age": 41, "plan": "b"}]},
    {"instances": [{"age": 40, "plan": "a"}, {"age": 41, "plan": "b"}]},
    {"inputs": {"age": [40, 41], "plan": ["a", "b"]}, "params": {"x": 1}},
    {"data": {"names": ["age", "plan"], "ndarray": [[40, "a"], [41, "b"]]}, "meta": {}},
])  # fmt: skip
def test_one_table_in_every_form_that_names_its_columns(body: object) -> None:
    payload = read(body)
    assert payload.columns == {"age": [40, 41], "plan": ["a", "b"]}
    assert payload.named


def test_mlflow_csv_has_a_line_of_names_and_sagemaker_s_has_none() -> None:
    assert read_payload("age,plan\n40,a\n", "inputs", "text/csv", header=True).columns == {"age": [40], "plan": ["a"]}
    assert read_payload("40,a\n", "inputs", "text/csv; charset=utf-8").columns == {"0": [40], "1": ["a"]}


def test_csv_keeps_leading_zeros_and_takes_an_empty_field_for_missing() -> None:
    assert read('02139,,"a,b",-1.5e3\n', content_type="text/csv").columns == {
        "0": ["02139"], "1": [None], "2": ["a,b"], "3": [-1500.0],
    }  # fmt: skip


def test_the_response_is_read_by_its_body_for_kserve_gives_it_the_request_s_content_type() -> None:
    assert read({"predictions": [0.5]}, "outputs", "text/csv").columns == {"0": [0.5]}
    assert read('{"score": 0.4}\n{"score": 0.7}\n', "outputs", "application/jsonlines").columns == {"score": [0.4, 0.7]}
    assert read('{"score": 0.4}\n{"score": 0.7}\n', "outputs", "application/json").columns == {"score": [0.4, 0.7]}


def test_tensors_of_several_shapes_are_row_major() -> None:
    payload = read({
        "id": "r-1", "model_name": "census", "model_version": "3",
        "outputs": [
            {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["no", "yes"]},
            {"name": "proba", "shape": [2, 2], "datatype": "FP32", "data": [0.9, 0.1, 0.2, 0.8]},
            {"name": "one", "shape": [2, 1], "datatype": "INT64", "data": [[7], [8]]},
        ],
    }, "outputs")  # fmt: skip
    assert payload.columns == {"label": ["no", "yes"], "proba": [[0.9, 0.1], [0.2, 0.8]], "one": [7, 8]}
    assert (payload.id, payload.model, payload.version) == ("r-1", "census", "3")
    assert payload.pick("proba.1") == payload.pick(2) == [0.1, 0.8]
    assert payload.pick("label") == payload.pick(0) == ["no", "yes"]


def test_bytes_may_be_base64_by_their_parameter() -> None:
    tensor = {"name": "plan", "shape": [2], "datatype": "BYTES", "parameters": {"content_type": "base64"}}
    assert read({"inputs": [{**tensor, "data": ["YQ==", "w6k="]}]}).columns == {"plan": ["a", "é"]}


def test_values_may_follow_the_json_as_bytes() -> None:
    """Triton's clients send tensors so unless they are told otherwise."""
    words = b"\x02\x00\x00\x00ab\x01\x00\x00\x00c"
    tensors = [
        {"name": "x", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 16}},
        {"name": "y", "shape": [2], "datatype": "INT64", "data": [7, 8]},
        {"name": "plan", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(words)}},
    ]
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    body = head + struct.pack("<4f", 1.5, 2.0, math.nan, 4.0) + words
    assert read_payload(body, "inputs", "application/octet-stream").columns == {
        "x": [[1.5, 2.0], [None, 4.0]], "y": [7, 8], "plan": ["ab", "c"],
    }  # fmt: skip
    with pytest.raises(Unreadable, match="ends before"):
        read_payload(body[:-1], "inputs")
    assert read_payload(body[:-1] + b"}", "inputs").columns["plan"] == ["ab", "}"], "whatever the last byte is"


def test_lists_beside_the_predictions_are_columns_of_their_own() -> None:
    payload = read({"predictions": [1, 0], "probabilities": [0.85, 0.1], "model": "m", "took": [3]}, "outputs")
    assert payload.columns == {"predictions": [1, 0], "probabilities": [0.85, 0.1]}


def test_nan_is_missing_as_pandas_writes_it() -> None:
    assert read('{"instances": [[NaN, Infinity]]}').columns == {"0": [None], "1": [float("inf")]}


@pytest.mark.parametrize(("body", "content_type", "reason"), [
    ("", "application/json", "is empty"),
    ({}, "application/json", "is an empty object"),
    ('{"instances": [[1', "application/json", "is not JSON"),
    (b"\x93NUMPY\x01\x00\xff", "application/x-npy", "cannot be read"),
    (b"\xff\xfe\x00", "application/octet-stream", "is binary"),
    ({"instances": [[1], [1, 2]]}, "application/json", "different lengths"),
    ({"instances": [[1], {"a": 1}]}, "application/json", "different kinds"),
    ({"inputs": {"a": [1, 2], "b": [1]}}, "application/json", "different length: 'a', 'b'"),
    ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "application/json", "one value for each"),
    ({"inputs": [{"name": "x", "shape": [3], "datatype": "FP32", "data": [1]}]}, "application/json", "asks for 3"),
    ({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}]},
     "application/json", "ends before the values"),
    ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32"}]}, "application/json", "without data"),
    ({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"content_type": "base64"},
                  "data": ["é"]}]}, "application/json", "that are no text"),
    ({"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]},
                 {"name": "y", "shape": [1], "datatype": "FP32", "data": [1]}]}, "application/json", "'x' has 2, 'y'"),
    ({"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [[1], 2]}]}, "application/json", "depths"),
])  # fmt: skip
def test_what_cannot_be_read_says_why_and_how_to_mend_it(body: object, content_type: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(body, content_type=content_type)


def test_no_reason_repeats_a_value() -> None:
    secret = "the-person-s-religion"
    for body in ({"instances": [[secret], [secret, secret]]}, '{"instances": [["' + secret + '"'):
        with pytest.raises(Unreadable) as refused:
            read(body)
        assert secret not in str(refused.value)


def test_sizes_are_bounded() -> None:
    with pytest.raises(Unreadable, match="100001 rows"):
        read({"instances": [0] * 100_001})
    with pytest.raises(Unreadable, match="too many values"):
        read({"instances": [[0] * 5_001]})
    with pytest.raises(Unreadable, match="over 5000 values"):
        read({"inputs": [{"name": "x", "shape": [1, 5001], "datatype": "FP32", "data": [0] * 5001}]}).laid_out()
