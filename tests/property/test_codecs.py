"""The same rows give the same Batch in whatever format they come, and bad rows change nothing about the good ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.batch import Batch
from monitor.codecs import decode, from_ipc, normalise, to_ipc
from monitor.errors import MalformedBody
from monitor.model import ModelSpec, Schema

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SPEC = ModelSpec.from_dict({
    "model": "m", "task": "binary_classification", "features": {"n": "numeric", "c": "categorical", "i": "categorical"},
    "favourable": 1, "protected_attributes": {"sex": {}},
})  # fmt: skip
SCHEMA = Schema(SPEC, SPEC.features)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
rows = st.fixed_dictionaries({
    "prediction_id": st.none() | words,
    "timestamp": st.datetimes(datetime(1970, 1, 1), datetime(2026, 7, 1)),  # noqa: DTZ001  (the strategy asks for it)
    "prediction_label": st.none() | st.integers(0, 1),
    "prediction_score": st.floats(0, 1),
    "model_version": st.none() | words,
    "role": st.sampled_from(["champion", "challenger", "shadow"]),
    "features.n": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "features.c": st.none() | words,
    "features.i": st.none() | st.integers(-(2**53), 2**53),
    "features.undeclared": st.booleans(),
    "tags.state": st.none() | words,
    "protected.sex": st.none() | st.sampled_from(["f", "m"]),
})  # fmt: skip
bad_rows = st.sampled_from([
    5, None, {}, {"prediction_id": ""}, {"prediction_id": "x", "timestamp": "yesterday", "prediction_score": 1},
    {"timestamp": "2026-07-01T00:00:00Z", "prediction_score": 2}, {"timestamp": 1, "features": {"c": [1]}},
    {"timestamp": "2026-07-01T00:00:00Z", "prediction_score": 0.5, "features": {"n": "x"}},
])  # fmt: skip


def as_json_row(row: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in row.items():
        value = value.isoformat() + "Z" if isinstance(value, datetime) else value
        outer, dot, inner = name.partition(".")
        if dot:
            out.setdefault(outer, {})[inner] = value
        else:
            out[name] = value
    return out


def from_rows(sent: list[Any]) -> Batch:
    columns = decode("application/json", json.dumps(sent).encode(), "predictions", {})
    return normalise(columns, SCHEMA, "predictions", "B", NOW)


def from_columns(sent: list[dict[str, Any]]) -> Batch:
    columns = {name: [row[name] for row in sent] for name in sent[0]}
    columns["timestamp"] = [t.isoformat() + "Z" for t in columns["timestamp"]]
    body = json.dumps({"columns": columns}).encode()
    return normalise(decode("application/json", body, "predictions", {}), SCHEMA, "predictions", "B", NOW)


def arrow_body(sent: list[dict[str, Any]], per_batch: int, nested: bool) -> bytes:
    columns: dict[str, Any] = {name: pa.array([row[name] for row in sent]) for name in sent[0]}
    columns["timestamp"] = columns["timestamp"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    columns["protected.sex"] = pa.array([row["protected.sex"] for row in sent], pa.string()).dictionary_encode()
    if nested:
        names = [name for name in columns if name.startswith("features.")]
        arrays = [columns.pop(name) for name in names]
        columns["features"] = pa.StructArray.from_arrays(arrays, [name.removeprefix("features.") for name in names])
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=per_batch)
    return bytes(sink.getvalue())


def from_arrow(body: bytes) -> Batch:
    columns = decode("application/vnd.apache.arrow.stream", body, "predictions", {})
    return normalise(columns, SCHEMA, "predictions", "B", NOW)


def same(a: Batch, b: Batch) -> None:
    assert a.table.schema == b.table.schema
    assert a.table.equals(b.table), (a.table.to_pylist(), b.table.to_pylist())
    assert a.protected is not None
    assert a.protected.equals(b.protected)
    assert (a.rejects, a.notes, a.envelope) == (b.rejects, b.notes, b.envelope)


@settings(deadline=None)      # Arrow loads pandas at its first array, where that is installed
@given(sent=st.lists(rows, min_size=1, max_size=12), per_batch=st.integers(1, 5), nested=st.booleans())
def test_every_format_gives_the_same_batch(sent: list[dict[str, Any]], per_batch: int, nested: bool) -> None:
    by_rows = from_rows([as_json_row(row) for row in sent])
    assert by_rows.accepted == len(sent)
    same(by_rows, from_columns(sent))
    same(by_rows, from_arrow(arrow_body(sent, per_batch, nested)))
    assert from_ipc(to_ipc(by_rows.table)).equals(by_rows.table)


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
    text = json.dumps([as_json_row(row) for row in sent]).encode()
    stream = arrow_body(sent, 2, False)
    for media, body in (("application/json", text), ("application/vnd.apache.arrow.stream", stream)):
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
