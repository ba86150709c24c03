"""Whatever bytes are sent, a codec gives columns that can be typed, or an error of Vigil's own; never anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_bodies import bodies

from monitor.codecs import FORMATS, decode, normalise
from monitor.errors import InvalidInput
from monitor.model import ModelSpec, Schema

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TASKS: list[dict[str, Any]] = [
    {"task": "binary_classification", "favourable": 1, "protected_attributes": {"sex": {}}},
    {"task": "multiclass_classification", "classes": ["a", "b"]}, {"task": "regression"}, {"task": "ranking"},
]  # fmt: skip
FEATURES = {"features": {"n": "numeric", "c": "categorical", "v": "embedding[2]"}}
SPECS = [ModelSpec.from_dict({"model": "m", **task, **FEATURES}) for task in TASKS]
ROW = {
    "prediction_id": "p", "timestamp": datetime(2026, 6, 1), "prediction_label": 1, "prediction_score": 0.5,  # noqa: DTZ001
    "prediction_value": 1.5, "actual_label": 1, "actual_value": 2.5, "role": None, "features.n": 3, "features.c": "02",
    "features.v": [0.5, 1.0], "tags.state": 'M,"A', "protected.sex": "f",
}  # fmt: skip
BODIES = bodies([ROW, ROW | {"prediction_id": "q", "features.n": None}, ROW])

assert {FORMATS[media] for media in BODIES} == set(FORMATS.values()), "each codec is fuzzed"

kinds = st.sampled_from(["predictions", "outcomes", "reference"])
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4
)  # where, how many bytes are taken out, what is put in
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def attempt(media: str, body: bytes, kind: Any, spec: ModelSpec) -> None:
    try:
        batch = normalise(decode(media, body, kind, {}), Schema(spec, spec.features), kind, "B", NOW)
    except InvalidInput as error:
        str(error).encode()
        return
    batch.table.validate(full=True)
    assert batch.accepted + len(batch.rejects) >= batch.table.num_rows
    for reject in batch.rejects:
        f"{reject.field}{reject.reason}".encode()


@pytest.mark.parametrize("media", sorted(BODIES))
@settings(deadline=None, max_examples=50)
@given(body=st.binary(max_size=200), kind=kinds, spec=st.sampled_from(SPECS))
def test_any_bytes(media: str, body: bytes, kind: str, spec: ModelSpec) -> None:
    attempt(media, body, kind, spec)


@pytest.mark.parametrize("media", sorted(BODIES))
@settings(deadline=None, max_examples=100)
@given(cuts=edits, kind=kinds, spec=st.sampled_from(SPECS))
def test_whole_bodies_with_a_few_bytes_changed(media: str, cuts: list[Any], kind: str, spec: ModelSpec) -> None:
    body = BODIES[media]
    for where, out, put in cuts:
        at = int(where * len(body))
        body = body[:at] + put + body[at + out :]
    attempt(media, body, kind, spec)


@settings(deadline=None)
@given(values=st.lists(json_values, min_size=1, max_size=4), field=st.sampled_from(sorted(ROW)), kind=kinds,
       spec=st.sampled_from(SPECS), as_column=st.booleans())  # fmt: skip
def test_any_value_in_any_field(values: list[Any], field: str, kind: str, spec: ModelSpec, as_column: bool) -> None:
    good = {name: value for name, value in ROW.items() if name != "timestamp"} | {"timestamp": "2026-06-01T00:00:00Z"}
    if as_column:
        sent: Any = {"columns": {name: [value] * len(values) for name, value in good.items()} | {field: values}}
    else:
        sent = [good | {field: value} for value in values]
    attempt("application/json", json.dumps(sent).encode(), kind, spec)
