"""``application/vnd.apache.arrow.stream``: flat columns named ``features.age``, or structs ``features``, ``tags``,
``protected``.

Source of the format: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from monitor.batch import Kind
from monitor.codecs.arrow_size import unpacked_size
from monitor.codecs.columns import MAX_ROWS, Columns, read_envelope
from monitor.codecs.tables import MAX_UNPACKED, from_table
from monitor.errors import MalformedBody, TooLarge

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_MEND = "Send the stream whole, as pyarrow.ipc.new_stream writes it and closes it"


def decode_arrow(body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """One table, of however many record batches. The stream must end with its end-of-stream marker: without it, a
    body cut off between two record batches would pass for a shorter one."""
    envelope = read_envelope({}, query)
    try:
        if unpacked_size(body) > MAX_UNPACKED:
            raise TooLarge(f"The stream unpacks to over {MAX_UNPACKED >> 20} MiB", "Send several smaller batches")
        return from_table(_read(body), kind, envelope)
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0][:200]
        raise MalformedBody(f"The body is not an Arrow stream: {reason}", _MEND) from None


def _read(body: bytes) -> pa.Table:
    stream = pa.BufferReader(body)
    with pa.ipc.open_stream(stream) as reader:
        batches, n_rows = [], 0
        for batch in reader:
            n_rows += batch.num_rows
            if n_rows > MAX_ROWS:       # before anything is made of it: a column of nulls has rows and no bytes
                raise TooLarge(f"Over {MAX_ROWS} rows in one batch", "Send several smaller batches")
            batches.append(batch)
        schema = reader.schema
    end = stream.tell()
    if not body[:end].endswith(_END):
        raise MalformedBody(f"The Arrow stream ends at byte {end} without its end marker", _MEND)
    if end < len(body):
        raise MalformedBody(f"{len(body) - end} bytes follow the stream's end at byte {end}", "Send one stream")
    return pa.Table.from_batches(batches, schema)
