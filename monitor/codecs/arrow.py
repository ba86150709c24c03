"""``application/vnd.apache.arrow.stream``: flat columns named ``features.age``, or structs ``features``, ``tags``,
``protected``.

Source of the format: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Kind
from monitor.codecs.arrow_size import unpacked_size
from monitor.codecs.columns import MAX_ROWS, Columns, check_shape, read_envelope
from monitor.codecs.json_body import NESTED
from monitor.errors import MalformedBody, TooLarge

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_MEND = "Send the stream whole, as pyarrow.ipc.new_stream writes it and closes it"
MAX_UNPACKED = 512 * 1024 * 1024


def decode_arrow(body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """One table, of however many record batches. The stream must end with its end-of-stream marker: without it, a
    body cut off between two record batches would pass for a shorter one."""
    envelope = read_envelope({}, query)
    try:
        if unpacked_size(body) > MAX_UNPACKED:
            raise TooLarge(f"The stream unpacks to over {MAX_UNPACKED >> 20} MiB", "Send several smaller batches")
        table = _read(body)
        spelt = 0
        data: dict[str, list[Any] | pa.Array] = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            for wire, array in _flat(name, column, NESTED[kind]):
                if wire in data:
                    raise MalformedBody(f"The column '{wire[:60]}' is given twice", "Send it once")
                if pa.types.is_timestamp(array.type):
                    _ = array.type.tz       # its bytes become text only now, where a fault in them is caught
                data[wire] = array
                spelt += _spelt_out(array)
        if spelt > MAX_UNPACKED:
            raise TooLarge(f"The dictionaries spell out to over {MAX_UNPACKED >> 20} MiB", "Send shorter words")
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0][:200]
        raise MalformedBody(f"The body is not an Arrow stream: {reason}", _MEND) from None
    check_shape(table.num_rows, list(data))
    return Columns(data, table.num_rows, envelope)


def _spelt_out(array: pa.Array) -> int:
    """Bytes of a dictionary column once each row has its word: a long word may stand in a million rows."""
    if not pa.types.is_dictionary(array.type):
        return 0
    words = array.dictionary
    t = pa.types
    if not (t.is_string(words.type) or t.is_large_string(words.type) or t.is_string_view(words.type)):
        return 0
    lengths = pc.binary_length(words.cast(pa.large_string())).cast(pa.int64())
    return pc.sum(lengths.take(array.indices)).as_py() or 0


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
    table = pa.Table.from_batches(batches, schema)
    table.validate(full=True)       # offsets, indices and UTF-8: what came over the wire is trusted in nothing
    return table


def _flat(name: str, column: pa.ChunkedArray, nested: tuple[str, ...]) -> list[tuple[str, pa.Array]]:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):      # pyarrow keeps an empty column as a chunked one
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    if name in nested and pa.types.is_struct(array.type):
        fields = [array.type.field(i).name for i in range(array.type.num_fields)]
        return [(f"{name}.{field}", values) for field, values in zip(fields, array.flatten(), strict=True)]
    return [(name, array)]
