"""Segments: what the log keeps is what it was given, to the last bit, in fewer bytes."""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.codecs import packing
from monitor.codecs.packing import pack, unpack
from monitor.codecs.segment import column_of, from_ipc, to_ipc

UUIDS = [str(uuid.UUID(int=i * 2**90 + 7)) for i in range(5)]


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name.replace("__", "."): values for name, values in columns.items()})


def kept(given_: pa.RecordBatch) -> pa.RecordBatch:
    """Read back what was written, and see that it is the same, with its metadata and the bits of each number."""
    found = from_ipc(to_ipc(given_))
    found.validate(full=True)
    assert found.equals(given_, check_metadata=True)
    for ours, theirs in zip(found.columns, given_.columns, strict=True):
        if pa.types.is_floating(ours.type):
            a, b = (np.asarray(x.fill_null(0.0)).view(np.int64) for x in (ours, theirs))
            assert (a == b).all()
    return pack(given_)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, -2.0, None], pa.int8()), ([0.25, 12.75], pa.int16()), ([0.1, 0.2, 0.3], pa.int8()),
        ([1e6, 0.5], pa.int32()), ([0.0001, 3.0], pa.int16()), ([0.0, -0.0], pa.float64()), ([math.pi], pa.float64()),
        ([math.inf, 1.0], pa.float64()), ([1e300], pa.float64()), ([3e9], pa.float64()), ([None, None], pa.int8()),
        ([127.0], pa.int8()), ([128.0], pa.int16()), ([32768.0], pa.int32()), ([1.0] * 100 + [math.pi], pa.float64()),
    ],
)  # fmt: skip
def test_decimals_of_few_places_are_kept_as_whole_numbers(
    values: list[float | None], kind: pa.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_FEW", 0)
    packed = kept(batch(x=pa.array(values, pa.float64()), y=["a"] * len(values)))
    assert packed.schema.field("x").type == kind


@pytest.mark.parametrize(
    ("ids", "is_packed"),
    [
        (UUIDS, True), ([u.upper() for u in UUIDS], False), ([*UUIDS, None], False), ([*UUIDS, "x"], False),
        ([UUIDS[0].replace("-", "") + "----"], False), (["-" * 36], False), (["g" * 36], False), (["é" * 18], False),
        ([UUIDS[0].replace("-", " ")], False),
    ],
)  # fmt: skip
def test_ids_that_are_uuids_are_kept_as_their_bytes(ids: list[str | None], is_packed: bool) -> None:
    packed = kept(batch(prediction_id=pa.array(ids, pa.string())))
    assert (packed.schema.field("prediction_id").type == pa.binary(16)) == is_packed


@pytest.mark.parametrize("n_words", [1, 127, 128, 40_000])
def test_dictionaries_have_the_indices_that_their_words_need(n_words: int) -> None:
    coded = pa.array([*map(str, range(n_words)), None]).dictionary_encode()
    packed = kept(batch(features__c=coded))
    wanted = {1: pa.int8(), 127: pa.int8(), 128: pa.int16(), 40_000: pa.int32()}[n_words]
    assert packed.schema.field("features.c").type.index_type == wanted


def test_row_numbers_that_count_are_not_kept() -> None:
    rows = pa.array([0, 1, 2], pa.int32())
    assert "row" not in kept(batch(row=rows, x=[1.0, 2.0, 3.0])).schema.names
    assert "row" not in kept(batch(x=["a", "b", "c"], row=rows, y=[1, 2, 3])).schema.names
    assert "row" in kept(batch(row=pa.array([0, 2, 3], pa.int32()), x=[1.0, 2.0, 3.0])).schema.names
    assert "row" in kept(batch(row=rows)).schema.names      # a batch without a column would have no rows


def test_slices_empty_batches_and_other_types() -> None:
    whole = batch(
        row=pa.array(range(5), pa.int32()), prediction_id=UUIDS, x=[1.0, None, 0.5, 2.0, -1.0],
        c=pa.array(["a", None, "b", "c", "a"]).dictionary_encode(),
        v=pa.array([[1.0, 2.0]] * 5, pa.list_(pa.float32(), 2)),
        m=pa.array([[("a", 1.0)]] * 5, pa.map_(pa.string(), pa.float64())), b=[b"x"] * 5, t=[True] * 5,
        at=pa.array([1] * 5, pa.timestamp("us", "UTC")),
    )  # fmt: skip
    for part in (whole, whole.slice(1, 3), whole.slice(3), whole.slice(0, 0)):
        kept(part)
    assert unpack(whole).equals(whole)


def test_columns_are_looked_at_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FEW", 0)
    monkeypatch.setattr(packing, "_AT_ONCE", 4)
    packed = kept(batch(**{f"x{i}": [i / 4, 1.0] for i in range(9)}))
    assert {str(kind) for kind in packed.schema.types} == {"int8", "int16"}


def test_decimals_of_few_rows_stay_as_they_are() -> None:
    few, many = (kept(batch(x=[0.5] * n)) for n in (100, 101))
    assert (few.schema.field("x").type, many.schema.field("x").type) == (pa.float64(), pa.int8())


def test_a_batch_with_a_name_twice_is_kept_as_it_is() -> None:
    arrays = [pa.array([1.0]), pa.array([0.5])]
    twice = pa.RecordBatch.from_arrays(arrays, names=["x", "x"])
    assert from_ipc(to_ipc(twice)).equals(twice)


def test_one_column_of_a_segment() -> None:
    segment = to_ipc(batch(row=pa.array([0, 1], pa.int32()), prediction_id=UUIDS[:2], x=[0.5, None]))
    assert column_of(segment, "prediction_id").to_pylist() == UUIDS[:2]
    assert column_of(segment, "x").to_pylist() == [0.5, None]


def test_segments_of_an_earlier_version_are_read() -> None:
    table = batch(row=pa.array([0, 1], pa.int32()), x=[0.5, None])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(table)
    old = sink.getvalue().to_pybytes()
    assert from_ipc(old).equals(table)
    assert column_of(old, "x").to_pylist() == [0.5, None]


def test_bytes_a_prediction() -> None:
    """Of 25 low-entropy numeric features, a score, a label and a random id, in a batch of 10,000."""
    rng = np.random.default_rng(1)
    n = 10_000
    columns: dict[str, Any] = {
        "row": pa.array(range(n), pa.int32()), "prediction_id": [str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(n)],
        "timestamp": pa.array(np.cumsum(rng.integers(0, 10**6, n)), pa.timestamp("us", "UTC")),
        "model_version": ["v1"] * n, "role": ["champion"] * n, "prediction_label": rng.integers(0, 2, n).astype(str),
        "prediction_score": rng.random(n).round(4),
    }  # fmt: skip
    columns |= {f"features.f{i}": rng.integers(0, 2 + 3 * (i % 5), n).astype(float) for i in range(25)}
    assert len(to_ipc(pa.RecordBatch.from_pydict(columns))) / n < 40


numbers = st.none() | st.floats(width=64, allow_nan=False) | st.decimals(-999, 999, places=2).map(float)


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, st.none() | st.text(max_size=3), st.uuids().map(str)), max_size=20))
def test_any_batch_is_kept(rows: list[tuple[Any, Any, str]]) -> None:
    kept(pa.RecordBatch.from_pydict({
        "row": pa.array(range(len(rows)), pa.int32()), "prediction_id": pa.array([r[2] for r in rows], pa.string()),
        "x": pa.array([r[0] for r in rows], pa.float64()), "c": pa.array([r[1] for r in rows]).dictionary_encode(),
    }))  # fmt: skip
