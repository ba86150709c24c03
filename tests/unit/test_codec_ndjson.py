"""NDJSON: a row a line; a bad line is a reject of its own row, and its neighbours are taken."""

from __future__ import annotations

import json

import pytest

from monitor.batch import Envelope
from monitor.codecs import decode, json_shapes, ndjson
from monitor.codecs.columns import Columns
from monitor.errors import InvalidInput, MalformedBody, TooLarge


def read(body: str | bytes, kind: str = "predictions", **query: str) -> Columns:
    raw = body.encode() if isinstance(body, str) else body
    return decode("application/x-ndjson", raw, kind, query)  # type: ignore[arg-type]


def test_lines_are_rows_and_the_envelope_comes_in_the_query() -> None:
    lines = '{"prediction_id": "a", "features": {"x": 1}}\n{"prediction_id": "b", "tags": {"t": "u"}}\n'
    found = read(lines, clock="event")
    assert found.data == {"prediction_id": ["a", "b"], "features.x": [1, None], "tags.t": [None, "u"]}
    assert found.envelope == Envelope(clock="event")
    with pytest.raises(InvalidInput, match="clock"):
        read("{}", clock="x")


@pytest.mark.parametrize("media", ["application/ndjson", "application/jsonl", "application/x-ndjson; charset=utf-8"])
def test_it_goes_by_several_names(media: str) -> None:
    assert decode(media, b"{}\n{}", "predictions", {}).n_rows == 2


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"a": 1}\n{"a": 2}', b'{"a": 1}\r\n{"a": 2}\r\n', b'\n\n{"a": 1}\n \t\r\n{"a": 2}\n\n',
        b' {"a": 1} \n {"a": 2} ',
    ],
)  # fmt: skip
def test_a_mark_at_the_start_other_line_ends_and_blank_lines_are_passed_over(body: bytes) -> None:
    found = read(body)
    assert (found.data, found.n_rows, found.rejects) == ({"a": [1, 2]}, 2, [])


def test_no_lines() -> None:
    assert read(b"\n").n_rows == read(b"\r\n \n").n_rows == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": ', "line 3 is not JSON at byte 6: Expecting value"),
        (b'{"a": 1} {"a": 2}', "line 3 is not JSON at byte 9: Extra data"),
        (b'{"a":\n{"a": 2} {"a": 3}', "line 3 is not JSON at byte 5: Expecting value"),
        (b'{"a": 1},', "line 3 is not JSON at byte 8: Extra data"),
        (b'{"a": "\xff"}', "line 3 is not UTF-8 text at byte 7"),
        (b"[" * 100_000, "line 3 is nested too deep"),
        (b"[1]", "the row is no object"),
        (b"null", "the row is no object"),
    ],
)
def test_a_bad_line_costs_its_own_row_alone(line: bytes, reason: str) -> None:
    found = read(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n')
    n_bad = line.count(b"\n") + 1
    assert found.data == {"a": [1, *[None] * n_bad, 2]}
    assert [r.row for r in found.rejects] == list(range(1, 1 + n_bad))
    assert (found.rejects[0].field, found.rejects[0].reason[: len(reason)]) == ("", reason)


def test_an_object_on_two_lines_is_two_bad_ones() -> None:
    found = read('{"a":\n1}\n{"a": 2}')
    assert (found.data, [r.row for r in found.rejects]) == ({"a": [None, None, 2]}, [0, 1])


def test_nan_rejects_its_row_as_in_json() -> None:
    found = read('{"features": {"age": NaN}}\n{"features": {"age": 4}}\n')
    assert found.data == {"features.age": [None, 4]}
    assert [(r.row, r.field) for r in found.rejects] == [(0, "features.age")]
    assert "NaN is not JSON" in found.rejects[0].reason


def test_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_ROWS", 2)
    assert read("{}\n{}\n").n_rows == 2
    with pytest.raises(TooLarge, match="2 lines"):
        read("{}\n{}\n\n")


def test_a_body_of_many_bad_lines_is_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MOST_BAD", 2)
    assert len(read("{\n{}\n{\n").rejects) == 2
    with pytest.raises(MalformedBody, match="Over 2 lines are not JSON: line 1 is"):
        read("{\n{\n{}\n{\n")


def test_rows_of_a_shape_that_was_seen_are_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_shapes, "_recent", [])
    row = {"prediction_id": "a", "features": {"age": 4, "plan": None}, "protected": {"sex": 1}, "x": [{"y": 1}]}
    rows = [row, row | {"prediction_id": "b"}]
    bodies = [
        ("application/json", json.dumps(rows).encode()),
        ("application/json", json.dumps({"clock": "event", "rows": rows, "source": None}).encode()),
        ("application/x-ndjson", "\n".join(map(json.dumps, rows)).encode()),
    ]
    first = [decode(media, body, "predictions", {}) for media, body in bodies]
    assert json_shapes.decode_alike(bodies[0][1], ("features", "tags", "protected"), lines=False) is not None
    assert [decode(media, body, "predictions", {}) for media, body in bodies] == first
    assert first[1].envelope == Envelope("event")


