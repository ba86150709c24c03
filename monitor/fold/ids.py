"""Prediction ids by the thousand: Arrow text beside a 64-bit hash of each. The hash finds, the full text decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.summaries.mixing import GOLDEN, Words, mix

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_DASHES = (8, 13, 18, 23)
_DIGITS = [i for i in range(36) if i not in _DASHES]
_HEX = np.full(256, 255, np.uint8)
_HEX[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_LETTERS = np.frombuffer(b"0123456789abcdef", np.uint8)


class Ids(NamedTuple):
    """``text``: the ids; ``hashes``: 64 bits of each, shape (n,)."""

    text: pa.StringArray
    hashes: Words

    @classmethod
    def of(cls, text: pa.StringArray | Sequence[str]) -> Ids:
        """
        >>> Ids.of(["a", "b", "a"]).firsts().tolist()
        [0, 1, 0]
        """
        array = text if isinstance(text, pa.Array) else pa.array(text, pa.string())
        return cls(array, hash_text(array))

    def take(self, rows: Ints) -> Ids:
        return Ids(self.text.take(pa.array(rows)), self.hashes[rows])

    def same(self, rows: Ints, other: pa.StringArray) -> npt.NDArray[np.bool_]:
        """Whether the ids of some rows are those of ``other``, letter by letter; shape (rows,)."""
        return np.asarray(pc.equal(self.text.take(pa.array(rows)), other))

    def firsts(self, within: Ints | None = None) -> Ints:
        """For each row the first one that has the same id (and the same number in ``within``); shape (n,)."""
        keys = self.hashes if within is None else mix(self.hashes ^ mix(within.view(np.uint64)))
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        first = np.arange(keys.size)
        if same.size:       # rare: the few rows whose hash another one has are told apart by their text
            seen: dict[tuple[str, int], int] = {}
            for row in np.unique(order[np.r_[same, same + 1]]).tolist():
                key = self.text[row].as_py(), 0 if within is None else int(within[row])
                first[row] = seen.setdefault(key, row)
        return first


def hash_text(text: pa.StringArray) -> Words:
    """64 bits of each text, every bit dependent on every letter; shape (n,). Not made to withstand an attacker: who
    finds two ids of one hash gets a comparison of their letters.

    >>> a = hash_text(pa.array(["p-1", "p-2", "prediction-1", "p-1"]))
    >>> len(set(a.tolist())), bool(a[0] == a[3])
    (3, True)
    """
    out = np.empty(len(text), np.uint64)
    for rows, letters in _by_length(text):
        n, length = letters.shape
        padded = np.zeros((n, -(-length // 8) * 8), np.uint8)
        padded[:, :length] = letters
        total = np.full(n, length, np.uint64)
        for i, word in enumerate(padded.view("<u8").T):
            total = mix((total ^ word) * (GOLDEN + np.uint64(2 * i)))
        out[rows] = mix(total)
    return out


def pack_ids(text: pa.StringArray) -> pa.Array:
    """Ids as they are kept: UUIDs in their canonical spelling as their 16 bytes, all others as text.

    >>> packed = pack_ids(pa.array(["123e4567-e89b-12d3-a456-426614174000"]))
    >>> str(packed.type), unpack_ids(packed).to_pylist()
    ('fixed_size_binary[16]', ['123e4567-e89b-12d3-a456-426614174000'])
    """
    groups = list(_by_length(text))
    if len(groups) != 1 or groups[0][1].shape[1] != 36:
        return text
    letters = groups[0][1]
    digits = _HEX[letters[:, _DIGITS]]
    if not (letters[:, _DASHES] == ord("-")).all() or (digits == 255).any():
        return text
    whole = digits[:, ::2] << 4 | digits[:, 1::2]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(whole), [None, pa.py_buffer(whole.tobytes())])


def unpack_ids(packed: pa.Array) -> pa.StringArray:
    """The text of what ``pack_ids`` gave."""
    if pa.types.is_string(packed.type):
        return packed
    n = len(packed)
    raw = np.frombuffer(packed.buffers()[1], np.uint8, 16 * n, 16 * packed.offset).reshape(n, 16)
    letters = np.full((n, 36), ord("-"), np.uint8)
    digits = np.empty((n, 32), np.uint8)
    digits[:, ::2], digits[:, 1::2] = _LETTERS[raw >> 4], _LETTERS[raw & 15]
    letters[:, _DIGITS] = digits
    offsets = np.arange(n + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets.tobytes()), pa.py_buffer(letters.tobytes()))


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
