"""Laws of what model services send: any bytes are read or refused, and one table is one table in every protocol."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.codecs.columns import Columns
from monitor.errors import InvalidInput
from monitor.model import ModelSpec, Source, SourceKind
from monitor.model.reading import read
from monitor.model.sources import SELECTORS
from monitor.sources import FORMATS, Payload, Unreadable, decode, read_payload
from monitor.sources.draft import Recorded, draft
from monitor.sources.exchange import Exchange

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from([
    "instances", "inputs", "outputs", "predictions", "dataframe_split", "dataframe_records", "columns", "data", "names",
    "ndarray", "tensor", "shape", "values", "name", "datatype", "parameters", "captureData", "endpointInput",
    "encoding", "endpointOutput", "eventMetadata", "eventId", "inferenceTime", "groundTruthData", "request", "response",
    "databricks_request_id", "timestamp_ms", "request_time", "status_code", "sampling_fraction", "request_id",
    "timestamp", "x",
])  # fmt: skip
VALUES = st.recursive(
    LEAVES | st.sampled_from(["CSV", "JSON", "BASE64", "BYTES", "2026-01-31T12:00:00Z", 200, '{"instances": [[1]]}']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=10,
)
SLOW = settings(max_examples=25)
MEDIA = st.sampled_from(["", "application/json", "text/csv", "application/jsonlines", "application/octet-stream"])


@given(VALUES, st.sampled_from(["inputs", "outputs"]), MEDIA)
def test_any_json_is_a_payload_of_equal_columns_or_says_why_not(value: Any, side: Any, media: str) -> None:
    with suppress(Unreadable):
        payload = read_payload(json.dumps(value), side, media)
        assert {len(column) for column in payload.columns.values()} <= {payload.n_rows}
        assert {len(column) for column in payload.laid_out().values()} <= {payload.n_rows}


@given(st.binary(max_size=200), st.sampled_from(["inputs", "outputs"]), MEDIA, st.booleans())
def test_any_bytes_are_read_or_refused(body: bytes, side: Any, media: str, header: bool) -> None:
    with suppress(Unreadable):
        read_payload(body, side, media, header)


@SLOW
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=6), min_size=1, max_size=4), st.sampled_from(FORMATS),
       st.sampled_from(["predictions", "outcomes"]))  # fmt: skip
def test_any_records_give_rows_or_rejects(records: list[Any], format_: Any, kind: Any) -> None:
    source = Source(format_, columns=("x",), score=0, actual="x", time_zone="UTC")
    spec = ModelSpec("m", "binary_classification", sources=(source,))
    body = "\n".join(map(json.dumps, records)).encode()
    with suppress(InvalidInput):
        found = decode(format_, "application/x-ndjson", body, kind, {"timestamp": "2026-01-31T12:00:00Z"}, spec)
        assert isinstance(found, Columns)
        assert {len(column) for column in found.data.values()} <= {found.n_rows}
        assert {reject.row for reject in found.rejects} <= set(range(found.n_rows))


NUMBERS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=n, max_size=n)))
def test_one_table_is_the_same_in_every_protocol(rows: list[list[float]]) -> None:
    names = ["a", "b", "c"]
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    flat = [value for row in rows for value in row]
    bodies: list[Any] = [
        {"instances": [dict(zip(names, row, strict=True)) for row in rows]},
        {"dataframe_records": [dict(zip(names, row, strict=True)) for row in rows]},
        {"dataframe_split": {"columns": names, "data": rows}},
        {"inputs": columns},
        {"inputs": [{"name": n, "shape": [len(rows), 1], "datatype": "FP64", "data": v} for n, v in columns.items()]},
        {"data": {"names": names, "ndarray": rows}},
    ]
    assert [dict(read_payload(json.dumps(body), "inputs").columns) for body in bodies] == [columns] * len(bodies)
    unnamed = [
        read_payload(json.dumps({"instances": rows}), "inputs"),
        read_payload("\n".join(",".join(map(str, row)) for row in rows), "inputs", "text/csv"),
        read_payload(json.dumps({"inputs": [
            {"name": "x", "shape": [len(rows), 3], "datatype": "FP64", "data": flat}]}), "inputs"),
    ]  # fmt: skip
    assert [list(payload.laid_out().values()) for payload in unnamed] == [list(columns.values())] * 3


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(str.strip)
PLACE = st.integers(0, 100_000) | NAMES


@st.composite
def sources(draw: st.DrawFn) -> Source:
    kind = draw(st.sampled_from(get_args(SourceKind)))
    maybe = {"version": NAMES, "decision": PLACE, "label": PLACE, "timestamp": NAMES, "subject_key": NAMES,
             "role": st.sampled_from(["champion", "challenger", "shadow"]),
             "sampling_rate": st.floats(0.001, 1)}  # fmt: skip
    more = {key: draw(values) for key, values in maybe.items() if draw(st.booleans())}
    return Source(
        kind,
        {key: draw(NAMES) for key in SELECTORS[kind] if draw(st.booleans())},
        columns=tuple(draw(st.lists(NAMES, max_size=3, unique=True))),
        score=draw(PLACE),
        id=draw(NAMES),
        tags=draw(st.dictionaries(NAMES, NAMES, max_size=2)),
        protected=draw(st.dictionaries(st.just("sex"), NAMES, max_size=1)),
        **more,
    )


@SLOW
@given(st.lists(sources(), max_size=3))
def test_a_declaration_gives_its_sources_back(found: list[Source]) -> None:
    declared = {"model": "m", "task": "binary_classification", "favourable": "1",
                "protected_attributes": {"sex": {}}, "sources": [source.to_dict() for source in found]}  # fmt: skip
    spec = ModelSpec.from_dict(declared)
    assert list(spec.sources) == found
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@SLOW
@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=2, max_size=2), min_size=1, max_size=3),
       st.dictionaries(NAMES, st.lists(VALUES, min_size=2, max_size=2), min_size=1, max_size=3))  # fmt: skip
def test_a_draft_is_yaml_whatever_was_recorded(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    exchange = Exchange("r", None, Payload(inputs, 2), Payload(outputs, 2))
    with suppress(Unreadable):
        values, _ = read(draft(Recorded("mlflow", [exchange], model="m")), "yaml")
        assert list(values["features"] or {}) == list(inputs) or len(inputs) == 1
