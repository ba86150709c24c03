"""The index of a run: one sorted array of words, each a 40-bit hash over the 24-bit place of its row within the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.summaries.mixing import Words
from monitor.store.keys.filters import HASH_BITS

Ints = npt.NDArray[np.int64]

PLACE_BITS = 64 - HASH_BITS
MOST_ROWS = 1 << PLACE_BITS
PAGE = 1 << 14          # words of a page: what is read to look one hash up
_PLACE = np.uint64(MOST_ROWS - 1)
_SHIFT = np.uint64(PLACE_BITS)


def short(hashes: Words) -> Words:
    """The 40 bits of 64-bit hashes that an index has."""
    return hashes >> np.uint64(64 - HASH_BITS)


def index_of(hashes: Words) -> Words:
    """The index of a run whose rows have these 40-bit hashes, in the order of their places."""
    return np.sort(hashes << _SHIFT | np.arange(hashes.size, dtype=np.uint64))


def merge(parts: Sequence[tuple[int, Words]]) -> Words:
    """One index of several; the first of each pair says how far its places move up.

    >>> one = index_of(np.array([7, 3], np.uint64))
    >>> places(merge([(0, one), (2, one)])).tolist()
    [1, 3, 0, 2]
    """
    moved = [index + np.uint64(start) for start, index in parts]
    return np.sort(np.concatenate(moved), kind="stable")        # it finds the sorted stretches: 3 ns a word, not 60


def hashes_of(index: Words) -> Words:
    return index >> _SHIFT


def places(index: Words) -> Ints:
    return (index & _PLACE).astype(np.int64)


def find(index: Words, hashes: Words) -> tuple[Ints, Ints]:
    """All words with one of some hashes: for each the number of the hash asked for, and the row's place."""
    low = np.searchsorted(index, hashes << _SHIFT)
    n = np.zeros(hashes.size, np.int64)
    there = np.flatnonzero(low < index.size)
    there = there[hashes_of(index[low[there]]) == hashes[there]]
    n[there] = np.searchsorted(index, (hashes[there] << _SHIFT) | _PLACE, side="right") - low[there]
    asked = np.repeat(np.arange(hashes.size), n)
    within = np.arange(asked.size) - np.repeat(np.cumsum(n) - n, n)
    return asked, places(index[np.repeat(low, n) + within])


def pages(index: Words) -> Iterator[Words]:
    """An index in pieces of about ``PAGE`` words, none of which ends amid the words of one hash."""
    start = 0
    while start < index.size:
        end = min(start + PAGE, index.size)
        while end < index.size and index[end] >> _SHIFT == index[end - 1] >> _SHIFT:
            end += 1
        yield index[start:end]
        start = end


def pack_page(page: Words) -> bytes:
    """A page as bytes: steps between hashes and places apart, the high bytes of each together, as those are alike."""
    steps = np.diff(hashes_of(page), prepend=np.uint64(0))
    parts = [_planes(steps, 5), _planes((page & _PLACE).astype(np.uint64), 3)]
    return bytes(pa.compress(b"".join(parts), "zstd", asbytes=True))


def unpack_page(data: bytes, n: int) -> Words:
    """
    >>> page = index_of(np.array([9, 1, 9, 2**40 - 1], np.uint64))
    >>> bool((unpack_page(pack_page(page), 4) == page).all())
    True
    """
    raw = np.frombuffer(pa.decompress(data, 8 * n, "zstd"), np.uint8).reshape(8, n)
    hashes = np.cumsum(_whole(raw[:5]), dtype=np.uint64)
    return np.asarray(hashes << _SHIFT | _whole(raw[5:]))


def _planes(words: Words, n_bytes: int) -> bytes:
    return np.ascontiguousarray(words.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :n_bytes].T).tobytes()


def _whole(planes: npt.NDArray[np.uint8]) -> Words:
    out = np.zeros((planes.shape[1], 8), np.uint8)
    out[:, : len(planes)] = planes.T
    return out.view("<u8").ravel().astype(np.uint64, copy=False)
