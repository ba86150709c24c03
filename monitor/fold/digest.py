"""A digest of each row's content, so that the same prediction sent again is told from another one under its id."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.summaries.mixing import Words, mix

# What may differ between two sendings of one prediction.
_NOT_CONTENT = frozenset(
    {
        "row", "prediction_id", "model_version", "request_id", "trace_id", "latency_ms", "status", "mistyped",
        "undeclared",
    }
)  # fmt: skip


def row_digests(*tables: pa.RecordBatch | None) -> npt.NDArray[np.int64]:
    """A 64-bit digest of every row over all content columns of the tables, which lie side by side. Shape (n,).

    It does not depend on the order of the columns, and a column of nulls counts as an absent one, so that JSON and
    Arrow of the same rows agree. It is only ever compared under one prediction_id.

    >>> a = pa.record_batch({"prediction_id": ["1", "2"], "features.x": [1.0, 2.0]})
    >>> b = pa.record_batch({"features.x": [1.0, 2.0], "features.y": pa.nulls(2, pa.string())})
    >>> bool((row_digests(a) == row_digests(b)).all()), bool(row_digests(a)[0] == row_digests(a)[1])
    (True, False)
    """
    total = np.zeros(next(t.num_rows for t in tables if t is not None), np.uint64)
    for table in tables:
        for name, column in zip(table.schema.names, table.columns, strict=True) if table is not None else ():
            if name not in _NOT_CONTENT:
                words = mix(_words(column) ^ _salt(name))
                words[np.asarray(pc.is_null(column))] = 0       # an absent value adds nothing
                total += words
    return mix(total).view(np.int64)


def _words(column: pa.Array) -> Words:
    """64 bits for each value: a number's own, a text's hash through the dictionary of the distinct ones."""
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        table = np.array([_hash(str(v)) for v in encoded.dictionary.to_pylist()] or [0], np.uint64)
        words: Words = table[np.asarray(encoded.indices.fill_null(0))]
        return words
    if pa.types.is_map(column.type):
        texts = [repr(sorted(pairs or ())) for pairs in column.to_pylist()]
        return np.array([_hash(text) for text in texts], np.uint64)
    if pa.types.is_timestamp(column.type):
        return np.asarray(column.cast(pa.int64()).fill_null(0)).view(np.uint64)
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        flat = np.asarray(column.fill_null([0.0] * size).flatten(), np.float64).reshape(-1, size)
        at = np.arange(size, dtype=np.uint64)
        total: Words = mix(flat.view(np.uint64) ^ at).sum(axis=1, dtype=np.uint64)
        return total
    numbers = np.asarray(column.cast(pa.float64()).fill_null(0.0)) + 0.0     # minus zero is zero
    return np.ascontiguousarray(numbers).view(np.uint64)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _salt(name: str) -> np.uint64:
    return np.uint64(_hash(name))
