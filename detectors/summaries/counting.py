"""How values are counted at the speed of memory: in blocks that stay in cache, by table instead of by comparison.

Everything here is plain arithmetic on arrays; which cell a value belongs to is said in ``detectors.summaries.grids``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BLOCK = 32_768
"""Values taken at a time: the temporaries of a block (256 kB each) stay in the core's second-level cache."""

HALVES = 1 << 16
_MOST = 1 << 20            # halves kept at a time, 8 MB: each tally of them costs a pass over 65,536 counts
_DENSE = 8                 # empty counts that may be looked at for each code: from there on a sort is the faster way


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """``[0, n)`` in slices of ``size``.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def high_halves(values: npt.NDArray[np.number], centre: float, scale: float) -> Ints:
    """The upper 16 bits of each ``(value - centre) / scale`` in single precision: sign, exponent and 7 bits more.

    Shape (n,), 0 to 65,535. These bits order the values of one sign, and each doubling is 128 of them.

    >>> [hex(half) for half in high_halves(np.array([1.0, -2.0, np.nan]), 0.0, 1.0).tolist()]
    ['0x3f80', '0xc000', '0x7fc0']
    """
    out = np.empty(len(values), np.int64)
    size = min(BLOCK, len(values))
    wide, single = np.empty(size), np.empty(size, "<f4")
    halves = single.view("<u2")[1::2]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for at in blocks(len(values)):
            n = at.stop - at.start
            np.subtract(values[at], centre, out=wide[:n])
            np.divide(wide[:n], scale, out=wide[:n])
            single[:n] = wide[:n]
            out[at] = halves[:n]
    return out


def tally_halves(values: npt.NDArray[np.number], centre: float, scale: float) -> Ints:
    """How many values have each of the 65,536 upper halves; shape (65536,)."""
    total = np.zeros(HALVES, np.int64)
    for at in blocks(len(values), _MOST):
        total += np.bincount(high_halves(values[at], centre, scale), minlength=HALVES)
    return total


def cross_count(codes: Sequence[npt.NDArray[np.integer]], shape: Sequence[int]) -> Ints:
    """How many rows have each combination of codes: ``codes[i]`` of shape (n,) and below ``shape[i]``.

    >>> cross_count([np.array([0, 1, 1]), np.array([2, 0, 0])], (2, 3)).tolist()
    [[0, 0, 1], [2, 0, 0]]
    """
    size = int(np.prod(shape))
    total = np.zeros(size, np.int64)
    for at in blocks(len(codes[0]), max(BLOCK, size)):
        index = codes[0][at].astype(np.int64)
        for code, width in zip(codes[1:], shape[1:], strict=True):
            index *= width
            index += code[at]
        total += np.bincount(index, minlength=size)
    return total.reshape(shape)


def occurrences(codes: npt.NDArray[np.integer], size: int) -> tuple[Ints, Ints]:
    """The distinct codes, in order, and how often each occurs. Shape (n,), any order, all below ``size``.

    Where the codes are many for the size, one array of all counts costs a fiftieth of a sort; where they are few, a
    sort does not look at the empty ones.

    >>> [a.tolist() for a in occurrences(np.array([5, 2, 5]), 6)]
    [[2, 5], [1, 2]]
    """
    if size <= _DENSE * codes.size:
        counts = np.bincount(codes, minlength=size)
        found = np.flatnonzero(counts)
        return found, counts[found]
    found, counts = np.unique(codes, return_counts=True)
    return found.astype(np.int64, copy=False), counts.astype(np.int64, copy=False)


def short_words(values: pa.Array) -> npt.NDArray[np.uint8 | np.uint16] | None:
    """Text whose words are all one byte long, or all two, as numbers of as many bytes; ``None`` for any other text.

    >>> short_words(pa.array(["MA", "NY"])).tolist() == [word_number("MA"), word_number("NY")]
    True
    >>> short_words(pa.array(["a", "bc"])) is None
    True
    """
    if not pa.types.is_string(values.type) or values.null_count or not len(values):
        return None
    _, offsets, text = values.buffers()
    at = np.frombuffer(offsets, "<i4", len(values) + 1, 4 * values.offset)
    width, rest = divmod(int(at[-1] - at[0]), len(values))
    if rest or width not in (1, 2) or not (np.diff(at) == width).all():
        return None
    return np.frombuffer(text, f"<u{width}", len(values), int(at[0]))


def word_number(word: str) -> int:
    """The number under which ``short_words`` gives a word."""
    return int.from_bytes(word.encode(), "little")
