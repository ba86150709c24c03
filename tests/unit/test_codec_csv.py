"""CSV: text that the declaration types; quoting of RFC 4180; ragged rows are rejects, and no zero is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.batch import Batch, Envelope
from monitor.codecs import csv_body, decode, infer_features, normalise
from monitor.codecs.columns import Columns
from monitor.errors import InvalidInput, MalformedBody, TooLarge
from monitor.model import ModelSpec, Schema

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
T = "2026-07-01T11:00:00Z"
SPEC = ModelSpec.from_dict({
    "model": "m", "task": "binary_classification",
    "features": {"age": "numeric", "zip": "categorical", "v": "embedding[2]"},
    "favourable": 1, "protected_attributes": {"sex": {}},
})  # fmt: skip
HEADER = "prediction_id,timestamp,prediction_score,features.age,features.zip"


def read(body: str | bytes, **query: str) -> Columns:
    raw = body.encode() if isinstance(body, str) else body
    return decode("text/csv; charset=utf-8; header=present", raw, "predictions", query)


def plain(found: Columns) -> dict[str, list[Any]]:
    return {name: column.to_pylist() for name, column in found.data.items()}  # type: ignore[union-attr]


def take(body: str, spec: ModelSpec = SPEC, kind: str = "predictions") -> Batch:
    columns = decode("text/csv", body.encode(), kind, {})  # type: ignore[arg-type]
    return normalise(columns, Schema(spec, spec.features), kind, "B", NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_quoted_fields_hold_anything(end: str, last: bool) -> None:
    lines = ["a,b", '"x,""y""",', '"two\r\nlines",""', "é,ü"]
    found = read(end.join(lines) + (end if last else ""), clock="event")
    assert plain(found) == {"a": ['x,"y"', "two\r\nlines", "é"], "b": [None, "", "ü"]}
    assert (found.n_rows, found.rejects, found.envelope) == (3, [], Envelope(clock="event"))


def test_a_mark_at_the_start_and_blank_lines_are_passed_over() -> None:
    assert plain(read(b'\xef\xbb\xbf"a",b\r\n\r\n1,2\r\n\r\n\r\n3,4\r\n\r\n')) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert plain(read("a\n1\n\n2\n")) == {"a": ["1", "2"]}


@pytest.mark.parametrize("body", ["a,b", "a,b\n", "a,b\r\n\r\n"])
def test_no_rows(body: str) -> None:
    assert (read(body).n_rows, plain(read(body))) == (0, {"a": [], "b": []})


def test_rows_with_more_or_fewer_fields_are_rejects_by_their_numbers() -> None:
    found = read("a,b\n1,2\n\n3\n4,5,6\n7,8\n9,\n")
    assert plain(found) == {"a": ["1", None, None, "7", "9"], "b": ["2", None, None, "8", None]}
    assert [(r.row, r.field, r.reason.split(";")[0]) for r in found.rejects] == [
        (1, "", "has 1 fields and the header has 2"), (2, "", "has 3 fields and the header has 2"),
    ]  # fmt: skip
    assert [r.row for r in read("a,b\n1\n2\n").rejects] == [0, 1]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "first line is blank"),
        (b"\n1,2\n", "first line is blank"),
        (b"a,a\n1,2\n", "'a' is given twice"),
        (b'a,b\n"1,2\n', "quotes of the body do not pair"),
        (b'a,b\n1,5" pipe\n', "quotes of the body do not pair"),
        (b'"a"x,b\n1,2\n', "header is not CSV"),
        (b"a,b\n1,\xff\n", "not UTF-8 text at byte 6"),
        (b"a\0,b\n1,2\n", "control character"),
        (b"a" * 301 + b"\n1\n", "too long"),
    ],
)
def test_malformed_bodies(body: bytes, part: str) -> None:
    with pytest.raises(MalformedBody, match=part):
        read(body)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_body, "MAX_ROWS", 3)
    monkeypatch.setattr(csv_body, "MAX_COLUMNS", 3)
    assert read("a,b,c\n1,2,3\n4,5,6\n").n_rows == 2
    with pytest.raises(TooLarge, match="3 lines"):
        read("a\n1\n2\n3\n")
    with pytest.raises(TooLarge, match="3 columns"):
        read("a,b,c,d\n")
    with pytest.raises(InvalidInput, match="sampling_rate"):
        read("a\n1\n", sampling_rate="2")


