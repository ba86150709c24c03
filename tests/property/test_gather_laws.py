"""Requests that are typed and written together get exactly what each would have got alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_bodies import arrow_body, columns_body, csv_body

from monitor.batch import Batch, Kind
from monitor.codecs import Columns, decode, from_ipc, normalise
from monitor.errors import NoGoodRow
from monitor.ingest.few import Few, may_gather
from monitor.ingest.gather import Gathering
from monitor.ingest.receipt import Receipt, check_good, part_of, receipt_of
from monitor.log.port import Part
from monitor.log.writer import Append
from monitor.model import ModelSpec, Schema

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ARROW, CSV, JSON = "application/vnd.apache.arrow.stream", "text/csv", "application/json"
SPEC = ModelSpec.from_dict({
    "model": "m", "task": "binary_classification", "favourable": 1, "protected_attributes": {"sex": {}},
    "features": {"n": "numeric", "c": "categorical", "v": "embedding[2]"},
})  # fmt: skip
SCHEMA = Schema(SPEC, SPEC.features)

# A field may be there or not, and be of any type: what one request sends must not change how another's is read.
numbers = st.none() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
odd = st.sampled_from(["", "a", "1", "1.0", "\0", "x" * 1_100, [1.0, 2.0], [1], {"1": 0.5}])
anything = numbers | st.booleans() | odd
row = st.fixed_dictionaries(
    {},
    optional={
        "prediction_id": st.none() | st.sampled_from(["a", "b", "", "x" * 129, 7, True, 1.5]),
        "timestamp": st.sampled_from(["2026-06-30T00:00:00Z", "2026-06-30T01:00:00.123456789+02:00", "yesterday", 5]),
        "prediction_score": st.sampled_from([0, 1, 0.25, 2, "0.5", {"1": 0.5}, {"0": 0.5}, None]),
        "prediction_label": st.sampled_from([0, 1, "1", 1.0, True, None, [1]]),
        "actual_label": st.sampled_from([0, "1", True, None, [1]]),
        "role": st.sampled_from(["champion", "shadow", "king", None]),
        "latency_ms": numbers,
        "features": st.none() | st.dictionaries(st.sampled_from(["n", "c", "v", "other"]), anything, max_size=4),
        "tags": st.none() | st.dictionaries(st.sampled_from(["state", "plan"]), anything, max_size=2),
        "protected": st.none() | st.fixed_dictionaries({}, optional={"sex": anything}),
        "unknown": anything,
    },
)  # fmt: skip
good = st.fixed_dictionaries(
    {"timestamp": st.just("2026-06-30T00:00:00Z"), "prediction_score": st.floats(0, 1), "actual_label": st.just(1)},
    optional={"prediction_id": st.sampled_from(["a", "b", None]), "features": st.fixed_dictionaries({"n": numbers})},
)
requests = st.tuples(
    st.lists(good | row | st.sampled_from([None, 5, []]), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["wall", "event"]),
)


class Answer:
    """Stands for the future of a request, in a loop that does at once what it is told."""

    def __init__(self) -> None:
        self.given: list[Receipt | Exception] = []

    def get_loop(self) -> Answer:
        return self

    def call_soon_threadsafe(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return False

    def set_result(self, receipt: Receipt) -> None:
        self.given.append(receipt)

    set_exception: Callable[[Exception], None] = set_result  # type: ignore[assignment]


def gather(sent: Sequence[tuple[Columns, bool]], kind: Kind) -> tuple[list[Append], list[Answer]]:
    answers = [Answer() for _ in sent]
    few = [
        Few("m", kind, columns, 3, SCHEMA, atomic, answer)  # type: ignore[arg-type]
        for (columns, atomic), answer in zip(sent, answers, strict=True)
    ]
    appends = Gathering(lambda: NOW)(few)
    for append in appends:
        append.written(append.segment)
    return appends, answers


def rows_of(part: Part, table: pa.RecordBatch, start: int) -> list[dict[str, Any]]:
    """The rows of a part, without what it has no value in, its own id standing as B."""
    found = table.slice(start, part.rows).to_pylist()
    return [{k: _named(v, part) for k, v in one.items() if v is not None and v is not False} for one in found]


def _named(value: Any, part: Part) -> Any:
    return value.replace(part.batch_id, "B") if isinstance(value, str) else value


def refusal(alone: Batch, atomic: bool) -> NoGoodRow | None:
    try:
        check_good(alone.accepted, alone.rejects, atomic)
    except NoGoodRow as error:
        return error
    return None


def check(sent: Sequence[tuple[Columns, bool]], kind: Kind) -> None:
    appends, answers = gather(sent, kind)
    written: dict[str, tuple[Part, Any, list[dict[str, Any]], list[dict[str, Any]]]] = {}
    for append in appends:
        segment, start = append.segment, 0
        table, apart = from_ipc(segment.payload), from_ipc(segment.protected) if segment.protected else None
        assert segment.rows == table.num_rows
        for part in segment.parts:
            protected = [] if apart is None else rows_of(part, apart, start)
            written[part.batch_id] = part, segment, rows_of(part, table, start), protected
            start += part.rows
    for (columns, atomic), answer in zip(sent, answers, strict=True):
        (told,) = answer.given
        alone: Batch = normalise(columns, SCHEMA, kind, "B", NOW)
        error = refusal(alone, atomic)
        if error is not None:
            assert isinstance(told, NoGoodRow)
            assert (told.detail, told.mend, told.rejects) == (error.detail, error.mend, error.rejects)
            continue
        assert isinstance(told, Receipt), told
        part, segment, rows, protected = written.pop(told.batch_id)
        wanted = part_of(part.batch_id, alone.accepted, alone.rejects, alone.notes, alone.envelope)
        assert part == wanted
        assert told == receipt_of(wanted)
        assert (segment.event_clock, segment.sampling_rate) == (
            columns.envelope.clock == "event", columns.envelope.sampling_rate,
        )  # fmt: skip
        plain = Part("B", alone.accepted)
        assert rows == rows_of(plain, alone.table, 0)
        assert protected == ([] if alone.protected is None else rows_of(plain, alone.protected, 0))
    assert not written, "rows were written for which nobody was told"


@settings(max_examples=60)
@given(sent=st.lists(requests, min_size=1, max_size=5), kind=st.sampled_from(["predictions", "outcomes"]))
def test_rows_of_any_kind_fare_together_as_they_do_alone(sent: list[tuple[list[Any], bool, str]], kind: Kind) -> None:
    read = [(decode(JSON, json.dumps(rows).encode(), kind, {"clock": clock}), atomic) for rows, atomic, clock in sent]
    check([(c, atomic) for c, atomic in read if may_gather(c, kind, SCHEMA)], kind)


flat = st.fixed_dictionaries({
    "prediction_id": st.none() | st.sampled_from(["a", "b"]),
    "timestamp": st.datetimes(datetime(1970, 1, 1), datetime(2026, 7, 3)),  # noqa: DTZ001  (the strategy asks for it)
    "prediction_label": st.none() | st.integers(0, 1), "prediction_score": st.floats(0, 1),
    "model_version": st.none() | st.just("v"), "role": st.sampled_from(["champion", "king"]),
    "features.n": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "features.c": st.none() | st.sampled_from(["x", "y"]), "features.i": st.none() | st.integers(0, 9),
    "features.b": st.none() | st.booleans(), "features.f": st.none() | st.floats(0, 1),
    "features.undeclared": st.booleans(), "tags.state": st.none() | st.sampled_from(["MA", "NY"]),
    "protected.sex": st.none() | st.sampled_from(["f", "m"]),
})  # fmt: skip
forms = st.sampled_from([
    (JSON, columns_body), (CSV, csv_body), (ARROW, lambda sent: arrow_body(sent, 3, False)),
])  # fmt: skip


@settings(max_examples=60)
@given(sent=st.lists(st.tuples(forms, st.lists(flat, min_size=1, max_size=3)), min_size=1, max_size=6))
def test_so_do_columns_of_any_form_beside_one_another(sent: list[tuple[Any, list[dict[str, Any]]]]) -> None:
    read = [decode(media, write(rows), "predictions", {}) for (media, write), rows in sent]
    check([(columns, False) for columns in read if may_gather(columns, "predictions", SCHEMA)], "predictions")
