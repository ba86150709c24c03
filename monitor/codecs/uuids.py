"""UUIDs in their canonical spelling (RFC 9562, lower case) as their 16 bytes, a column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]

LENGTH = 36
_DASHES = (8, 13, 18, 23)
_DIGITS = [i for i in range(LENGTH) if i not in _DASHES]
_LETTERS = np.frombuffer(b"0123456789abcdef", np.uint8)
_NONE = 16                  # where a letter is no digit
_HEX = np.full(256, _NONE, np.uint8)
_HEX[_LETTERS] = np.arange(16)


def pack(text: pa.StringArray) -> pa.FixedSizeBinaryArray | None:
    """A column of UUIDs as bytes; ``None`` where one of its values is something else.

    >>> packed = pack(pa.array(["123e4567-e89b-12d3-a456-426614174000"]))
    >>> packed[0].as_py().hex(), unpack(packed).to_pylist()
    ('123e4567e89b12d3a456426614174000', ['123e4567-e89b-12d3-a456-426614174000'])
    """
    n = len(text)
    if not n or text.null_count:
        return None
    offsets = np.frombuffer(text.buffers()[1], np.int32, n + 1, 4 * text.offset)
    if not (np.diff(offsets) == LENGTH).all():
        return None
    letters = np.frombuffer(text.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(n, LENGTH)
    whole, are = read(letters)
    return packed(whole) if are.all() else None


def unpack(array: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """The text of what ``pack`` gave."""
    whole = content(array)
    n = len(whole)
    digits = np.empty((n, 32), np.uint8)
    digits[:, ::2], digits[:, 1::2] = _LETTERS[whole >> 4], _LETTERS[whole & 15]
    letters = np.full((n, LENGTH), ord("-"), np.uint8)
    for at, start, stop in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        letters[:, at : at + stop - start] = digits[:, start:stop]
    offsets = np.arange(n + 1, dtype=np.int32) * LENGTH
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(letters.tobytes()))


def read(letters: Bytes) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Words of 36 letters, shape (n, 36): each as 16 bytes, and whether it is a UUID."""
    digits = _HEX[letters[:, _DIGITS]]
    are = (letters[:, _DASHES] == ord("-")).all(axis=1) & (digits.max(axis=1, initial=0) < _NONE)
    whole: Bytes = digits[:, ::2] << np.uint8(4) | digits[:, 1::2]
    return whole, np.asarray(are)


def content(array: pa.FixedSizeBinaryArray) -> Bytes:
    """The bytes of packed UUIDs, shape (n, 16)."""
    n = len(array)
    return np.frombuffer(array.buffers()[1], np.uint8, 16 * n, 16 * array.offset).reshape(n, 16)


def packed(whole: Bytes) -> pa.FixedSizeBinaryArray:
    """What ``content`` gives as a column."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(whole), [None, pa.py_buffer(whole.tobytes())])
