"""Summaries as bytes, small in a database and read at the speed of memory.

A summary of few cells is kept as their list. Of many, the space is cut into chunks of 64 neighbouring cells (one octave
of a numeric grid, and whatever falls together elsewhere); only chunks that hold a count are kept, each in the narrowest
integers that hold all of its own, so that a heavy cell widens its own chunk and no other; the whole is then compressed
with Zstandard where that pays. Reading adds whole chunks to a dense array and looks at no single cell. Which form it is
follows from the content alone, so that equal summaries have equal bytes.

The bytes: a header (magic, form, number of cells or chunks, number of sums, bytes of the body), then the body: of a
list cells (u4) and counts (i4 or i8); of chunks their numbers (u4), a width for each (u1), and the counts width by
width; then the sums (f8). All little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Piece = tuple[Ints, npt.NDArray[np.integer]]        # numbers of chunks, and their counts, shape (chunks, CHUNK)

CHUNK = 64

_MAGIC = b"VS2"
_HEAD = struct.Struct("<3sBIII")
_LIST, _LONG_LIST, _CHUNKS, _COMPRESSED = range(4)
_FEW = 1_024            # below so many cells a list is small enough, and read and written in a tenth of the time
_LISTS = (_LIST, _LONG_LIST)
_INT = np.iinfo(np.int32)
_WIDTHS = tuple(np.dtype(t) for t in ("<u1", "<u2", "<u4", "<i1", "<i2", "<i4", "<i8"))


def pack(cells: Ints, counts: Ints, sums: Floats) -> bytes:
    """Sorted cell numbers with their counts (any signed integers), and sums, as versioned bytes.

    >>> data = pack(np.array([3, 70_000]), np.array([5, -(2**40)]), np.array([0.5]))
    >>> [part.tolist() for part in unpack(data)]
    [[3, 70000], [5, -1099511627776], [0.5]]
    """
    if cells.size >= _FEW:
        return _seal_chunks(*_chunks(cells, counts), sums)
    long = cells.size > 0 and (int(counts.min()) < _INT.min or int(counts.max()) > _INT.max)
    body = cells.astype("<u4").tobytes() + counts.astype("<i8" if long else "<i4").tobytes()
    return _seal(_LONG_LIST if long else _LIST, cells.size, body, sums)


def pack_more(data: bytes, cells: Ints, counts: Ints, sums: Floats) -> bytes:
    """Packed ``data`` with more counts and sums added.

    >>> data = pack(np.array([3, 9]), np.array([5, 1]), np.array([0.5]))
    >>> more = pack_more(data, np.array([3, 9]), np.array([2, -1]), np.array([1.0]))
    >>> more == pack(np.array([3]), np.array([7]), np.array([1.5]))
    True
    """
    form, n, body, stored = _open(data)
    if form in _LISTS:
        return pack(*merge_cells([_listed(form, n, body), (cells, counts)]), stored + sums)
    return _pack_rows(*_merge([*_pieces(n, body), _chunks(cells, counts)]), stored + sums)


def pack_sum(parts: Sequence[bytes]) -> bytes:
    """The sum of one or more packed summaries, packed.

    >>> one = pack(np.array([3]), np.array([5]), np.array([0.5]))
    >>> pack_sum([one, one]) == pack(np.array([3]), np.array([10]), np.array([1.0]))
    True
    """
    pieces: list[Piece] = []
    total = np.zeros(0)
    for data in parts:
        form, n, body, sums = _open(data)
        pieces += [_chunks(*_listed(form, n, body))] if form in _LISTS else _pieces(n, body)
        total = total + sums if total.size else sums
    return _pack_rows(*_merge(pieces), total)


def merge_cells(parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """The sum of lists of sorted cells with their counts; cells whose counts sum to 0 are left out.

    >>> [a.tolist() for a in merge_cells([(np.array([1, 4]), np.array([2, 3])), (np.array([4]), np.array([-3]))])]
    [[1], [2]]
    """
    cells = np.concatenate([c for c, _ in parts])
    if not cells.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.argsort(cells, kind="stable")
    cells, counts = cells[order], np.concatenate([n for _, n in parts])[order]
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    total = np.add.reduceat(counts, first)
    kept = total != 0
    return cells[first][kept], total[kept]


def unpack(data: bytes) -> tuple[Ints, Ints, Floats]:
    """Read what ``pack`` wrote: cell numbers, counts and sums. ``ValueError`` for anything else."""
    form, n, body, sums = _open(data)
    return *(_listed(form, n, body) if form in _LISTS else _cells(*_merge(_pieces(n, body)))), sums


def packed_sum(parts: Iterable[bytes], size: int, n_sums: int = 0) -> tuple[Ints, Floats]:
    """The sum of any number of packed summaries of a space of ``size`` cells, as dense counts and sums.

    >>> one = pack(np.array([1]), np.array([7]), np.array([0.5]))
    >>> [total.tolist() for total in packed_sum([one, one], 3, 1)]
    [[0, 14, 0], [1.0]]
    """
    rows, total = np.zeros((-(-size // CHUNK), CHUNK), np.int64), np.zeros(n_sums)
    for data in parts:
        form, n, body, sums = _open(data)
        if form in _LISTS:
            cells, counts = _listed(form, n, body)
            rows.ravel()[cells] += counts
        else:
            for numbers, block in _pieces(n, body):
                rows[numbers] += block
        total += sums
    return rows.ravel()[:size], total


def _chunks(cells: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The numbers of the chunks that hold a count, and their counts, shape (chunks, ``CHUNK``)."""
    chunk = cells // CHUNK
    first = np.flatnonzero(np.diff(chunk, prepend=-1))
    rows = np.zeros((first.size, CHUNK), np.int64)
    each = np.repeat(np.arange(first.size) * CHUNK, np.diff(first, append=cells.size))
    rows.ravel()[each + cells % CHUNK] = counts
    return chunk[first], rows