def test_the_declaration_types_the_columns() -> None:
    batch = take(f"{HEADER}\n007,{T},0.5,40,02139\n8,{T},5e-1, 1.5 ,\n")
    assert batch.table["prediction_id"].to_pylist() == ["007", "8"]
    assert batch.table["features.age"].to_pylist() == [40.0, 1.5]
    assert batch.table["features.zip"].to_pylist() == ["02139", None]
    assert batch.table["prediction_score"].to_pylist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("4", 4.0), ("-4.", -4.0), (".5", 0.5), ("+1", 1.0), ("1E3", 1000.0), ("0002", 2.0), ("1e999", float("inf")),
        ("-Infinity", float("-inf")), ("inf", float("inf")), ("NaN", None), ("", None), ('""', None), (" ", None),
        ("9007199254740993", 2.0**53), ("1" * 400, float("inf")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("beside", ["", f"b,{T},0.5,x,\n"])
def test_what_is_a_number(written: str, value: float | None, beside: str) -> None:
    """By the fast way, where all of a column are numbers, and beside one that is none."""
    batch = take(f"{HEADER}\na,{T},0.5,{written},\n{beside}")
    assert batch.table["features.age"].to_pylist()[0] == value
    assert batch.notes.get("mistyped", {}) == ({"features.age": 1} if beside else {})


@pytest.mark.parametrize("written", ["x", "1,5", "1 000", "0x10", "true", "NA", "1_000", "٣", "1e", "--1"])
def test_what_is_no_number(written: str) -> None:
    batch = take(f'{HEADER}\na,{T},0.5,"{written}",\n')
    assert (batch.accepted, batch.notes["mistyped"]) == (1, {"features.age": 1})
    score = take(f'{HEADER}\na,{T},"{written}",1,\nb,{T},0.5,1,\n')
    assert [(r.row, r.field) for r in score.rejects] == [(0, "prediction_score")]


def test_whole_floats_and_booleans_are_the_categories_that_json_would_have_sent() -> None:
    written = ["21.0", "21", "1.50", "True", "false", "-0.0", "1.0.0", "007.0"]
    batch = take(f"{HEADER}\n" + "".join(f"p{i},{T},0.5,1,{zip_}\n" for i, zip_ in enumerate(written)))
    assert batch.table["features.zip"].to_pylist() == ["21", "21", "1.50", "true", "false", "0", "1.0.0", "007.0"]


def test_ids_and_versions_stay_as_they_are_written() -> None:
    header = "prediction_id,timestamp,prediction_score,model_version,subject_key,prediction_label"
    batch = take(f"{header}\n1.0,{T},0.5,2.0,True,1.0\n")
    row = batch.table.to_pylist()[0]
    names = ("prediction_id", "model_version", "subject_key", "prediction_label")
    assert [row[name] for name in names] == ["1.0", "2.0", "True", "1"]


def test_a_quoted_empty_text_is_a_text() -> None:
    batch = take(f'{HEADER}\n,{T},0.5,1,""\n"",{T},0.5,1,\n')
    assert batch.table["prediction_id"].to_pylist() == ["B/0"]
    assert batch.table["features.zip"].to_pylist() == [""]
    assert [(r.row, r.reason.split(";")[0]) for r in batch.rejects] == [(1, "is empty")]


def test_lists_and_maps_are_json_within_a_field() -> None:
    header = "prediction_id,timestamp,prediction_score,features.v"
    scores = '"{""0"": 0.25, ""1"": 0.75}"'
    batch = take(f'{header}\na,{T},{scores},"[1, 2.5]"\nb,{T},0.5,"[1]"\nc,{T},0.5,"[1,"\n')
    assert batch.table["prediction_score"].to_pylist() == [0.75, 0.5, 0.5]
    assert batch.table["features.v"].to_pylist() == [[1.0, 2.5], None, None]
    assert batch.notes["mistyped"] == {"features.v": 2}


def test_outcomes_and_rankings() -> None:
    shop = ModelSpec.from_dict({"model": "shop", "task": "ranking", "features": {"age": "numeric"}})
    batch = take(f'prediction_id,timestamp,actual_relevance\na,{T},"{{""x"": 1}}"\nb,{T},3\n', shop, "outcomes")
    assert batch.table["actual_relevance"].to_pylist() == [[("x", 1.0)]]
    assert [(r.row, r.field) for r in batch.rejects] == [(1, "actual_relevance")]


def test_features_are_inferred_from_the_text_of_a_reference() -> None:
    text = "features.n,features.zip,features.t,features.none,x\n1,02139,a,,1\n-2.5e3,10001,b,,2\n,,,,\n"
    assert infer_features(read(text)) == {"n": "numeric", "zip": "categorical", "t": "categorical"}
