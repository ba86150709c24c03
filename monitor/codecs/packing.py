"""Columns of a batch in less room and without loss, for the log.

- a float column of many rows, all decimals of few places (``12``, ``0.25``), as whole numbers and a power of ten
- indices of a dictionary in as few bytes as it has words for
- ids that are UUIDs as their 16 bytes
- ``row``, where it counts from 0, not at all

What a column was packed from stands in its field's metadata. ``unpack(pack(batch))`` is ``batch``, to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor.codecs import uuids

_KEY, _ROW = b"packed", b"row"
_INTS = [(kind, np.iinfo(kind).min, np.iinfo(kind).max) for kind in (np.int8, np.int16, np.int32)]
_PLACES = range(5)
_FEW = 100              # rows up to which floats stay as they are: a look at them costs more than their bytes
_PROBED = 64            # values of a column that are looked at before all are
_AT_ONCE = 2**18        # values of columns that are looked at together: few calls, and what fits the cache

Floats = npt.NDArray[np.float64]


def pack(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, to be read with ``unpack``.

    >>> pack(pa.record_batch({"row": pa.array([0, 1], pa.int32()), "x": [0.5, 12.25]})).schema.names
    ['x']
    """
    if not batch.num_rows or len(set(batch.schema.names)) < batch.num_columns:
        return batch
    fields, arrays, meta = [], [], dict(batch.schema.metadata or {})
    decimals = _decimals(batch)
    for i, (field, array) in enumerate(zip(batch.schema, batch.columns, strict=True)):
        if field.name == "row" and i < batch.num_columns - 1 and _counts(array):
            meta[_ROW] = str(i).encode()
            continue
        how, packed = b"", array
        if field.name in decimals:
            how, packed = decimals[field.name]
        elif pa.types.is_dictionary(field.type) and field.type.index_type == pa.int32():
            how, packed = _index(array)
        elif field.name == "prediction_id" and pa.types.is_string(field.type):
            ids = uuids.pack(array)
            how, packed = (b"", array) if ids is None else (b"uuid", ids)
        fields.append(pa.field(field.name, packed.type, field.nullable, {_KEY: how}) if how else field)
        arrays.append(packed)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, meta or None))


def unpack(batch: pa.RecordBatch, packed_ids: bool = False) -> pa.RecordBatch:
    """What ``pack`` was given, but for ids that may stay packed; a batch that was not packed as it is."""
    meta = dict(batch.schema.metadata or {})
    at = meta.pop(_ROW, None)
    fields, arrays = [], []
    for field, array in zip(batch.schema, batch.columns, strict=True):
        stays = packed_ids and (field.metadata or {}).get(_KEY) == b"uuid"
        restored = array if stays else unpack_column(field, array)
        fields.append(field if restored is array and not stays else pa.field(field.name, restored.type, field.nullable))
        arrays.append(restored)
    if at is not None:
        row = pa.array(np.arange(batch.num_rows, dtype=np.int32))
        fields.insert(int(at), pa.field("row", row.type))
        arrays.insert(int(at), row)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, meta or None))


def unpack_column(field: pa.Field, array: pa.Array) -> pa.Array:
    """One column of ``unpack``."""
    how = (field.metadata or {}).get(_KEY, b"")
    if not how:
        return array
    if how == b"index":
        return pa.DictionaryArray.from_arrays(_as_ints(array.indices, np.int32), array.dictionary, safe=False)
    if how == b"uuid":
        return uuids.unpack(array)
    whole = np.asarray(array.fill_null(0) if array.null_count else array).astype(np.float64)
    return _with_nulls(whole / 10.0 ** int(how), array)


def _decimals(batch: pa.RecordBatch) -> dict[str, tuple[bytes, pa.Array]]:
    """Those of the float columns that are decimals of few places, packed, with the number of places."""
    arrays = {f.name: a for f, a in zip(batch.schema, batch.columns, strict=True) if f.type == pa.float64()}
    names, found = list(arrays), dict[str, tuple[bytes, pa.Array]]()
    step = max(1, _AT_ONCE // batch.num_rows)
    for start in range(0, len(names) if batch.num_rows > _FEW else 0, step):
        found |= _of_some({name: arrays[name] for name in names[start : start + step]})
    return found


def _of_some(arrays: dict[str, pa.DoubleArray]) -> dict[str, tuple[bytes, pa.Array]]:
    names = list(arrays)
    values = np.stack([np.asarray(a.fill_null(0.0) if a.null_count else a) for a in arrays.values()])
    left = np.arange(len(names))
    found: dict[str, tuple[bytes, pa.Array]] = {}
    for places in _PLACES:
        likely, _ = _are_whole(values[left, :_PROBED], places)
        tried = left[likely]
        exact, whole = _are_whole(values[tried], places)
        least, most = whole.min(axis=1).tolist(), whole.max(axis=1).tolist()
        for j in np.flatnonzero(exact).tolist():
            name, kind = names[tried[j]], _narrowest(least[j], most[j])
            found[name] = str(places).encode(), _with_nulls(whole[j].astype(kind), arrays[name])
        left = np.array([i for i in left.tolist() if names[i] not in found], np.int64)
        if not left.size:
            break
    return found


def _are_whole(values: Floats, places: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Which rows of a matrix are exactly whole numbers over a power of ten, and the numbers."""
    scale = 10.0**places
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.rint(values * scale).astype(np.int32)
    same = (whole / scale).view(np.int64) == values.view(np.int64)      # bit by bit: minus zero is another number
    return same.all(axis=1), whole


def _narrowest(least: int, most: int) -> Any:
    return next(kind for kind, low, high in _INTS if low <= least and most <= high)


def _with_nulls(numbers: npt.NDArray[Any], of: pa.Array) -> pa.Array:
    if not of.null_count:
        return pa.array(numbers)
    return pa.array(numbers, mask=of.is_null().to_numpy(zero_copy_only=False))


def _counts(array: pa.Array) -> bool:
    return bool(
        array.type == pa.int32()
        and not array.null_count
        and (np.asarray(array) == np.arange(len(array), dtype=np.int32)).all()
    )


def _index(array: pa.DictionaryArray) -> tuple[bytes, pa.Array]:
    for kind, _, most in _INTS[:2]:
        if len(array.dictionary) <= most:
            return b"index", pa.DictionaryArray.from_arrays(_as_ints(array.indices, kind), array.dictionary, safe=False)
    return b"", array


def _as_ints(indices: pa.Array, kind: Any) -> pa.Array:
    whole = np.asarray(indices.fill_null(0) if indices.null_count else indices)
    return _with_nulls(whole.astype(kind), indices)
