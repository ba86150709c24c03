"""Parquet and Arrow files in pieces, each an Arrow stream; no more than a piece and a row group is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.cli.files.opened import File, arrow_reader

ARROW = "application/vnd.apache.arrow.stream"
MAX_PIECE = 8 << 20         # bytes of a request, of wide rows fewer than were asked for


def arrow_body(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def table_parts(
    file: File, rows: int | None, wire: Callable[[pa.Table], pa.Table]
) -> Iterator[tuple[int, float, bytes]]:
    """Rows, the share of the file that is read with them, and the body; ``rows`` ``None``: all in one."""
    with file.seekable() as source:
        if file.form == "parquet":
            opened = pq.ParquetFile(source, buffer_size=1 << 20, pre_buffer=False)      # else a row group is held whole
            total = opened.metadata.num_rows
            batches: Iterable[pa.RecordBatch] = opened.iter_batches(batch_size=rows or max(total, 1))
            schema = opened.schema_arrow
        else:
            reader = arrow_reader(source)
            schema = reader.schema
            batches = _batches(reader)
            total = 0
        done = 0
        for table in _regrouped(batches, schema, rows):
            for part in _sized(table, rows is None):
                done += part.num_rows
                yield part.num_rows, min(done / total, 1.0) if total else 0.0, arrow_body(wire(part))


def _batches(reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.RecordBatchFileReader):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)


def _regrouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int | None) -> Iterator[pa.Table]:
    """Tables of ``rows`` rows each, whatever the batches of the file."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while rows is not None and count + batch.num_rows >= rows:
            yield pa.Table.from_batches([*held, batch.slice(0, rows - count)], schema)
            batch, held, count = batch.slice(rows - count), [], 0
        if batch.num_rows:
            held.append(batch)
            count += batch.num_rows
    if held:
        yield pa.Table.from_batches(held, schema)


def _sized(table: pa.Table, whole: bool) -> Iterator[pa.Table]:
    if whole or table.num_rows < 2 or table.nbytes <= MAX_PIECE:
        yield table
        return
    half = table.num_rows // 2
    yield from _sized(table.slice(0, half), whole)
    yield from _sized(table.slice(half), whole)
