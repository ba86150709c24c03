"""JSON bodies: rows and columns, what is forgiven, and what is refused with a place and a mend."""

from __future__ import annotations

import json

import pytest

from monitor.batch import Envelope, Reject
from monitor.codecs import columns as limits
from monitor.codecs import decode, json_body
from monitor.codecs.columns import Columns
from monitor.errors import InvalidInput, MalformedBody, TooLarge, UnsupportedFormat


def read(body: str | bytes, kind: str = "predictions", **query: str) -> Columns:
    raw = body.encode() if isinstance(body, str) else body
    return decode("application/json; charset=utf-8", raw, kind, query)  # type: ignore[arg-type]


def test_rows_become_columns_and_nested_ones_get_their_wire_names() -> None:
    row = '{"prediction_id": "a", "features": {"x": 1, "y": "u"}, "tags": {"t": "v"}, "protected": {"s": "1"}}'
    found = read(f"[{row}]")
    assert found.data == {
        "prediction_id": ["a"], "features.x": [1], "features.y": ["u"], "tags.t": ["v"], "protected.s": ["1"],
    }  # fmt: skip


def test_rows_of_different_shapes() -> None:
    found = read('[{"a": 1, "features": {"x": 1}}, {"b": 2, "features": {"y": 2}}, {"features": null}, {}]')
    assert found.data == {
        "a": [1, None, None, None], "b": [None, 2, None, None],
        "features.x": [1, None, None, None], "features.y": [None, 2, None, None],
    }  # fmt: skip
    same_length = read('[{"a": 1, "b": 2}, {"a": 3, "c": 4}]')
    assert same_length.data == {"a": [1, 3], "b": [2, None], "c": [None, 4]}


def test_columns_and_rows_are_the_same() -> None:
    rows = read('{"rows": [{"prediction_id": "a", "features": {"x": 1}}], "clock": "event", "source": "s"}')
    columns = read('{"columns": {"prediction_id": ["a"], "features.x": [1]}, "clock": "event", "source": "s"}')
    assert rows == columns
    assert rows.envelope == Envelope(clock="event", source="s")


def test_an_empty_batch() -> None:
    assert read("[]").n_rows == read('{"columns": {}}').n_rows == 0


def test_the_envelope_may_come_in_the_query() -> None:
    found = read("[]", sampling_rate="0.25", clock="event", environment="prod", schema_version="3", atomic="true")
    assert found.envelope == Envelope("event", None, 0.25, "prod", "3")
    assert read('{"rows": [], "sampling_rate": 0.25}', sampling_rate="0.25").envelope.sampling_rate == 0.25


@pytest.mark.parametrize(
    ("body", "query", "part"),
    [
        ("[]", {"clock": "Event"}, "clock"),
        ("[]", {"sampling_rate": "0"}, "sampling_rate"),
        ("[]", {"sampling_rate": "nan"}, "sampling_rate"),
        ("[]", {"sampling_rate": "1.01"}, "sampling_rate"),
        ('{"rows": [], "sampling_rate": true}', {}, "sampling_rate"),
        ('{"rows": [], "source": ["a"]}', {}, "source"),
        ('{"rows": [], "sampling_rte": 0.5}', {}, "The nearest known is 'sampling_rate'"),
        ('{"rows": [], "clock": "wall"}', {"clock": "event"}, "differs between the body and the query"),
    ],
)
def test_a_wrong_envelope(body: str, query: dict[str, str], part: str) -> None:
    with pytest.raises(InvalidInput, match=part):
        read(body, **query)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b'[{"a": 1}', "at byte 9"),
        (b'[{"a": 1},]', "at byte 10"),
        ('[{"ä": "ü"}, x]'.encode(), "at byte 15"),
        (b'\xef\xbb\xbf[{"a": 1}', "at byte 12"),
        (b'[{"a": "\xff"}]', "not UTF-8 text at byte 8"),
        (b"", "at byte 0"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"rows": {}}', "neither a list of rows"),
        (b'{"rows": [], "columns": {}}', "neither a list of rows"),
        (b"7", "neither a list of rows"),
        (b'{"columns": {"a": 1}}', "'a' is no list"),
        (b'{"columns": {"a": [1], "b": [1, 2]}}', "'a' has 1, 'b' has 2"),
        (b'[{"features.x": 1, "features": {"x": 2}}]', "given twice"),
        (b'[{"a\\u0000b": 1}]', "control character"),
        (b'[{"a": ' + b"9" * 5_000 + b', "b": NaN}]', "thousands of digits"),
    ],
)
def test_malformed_bodies_name_the_place(body: bytes, part: str) -> None:
    with pytest.raises(MalformedBody, match=part):
        read(body)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf[]").n_rows == 0


def test_rows_that_are_no_objects_are_rejected_and_the_others_taken() -> None:
    found = read('[{"a": 1}, 5, null, {"a": 2}, {"features": [1], "a": 3}]')
    assert found.data["a"] == [1, None, None, 2, 3]
    assert [(r.row, r.field) for r in found.rejects] == [(1, ""), (2, ""), (4, "features")]


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_tokens_that_json_does_not_know_reject_their_row_only(token: str) -> None:
    reason = f"{token} is not JSON; send null for a missing value"
    rows = read(f'[{{"features": {{"age": {token}}}}}, {{"features": {{"age": 4}}}}, {token}]')
    assert rows.data == {"features.age": [None, 4, None]}
    assert rows.rejects == [
        Reject(2, "", "the row is no object; send {name: value}"), Reject(0, "features.age", reason),
    ]  # fmt: skip
    columns = read(f'{{"columns": {{"features.age": [{token}, 4]}}}}')
    assert columns.data == {"features.age": [None, 4]}
    assert columns.rejects == [Reject(0, "features.age", reason)]


def test_outcomes_have_no_features() -> None:
    assert set(read('[{"features": {"x": 1}, "tags": {"t": "u"}}]', "outcomes").data) == {"features", "tags.t"}


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ROWS", 2)
    monkeypatch.setattr(limits, "MAX_COLUMNS", 3)
    monkeypatch.setattr(limits, "MAX_CELLS", 5)
    with pytest.raises(TooLarge, match="2 rows of 3 fields"):
        read('{"columns": {"a": [1, 2], "b": [1, 2], "c": [1, 2]}}')
    monkeypatch.setattr(json_body, "MAX_CELLS", 5)
    assert read("[{}, {}]").n_rows == 2
    with pytest.raises(TooLarge, match="3 rows"):
        read("[{}, {}, {}]")
    with pytest.raises(TooLarge, match="4 distinct fields"):
        read('{"columns": {"a": [], "b": [], "c": [], "d": []}}')
    with pytest.raises(TooLarge, match="2 rows with 3 distinct fields"):
        read('[{"a": 1, "b": 2}, {"c": 3}]')


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "", "application/json; charset=latin-1", "text/csv; header=present; charset=utf-16"],
)
def test_other_formats_are_refused_by_name(content_type: str) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        decode(content_type, b"[]", "predictions", {})
    assert "application/json" in str(caught.value) or "UTF-8" in str(caught.value)


def test_content_type_is_read_without_regard_to_case() -> None:
    assert decode("Application/JSON", json.dumps([{}]).encode(), "outcomes", {}).n_rows == 1
