"""Arrow streams: whole ones are read, and every cut, forged or swollen one is refused."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pytest

from monitor.batch import Envelope
from monitor.codecs import arrow, decode, from_ipc, tables, to_ipc
from monitor.codecs.arrow_size import unpacked_size
from monitor.codecs.columns import Columns
from monitor.errors import MalformedBody, TooLarge


def stream(table: pa.Table, rows_each: int | None = None, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows_each)
    return bytes(sink.getvalue())


def read(body: bytes, **query: str) -> Columns:
    return decode("application/vnd.apache.arrow.stream", body, "predictions", query)


def plain(found: Columns) -> dict[str, list[Any]]:
    return {name: array.to_pylist() for name, array in found.data.items()}  # type: ignore[union-attr]


TABLE = pa.table({
    "prediction_id": ["a", "b", "c"],
    "features.x": [1.5, None, 3.0],
    "features.plan": pa.array(["u", "v", "u"]).dictionary_encode(),
})  # fmt: skip


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_several_record_batches_make_one_table(compression: str | None) -> None:
    found = read(stream(TABLE, 1, compression), clock="event")
    assert found.n_rows == 3
    assert plain(found) == TABLE.to_pydict()
    assert found.envelope == Envelope(clock="event")


def test_struct_columns_are_flattened_and_a_null_struct_is_all_null() -> None:
    table = pa.table({
        "features": pa.array([{"x": 1, "y": "a"}, None]),
        "tags": pa.array([{"state": "MA"}, {"state": None}]),
        "prediction_score": pa.array([{"0": 0.25, "1": 0.75}, None]),
    })  # fmt: skip
    assert plain(read(stream(table))) == {
        "features.x": [1, None], "features.y": ["a", None], "tags.state": ["MA", None],
        "prediction_score": [{"0": 0.25, "1": 0.75}, None],
    }  # fmt: skip


def test_no_rows_and_no_columns() -> None:
    assert read(stream(TABLE.slice(0, 0))).n_rows == 0
    assert read(stream(pa.table({}))).n_rows == 0


def test_every_cut_is_refused() -> None:
    body = stream(TABLE, 2)
    for end in range(len(body)):
        with pytest.raises(MalformedBody):
            read(body[:end])


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff" * 64, b"PAR1" * 20, b"\0" * 64])
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        read(body)


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(MalformedBody, match="follow"):
        read(stream(TABLE) + stream(TABLE))


def test_a_column_given_twice_is_refused() -> None:
    table = pa.Table.from_arrays([pa.array([{"x": 1}]), pa.array([2])], names=["features", "features.x"])
    with pytest.raises(MalformedBody, match="given twice"):
        read(stream(table))


def test_flipped_bytes_never_escape_as_another_error() -> None:
    """Whatever is wrong inside of a stream, it is refused as malformed, or read as data: nothing else."""
    body = stream(TABLE, compression="zstd")
    refused = 0
    for at in range(0, len(body), 3):
        forged = bytearray(body)
        forged[at] ^= 0xFF
        try:
            read(bytes(forged))
        except (MalformedBody, TooLarge):
            refused += 1
    assert refused > 50


def test_a_dictionary_index_out_of_range_is_refused() -> None:
    forged = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int8()), pa.array(["a"]), safe=False)
    with pytest.raises(MalformedBody):
        read(stream(pa.table({"features.plan": forged})))


def test_text_that_is_no_utf8_is_refused() -> None:
    forged = pa.StringArray.from_buffers(1, pa.py_buffer(struct.pack("<2i", 0, 2)), pa.py_buffer(b"\xff\xfe"))
    with pytest.raises(MalformedBody):
        read(stream(pa.table({"prediction_id": forged})))


def test_a_stream_that_swells_is_refused_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    words = pa.array(["a"] * 200_000).dictionary_encode()
    table = pa.table({"features.x": pa.array([0.0] * 200_000), "features.c": words})
    body = stream(table, compression="zstd")
    assert len(body) < 10_000
    assert unpacked_size(body) == 200_000 * 8 + 200_000 * 4 + 8 + 1   # values, indices, and the dictionary's one word
    assert unpacked_size(stream(table)) == 0
    monkeypatch.setattr(arrow, "MAX_UNPACKED", 1_000_000)
    with pytest.raises(TooLarge, match="unpacks"):
        read(body)


def test_a_long_word_in_many_rows_is_refused_before_it_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int8()), pa.array(["x" * 1_000]))
    assert read(stream(pa.table({"features.plan": words}))).n_rows == 1_000
    monkeypatch.setattr(tables, "MAX_UNPACKED", 999_999)
    with pytest.raises(TooLarge, match="dictionaries"):
        read(stream(pa.table({"features.plan": words})))


def test_a_zone_that_is_no_text_is_refused() -> None:
    body = stream(pa.table({"timestamp": pa.array([1]).cast(pa.timestamp("us", "Zone/Name"))}))
    with pytest.raises(MalformedBody):
        read(body.replace(b"Zone/Name", b"Zone/\xff\xfeme"))


def test_rows_without_bytes_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "MAX_ROWS", 1_000)
    with pytest.raises(TooLarge, match="1000 rows"):
        read(stream(pa.table({"features.x": pa.nulls(1_001)})))


def test_segments_keep_a_batch_whole() -> None:
    batch = TABLE.combine_chunks().to_batches()[0]
    assert from_ipc(to_ipc(batch)).equals(batch, check_metadata=True)
    empty = batch.slice(0, 0)
    assert from_ipc(to_ipc(empty)).equals(empty)
