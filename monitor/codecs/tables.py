"""An Arrow table, from whatever format it was read, as the columns of a request."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Envelope, Kind
from monitor.codecs.columns import NESTED, Columns, check_shape
from monitor.errors import MalformedBody, TooLarge

MAX_UNPACKED = 512 * 1024 * 1024


def from_table(table: pa.Table, kind: Kind, envelope: Envelope) -> Columns:
    """Flat columns as they are, and structs ``features``, ``tags``, ``protected`` as one column for each field.

    The table is validated whole: offsets, indices and UTF-8, for what came over the wire is trusted in nothing. Raises
    ``pa.ArrowException``, ``ValueError`` or ``UnicodeDecodeError`` where it is not valid, and ``TooLarge``.
    """
    check_shape(table.num_rows, table.column_names)
    table.validate(full=True)
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
    check_shape(table.num_rows, list(data))
    return Columns(data, table.num_rows, envelope)


def _spelt_out(array: pa.Array) -> int:
    """Bytes of the dictionaries within a column once each value has its word: one may stand in a million rows."""
    t = pa.types
    if t.is_struct(array.type):
        return sum(map(_spelt_out, array.flatten()))
    if t.is_map(array.type):
        return _spelt_out(array.keys) + _spelt_out(array.items)
    if t.is_list(array.type) or t.is_large_list(array.type) or t.is_fixed_size_list(array.type):
        return _spelt_out(array.flatten())
    if not t.is_dictionary(array.type):
        return 0
    words = array.dictionary
    if not (t.is_string(words.type) or t.is_large_string(words.type) or t.is_string_view(words.type)):
        return 0
    lengths = pc.binary_length(words.cast(pa.large_string())).cast(pa.int64())
    return pc.sum(lengths.take(array.indices)).as_py() or 0


def _flat(name: str, column: pa.ChunkedArray, nested: tuple[str, ...]) -> list[tuple[str, pa.Array]]:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):      # pyarrow keeps an empty column as a chunked one
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    if name in nested and pa.types.is_struct(array.type):
        fields = [array.type.field(i).name for i in range(array.type.num_fields)]
        return [(f"{name}.{field}", values) for field, values in zip(fields, array.flatten(), strict=True)]
    return [(name, array)]
