"""The same rows give the same Batch in whatever format they come, and bad rows change nothing about the good ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_bodies import arrow_body, as_json_row, bodies, columns_body, csv_body, ndjson_body, parquet_body

from monitor.batch import Batch
from monitor.codecs import decode, from_ipc, normalise, to_ipc
from monitor.errors import MalformedBody
from monitor.model import ModelSpec, Schema

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SPEC = ModelSpec.from_dict({
    "model": "m", "task": "binary_classification",
    "features": {"n": "numeric", "c": "categorical", "i": "categorical", "b": "categorical", "f": "categorical"},
    "favourable": 1, "protected_attributes": {"sex": {}},
})  # fmt: skip
SCHEMA = Schema(SPEC, SPEC.features)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
# CSV has no types: a text that is written as a boolean or a whole float is read as one.
names = words.filter(lambda word: word.lower() not in ("true", "false") and not word.endswith(".0"))
rows = st.fixed_dictionaries({
    "prediction_id": st.none() | words,
    "timestamp": st.datetimes(datetime(1970, 1, 1), datetime(2026, 7, 1)),  # noqa: DTZ001  (the strategy asks for it)
    "prediction_label": st.none() | st.integers(0, 1),
    "prediction_score": st.floats(0, 1),
    "model_version": st.none() | words,
    "role": st.sampled_from(["champion", "challenger", "shadow"]),
    "features.n": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "features.c": st.none() | names,
    "features.i": st.none() | st.integers(-(2**53), 2**53),
    "features.b": st.none() | st.booleans(),
    "features.f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "features.undeclared": st.booleans(),
    "tags.state": st.none() | names,
    "protected.sex": st.none() | st.sampled_from(["f", "m"]),
})  # fmt: skip
bad_rows = st.sampled_from([
    5, None, {}, {"prediction_id": ""}, {"prediction_id": "x", "timestamp": "yesterday", "prediction_score": 1},
    {"timestamp": "2026-07-01T00:00:00Z", "prediction_score": 2}, {"timestamp": 1, "features": {"c": [1]}},
    {"timestamp": "2026-07-01T00:00:00Z", "prediction_score": 0.5, "protected": {"sex": [1]}},
])  # fmt: skip


def read(media: str, body: bytes) -> Batch:
    return normalise(decode(media, body, "predictions", {}), SCHEMA, "predictions", "B", NOW)


def from_rows(sent: list[Any]) -> Batch:
    return read("application/json", json.dumps(sent).encode())


def same(a: Batch, b: Batch) -> None:
    assert a.table.schema == b.table.schema
    assert a.table.equals(b.table), (a.table.to_pylist(), b.table.to_pylist())
    assert a.protected is not None
    assert a.protected.equals(b.protected)
    assert (a.rejects, a.notes, a.envelope) == (b.rejects, b.notes, b.envelope)


@settings(deadline=None)      # Arrow loads pandas at its first array, where that is installed
@given(sent=st.lists(rows, min_size=1, max_size=12), each=st.integers(1, 5), nested=st.booleans(),
       page=st.sampled_from(["1.0", "2.0"]))  # fmt: skip
def test_every_format_gives_the_same_batch(sent: list[dict[str, Any]], each: int, nested: bool, page: str) -> None:
    as_rows = [as_json_row(row) for row in sent]
    by_rows = from_rows(as_rows)
    assert by_rows.accepted == len(sent)
    same(by_rows, read("application/json", columns_body(sent)))
    same(by_rows, read("application/x-ndjson", ndjson_body(as_rows)))
    same(by_rows, read("text/csv", csv_body(sent)))
    same(by_rows, read("application/vnd.apache.arrow.stream", arrow_body(sent, each, nested)))
    same(by_rows, read("application/vnd.apache.parquet", parquet_body(sent, each, nested, page)))
    assert from_ipc(to_ipc(by_rows.table)).equals(by_rows.table)


wrong = st.sampled_from([None, 0.5, 7, "forty", "4 0", "0x10", "1,5"])


@settings(deadline=None)
@given(sent=st.lists(st.tuples(rows, wrong), min_size=1, max_size=8))
def test_a_mistyped_feature_is_told_alike_in_every_format_that_can_hold_one(sent: list[tuple[Any, Any]]) -> None:
    mixed = [row | {"features.n": value} for row, value in sent]
    as_rows = [as_json_row(row) for row in mixed]
    by_rows = from_rows(as_rows)
    assert by_rows.accepted == len(sent)
    assert by_rows.notes.get("mistyped", {}).get("features.n", 0) == sum(isinstance(v, str) for _, v in sent)
    same(by_rows, read("application/json", columns_body(mixed)))
    same(by_rows, read("application/x-ndjson", ndjson_body(as_rows)))
    same(by_rows, read("text/csv", csv_body(mixed)))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, "1"), (21.0, "21.0"), (21.0, "21"), (-0.0, "-0.0"), (0.1, "0.1"), (1e22, "1e+22"), (2.0**53, str(2.0**53)),
        (True, "True"), (False, "false"), ("02139", "02139"), ("1.10", "1.10"), (-7, "-7"), (2**70, str(2**70)),
    ],
)  # fmt: skip
def test_an_identity_sent_as_json_and_as_csv_is_a_duplicate(value: Any, written: str) -> None:
    features = {"c": value, "n": value if isinstance(value, int | float) and not isinstance(value, bool) else None}
    row = {"prediction_id": "0042", "model_version": "1.0", "timestamp": "2026-06-01T02:00:00.1+02:00",
           "prediction_label": value, "prediction_score": 0.25, "features": features}  # fmt: skip
    number = "" if features["n"] is None else written
    names = "prediction_id,model_version,timestamp,prediction_label,prediction_score,features.c,features.n"
    line = f"0042,1.0,2026-06-01T00:00:00.100000Z,{written},.25,{written},{number}"
    by_csv = read("text/csv", f"{names}\r\n{line}\r\n".encode())
    assert by_csv.table["prediction_id"].to_pylist() == ["0042"]
    same(from_rows([row]), by_csv)


@settings(deadline=None)
@given(good=st.lists(rows, min_size=1, max_size=8), bad=st.lists(st.tuples(st.integers(0, 8), bad_rows), max_size=4))
def test_bad_rows_change_nothing_about_good_ones(good: list[dict[str, Any]], bad: list[tuple[int, Any]]) -> None:
    sent = [(True, as_json_row(row) | {"prediction_id": f"p{i}"}) for i, row in enumerate(good)]
    clean = from_rows([row for _, row in sent])
    for at, row in bad:
        sent.insert(at, (False, row))
    mixed = from_rows([row for _, row in sent])
    kept = [i for i, (is_good, _) in enumerate(sent) if is_good]
    assert mixed.table["row"].to_pylist() == kept
    assert [r.row for r in mixed.rejects] == [i for i in range(len(sent)) if i not in kept]
    assert mixed.table.drop_columns(["row"]).equals(clean.table.drop_columns(["row"]))
    assert mixed.protected is not None
    assert mixed.protected.equals(clean.protected)


@settings(deadline=None)
@given(sent=st.lists(rows, min_size=1, max_size=6), cut=st.floats(0, 1, exclude_max=True))
def test_a_cut_body_is_never_taken(sent: list[dict[str, Any]], cut: float) -> None:
    for media, body in bodies(sent).items():
        if media in ("application/x-ndjson", "text/csv"):
            continue        # whose lines have no end but that of the body: HTTP tells whether it came whole
        try:
            decode(media, body[: int(cut * len(body))], "predictions", {})
        except MalformedBody:
            continue
        raise AssertionError(f"{media} cut at {cut} was taken")


@settings(deadline=None)
@given(
    seconds=st.integers(0, int((NOW - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())),
    micros=st.integers(0, 999_999),
    offset=st.integers(-23 * 60, 23 * 60),
)
def test_an_instant_is_read_alike_alone_and_beside_bad_ones(seconds: int, micros: int, offset: int) -> None:
    """The fast way (whole column) and the slow one (row by row) agree on every time and zone."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micros)
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    local = (instant + timedelta(minutes=offset)).replace(tzinfo=None).isoformat()
    row = {"timestamp": f"{local}{sign}{minutes // 60:02}:{minutes % 60:02}", "prediction_score": 1}
    for sent in ([row], [row, row | {"timestamp": "x"}]):
        assert from_rows(sent).table["timestamp"].to_pylist() == [instant]