@pytest.mark.parametrize(
    "body",
    [
        '[{"a": 1, "features": {"x": 1}}, {"a": 2, "features": {"y": 2}}]', '[{"a": 1}]',
        '[{"a": 1, "features": null}]',
        '[{"a": 1, "features": {"x": 1}, "b": 2}]', '[{"features": {"x": 1}, "a": 1}]', "[]", '[{}]', '{"rows": []}',
        '[{"a": 1, "features": {"x": 1, "x": 2}}]', '[{"a": NaN, "features": {"x": 1}}]', '[{"a": 1, "features": [1]}]',
        '{"rows": [{"a": 1, "features": {"x": 1}}], "sampling_rate": 0.5}', '{"columns": {"a": [1]}}',
        '[{"a": "\\ud83d", "features": {"x": 1}}]', '[{"a": 1, "features": {"x": 1}}, 5]',
    ],
)  # fmt: skip
def test_rows_of_any_other_shape_are_read_as_if_no_shape_were_known(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_shapes, "_recent", [])
    general = decode("application/json", body.encode(), "predictions", {})
    monkeypatch.setattr(json_shapes, "_recent", [(("a", None), ("features", ("x",)))])
    assert decode("application/json", body.encode(), "predictions", {}) == general


def test_names_that_no_struct_can_have_are_read_the_general_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_shapes, "_recent", [])
    body = json.dumps([{'a"b\\': 1, "ä": 2}]).encode()
    for _ in range(2):
        assert decode("application/json", body, "predictions", {}).data == {'a"b\\': [1], "ä": [2]}
    twice = b'[{"features.x": 1, "features": {"x": 2}}]'
    for _ in range(2):
        with pytest.raises(MalformedBody, match="given twice"):
            decode("application/json", twice, "predictions", {})


def test_few_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_shapes, "_recent", [])
    for i in range(10):
        read(json.dumps({f"f{i}": 1}))
    assert json_shapes._recent == [((f"f{i}", None),) for i in (9, 8, 7, 6)]
    wide = json.dumps({f"f{i}": 1 for i in range(json_shapes.MOST_FIELDS + 1)})
    read(wide)
    assert len(json_shapes._recent) == 4


def test_a_body_of_too_many_objects_is_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.codecs.json_text.MAX_OBJECTS", 10)
    assert decode("application/json", b"[{},{},{},{}]", "predictions", {}).n_rows == 4
    with pytest.raises(TooLarge, match="objects and lists"):
        decode("application/json", b"[" + b",".join([b"{}"] * 11) + b"]", "predictions", {})
    with pytest.raises(TooLarge, match="objects and lists"):
        read(b'{"a":[[],[],[],[],[],[],[],[],[],[]]}')
