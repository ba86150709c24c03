"""A filter that says of most hashes that a run does not have them: a split-block Bloom filter (Putze, Sanders and
Singler, WEA 2007), blocks of four 64-bit words. A hash sets three bits in each word of the block that its place in the
order names, so that sorted hashes build and ask the filter from front to back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.summaries.counting import blocks
from detectors.summaries.mixing import Words, mix

HASH_BITS = 40          # of an id's 64: enough that two of ten million ids of a run seldom share them
_BITS_A_KEY = 24
_LANES = 4
_PROBES = 3
_SALTS = mix(np.arange(_LANES, dtype=np.uint64))
_ONE, _SIX = np.uint64(1), np.uint64(63)


def build(hashes: Words) -> Words:
    """The filter of some sorted 40-bit hashes, shape (blocks, 4).

    >>> found = build(np.arange(0, 2**40, 2**30, dtype=np.uint64))
    >>> asked = np.arange(0, 2**40, 2**29, dtype=np.uint64)
    >>> hits = has(found, asked, masks_of(asked))
    >>> bool(hits[::2].all()), bool(hits[1::2].mean() < 0.01)
    (True, True)
    """
    out = np.zeros((max(1, -(-hashes.size * _BITS_A_KEY // (64 * _LANES))), _LANES), np.uint64)
    for piece in blocks(hashes.size):
        part = hashes[piece]
        at = _block_of(part, len(out))
        first = np.flatnonzero(np.diff(at, prepend=-1))
        for lane, masks in enumerate(masks_of(part)):
            out[at[first], lane] |= np.bitwise_or.reduceat(masks, first)
    return out


def masks_of(hashes: Words) -> Words:
    """The bits that each 40-bit hash sets in the words of its block, shape (4, n)."""
    out = np.empty((_LANES, hashes.size), np.uint64)
    for lane, salt in enumerate(_SALTS):
        mixed = mix(hashes ^ salt)
        bits = _ONE << (mixed & _SIX)
        for i in range(1, _PROBES):
            bits |= _ONE << ((mixed >> np.uint64(6 * i)) & _SIX)
        out[lane] = bits
    return out


def has(words: Words, hashes: Words, masks: Words) -> npt.NDArray[np.bool_]:
    """Whether the filter may have each hash: never no for one that it has, and yes for one in some 20,000 others."""
    at = _block_of(hashes, len(words))
    out = words[at, 0] & masks[0] == masks[0]
    left = np.flatnonzero(out)
    for lane in range(1, _LANES):
        wanted = masks[lane, left]
        left = left[words[at[left], lane] & wanted == wanted]
    out[:] = False
    out[left] = True
    return np.asarray(out)


def _block_of(hashes: Words, n: int) -> npt.NDArray[np.int64]:
    """The block of each hash, in the order of the hashes (for n below 2**24)."""
    return ((hashes * np.uint64(n)) >> np.uint64(HASH_BITS)).astype(np.int64)
