"""Prediction ids by the thousand beside a 64-bit hash of each. The hash finds, the full id decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.summaries.mixing import GOLDEN, Words, mix
from monitor.codecs import uuids

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Ids(NamedTuple):
    """``values``: the ids, as ``pack_ids`` gives them; ``hashes``: 64 bits of each, shape (n,)."""

    values: pa.Array
    hashes: Words

    @classmethod
    def of(cls, ids: pa.Array | Sequence[str]) -> Ids:
        """Ids as text, or packed.

        >>> Ids.of(["a", "b", "a"]).firsts().tolist()
        [0, 1, 0]
        """
        packed = pack_ids(ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string()))
        return cls(packed, hash_ids(packed))

    def take(self, rows: Ints) -> Ids:
        return Ids(self.values.take(pa.array(rows)), self.hashes[rows])

    def same(self, rows: Ints, other: pa.Array) -> npt.NDArray[np.bool_]:
        """Whether the ids of some rows are those of ``other``, letter by letter; shape (rows,)."""
        mine = self.values.take(pa.array(rows))
        if mine.type == other.type:
            return np.asarray(pc.equal(mine, other))
        return np.asarray(pc.equal(unpack_ids(mine), unpack_ids(other)))

    def firsts(self, within: Ints | None = None) -> Ints:
        """For each row the first one that has the same id (and the same number in ``within``); shape (n,)."""
        keys = self.hashes if within is None else mix(self.hashes ^ mix(within.view(np.uint64)))
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        first = np.arange(keys.size)
        if same.size:       # rare: the few rows whose hash another one has are told apart by their letters
            seen: dict[tuple[str | bytes, int], int] = {}
            for row in np.unique(order[np.r_[same, same + 1]]).tolist():
                key = self.values[row].as_py(), 0 if within is None else int(within[row])
                first[row] = seen.setdefault(key, row)
        return first


def hash_ids(ids: pa.Array) -> Words:
    """64 bits of each id, every bit dependent on every letter, the same for a UUID as text and packed; shape (n,). Not
    made to withstand an attacker: who finds two ids of one hash gets a comparison of their letters.

    >>> a = hash_ids(pa.array(["p-1", "p-2", "prediction-1", "p-1"]))
    >>> len(set(a.tolist())), bool(a[0] == a[3])
    (3, True)
    """
    if pa.types.is_fixed_size_binary(ids.type):
        return _hashed(uuids.content(ids))
    out = np.empty(len(ids), np.uint64)
    for rows, letters in _by_length(ids):
        hashes = _hashed(letters)
        if letters.shape[1] == uuids.LENGTH:
            content, are_uuids = uuids.read(letters)
            hashes = np.where(are_uuids, _hashed(content), hashes)
        out[rows] = hashes
    return out


def _hashed(letters: Bytes) -> Words:
    n, length = letters.shape
    padded = letters
    if length % 8 or not letters.flags.c_contiguous:
        padded = np.zeros((n, -(-length // 8) * 8), np.uint8)
        padded[:, :length] = letters
    total = np.full(n, length, np.uint64)
    for i, word in enumerate(padded.view("<u8").T):
        total = mix((total ^ word) * (GOLDEN + np.uint64(2 * i)))
    return mix(total)


def pack_ids(ids: pa.Array) -> pa.Array:
    """Ids as they are kept: where all are UUIDs in their canonical spelling as their 16 bytes, else as text.

    >>> packed = pack_ids(pa.array(["123e4567-e89b-12d3-a456-426614174000"]))
    >>> str(packed.type), unpack_ids(packed).to_pylist()
    ('fixed_size_binary[16]', ['123e4567-e89b-12d3-a456-426614174000'])
    """
    packed = uuids.pack(ids) if pa.types.is_string(ids.type) else None
    return ids if packed is None else packed


def unpack_ids(packed: pa.Array) -> pa.StringArray:
    """The text of what ``pack_ids`` gave."""
    return packed if pa.types.is_string(packed.type) else uuids.unpack(packed)


def _by_length(text: pa.StringArray) -> Iterator[tuple[Any, Bytes]]:
    """The rows of each length, and their letters, shape (rows, length)."""
    n = len(text)
    if not n:
        return
    _, offsets, data = text.buffers()
    at = np.frombuffer(offsets, np.int32, n + 1, 4 * text.offset).astype(np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    lengths = np.diff(at)
    if (lengths == lengths[0]).all():
        yield slice(None), content[at[0] : at[-1]].reshape(n, lengths[0])
        return
    order = np.argsort(lengths, kind="stable")
    ends = np.flatnonzero(np.diff(lengths[order], append=-1)) + 1
    for start, end in zip((0, *ends), ends, strict=False):
        rows = order[start:end]
        length = int(lengths[rows[0]])
        yield rows, content[at[rows][:, None] + np.arange(length)]
