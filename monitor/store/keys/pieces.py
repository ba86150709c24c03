"""Rows kept under ids, by the batch: put together, taken from, and as they are written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from monitor.fold.ids import Ints, unpack_ids


def take(piece: pa.RecordBatch, rows: Ints) -> pa.RecordBatch:
    """Some rows of a piece; where they lie side by side, as they do for outcomes that come in order, without a copy."""
    first = int(rows[0])
    if int(rows[-1]) - first == rows.size - 1 and (np.diff(rows) == 1).all():
        return piece.slice(first, rows.size)
    return piece.take(pa.array(rows))


def together(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches of the same columns as one, whatever words their dictionaries have, and whether their ids are packed."""
    if len(parts) == 1:
        return parts[0]
    if len({part.schema.field("id").type for part in parts}) > 1:
        parts = [part.set_column(0, "id", unpack_ids(part.column(0))) for part in parts]
    table = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()
    (batch,) = table.to_batches()
    return batch


def packed(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows as they are written: whole numbers of two bytes in one where they fit."""
    return pa.RecordBatch.from_arrays([_narrow(column) for column in rows.columns], rows.schema.names)


def unpacked(rows: pa.RecordBatch) -> pa.RecordBatch:
    """What was written, as it was."""
    wide = [c.cast(pa.int16()) if pa.types.is_uint8(c.type) else c for c in rows.columns]
    return pa.RecordBatch.from_arrays(wide, rows.schema.names)


def _narrow(column: pa.Array) -> pa.Array:
    if not pa.types.is_int16(column.type):
        return column
    values = np.asarray(column)
    fits = not values.size or (values.min() >= 0 and values.max() < 256)
    return pa.array(values.astype(np.uint8)) if fits else column