def _merge(pieces: Sequence[Piece]) -> tuple[Ints, Ints]:
    """The sum of some chunks: those that hold a count in the end, in order."""
    numbers = np.unique(np.concatenate([n for n, _ in pieces])) if pieces else np.empty(0, np.int64)
    rows = np.zeros((numbers.size, CHUNK), np.int64)
    for mine, block in pieces:
        rows[np.searchsorted(numbers, mine)] += block
    held = rows.any(axis=1)
    return (numbers, rows) if held.all() else (numbers[held], rows[held])


def _cells(numbers: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The cells and counts of some chunks."""
    held = np.flatnonzero(rows)
    return numbers[held // CHUNK] * CHUNK + held % CHUNK, rows.ravel()[held]


def _pack_rows(numbers: Ints, rows: Ints, sums: Floats) -> bytes:
    few = np.count_nonzero(rows) < _FEW
    return pack(*_cells(numbers, rows), sums) if few else _seal_chunks(numbers, rows, sums)


def _seal_chunks(numbers: Ints, rows: Ints, sums: Floats) -> bytes:
    widths = _widths(rows)
    parts = [numbers.astype("<u4").tobytes(), widths.tobytes()]
    parts += [rows[widths == w].astype(_WIDTHS[w]).tobytes() for w in _present(widths)]
    return _seal(_CHUNKS, numbers.size, b"".join(parts), sums)


def _seal(form: int, n: int, body: bytes, sums: Floats) -> bytes:
    whole = body + sums.astype("<f8").tobytes()
    if form == _CHUNKS:
        small = pa.compress(whole, "zstd", asbytes=True)
        if len(small) < len(whole):
            return bytes(_HEAD.pack(_MAGIC, _COMPRESSED, n, sums.size, len(whole)) + small)
    return _HEAD.pack(_MAGIC, form, n, sums.size, len(whole)) + whole


def _widths(rows: Ints) -> npt.NDArray[np.uint8]:
    """For each chunk the first of ``_WIDTHS`` that holds its counts."""
    low, high = (rows.min(axis=1), rows.max(axis=1)) if rows.size else (rows[:, 0], rows[:, 0])
    fits = [(low >= limit.min) & (high <= limit.max) for limit in map(np.iinfo, _WIDTHS)]
    return np.asarray(np.argmax(fits, axis=0), np.uint8)


def _present(widths: npt.NDArray[np.uint8]) -> list[int]:
    return np.flatnonzero(np.bincount(widths, minlength=len(_WIDTHS))).tolist()


def _open(data: bytes) -> tuple[int, int, memoryview, Floats]:
    """The form, the number of cells or chunks, what holds them, and the sums."""
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise ValueError(f"these bytes are no summary of a version known here: they begin with {data[:3]!r}")
    _, form, n, n_sums, size = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    try:
        body = memoryview(pa.decompress(body, size, "zstd")) if form == _COMPRESSED else body
    except OSError as error:
        raise ValueError(f"these bytes are a summary that was cut or damaged: {error}") from error
    if len(body) != size:
        raise ValueError(f"these bytes are a summary that was cut or damaged: {len(body)} of {size} bytes are left")
    at = size - 8 * n_sums
    return form, n, body[:at], np.frombuffer(body, "<f8", n_sums, at).astype(np.float64)


def _listed(form: int, n: int, body: memoryview) -> tuple[Ints, Ints]:
    """The cells and counts of a list."""
    counts = np.frombuffer(body, "<i8" if form == _LONG_LIST else "<i4", n, 4 * n)
    return np.frombuffer(body, "<u4", n).astype(np.int64), counts.astype(np.int64)


def _pieces(n: int, body: memoryview) -> list[Piece]:
    """The chunks of a body, those of one width together."""
    numbers = np.frombuffer(body, "<u4", n).astype(np.int64)
    widths = np.frombuffer(body, np.uint8, n, 4 * n)
    pieces, at = [], 5 * n
    for w in _present(widths):
        mine = numbers[widths == w]
        pieces.append((mine, np.frombuffer(body, _WIDTHS[w], mine.size * CHUNK, at).reshape(-1, CHUNK)))
        at += mine.size * CHUNK * _WIDTHS[w].itemsize
    return pieces
