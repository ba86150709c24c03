"""The log's own form of a batch: an Arrow stream whose buffers are compressed."""

from __future__ import annotations

import pyarrow as pa

_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def to_ipc(table: pa.RecordBatch) -> bytes:
    """A record batch as bytes that ``from_ipc`` reads back to an equal one.

    >>> batch = pa.RecordBatch.from_pydict({"a": [1, None]})
    >>> from_ipc(to_ipc(batch)).equals(batch)
    True
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_batch(table)
    return bytes(sink.getvalue())


def from_ipc(segment: bytes) -> pa.RecordBatch:
    """The record batch of a segment that this service wrote. Bytes from outside go through ``decode`` instead."""
    with pa.ipc.open_stream(segment) as reader:
        return reader.read_next_batch()


def column_of(segment: bytes, name: str) -> pa.Array:
    """One column of a segment that has it; the others are not decompressed.

    >>> column_of(to_ipc(pa.RecordBatch.from_pydict({"a": ["x"], "b": [7]})), "b").to_pylist()
    [7]
    """
    with pa.ipc.open_stream(segment) as reader:
        at = reader.schema.get_field_index(name)
    with pa.ipc.open_stream(segment, options=pa.ipc.IpcReadOptions(included_fields=[at])) as reader:
        return reader.read_next_batch().column(0)
