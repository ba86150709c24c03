"""The runs of one model and kind, in the order their rows came: looked up, added to and merged in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Select, Table, bindparam, delete, select

from detectors.summaries.mixing import Words
from monitor.codecs.segment import from_ipc, to_ipc
from monitor.database import insert_many
from monitor.fold.ids import Ids, Ints
from monitor.store.keys import filters, indexes
from monitor.store.keys.cache import Cache
from monitor.store.keys.pieces import packed, take, together, unpacked
from monitor.store.tables import key_pages, key_rows, key_runs

ROWS = 4096         # of a piece: what is read to see one row
FANOUT = 4          # runs of about one size that are merged into one
LAST = 1 << 19      # a run of as many rows is merged no more, so that a merge takes little time and memory

_serial = count()


def _data_of(table: Table, *key: str) -> Select[Any]:
    """What a row of a table holds under a key. Made once: to make a statement takes longer than to carry it out."""
    return select(table.c.data).where(*(table.c[name] == bindparam(name) for name in key))


_PAGE = _data_of(key_pages, "model", "kind", "base", "page")
_PIECE = _data_of(key_rows, "model", "kind", "start")


class Search(NamedTuple):
    """Ids to look up: their order by hash, and in that order their 40-bit hashes and the bits these set in a filter."""

    ids: Ids
    order: Ints
    hashes: Words
    masks: Words

    @classmethod
    def of(cls, ids: Ids) -> Search:
        short = indexes.short(ids.hashes)
        order = np.argsort(short)
        return cls(ids, order, short[order], filters.masks_of(short[order]))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rows ``[base, base + n)``: the filter, and of each page of the index its first hash and its size. ``index`` is
    the whole of it for a run that is not written yet."""

    base: int
    n: int
    filter: Words
    firsts: Words
    sizes: Ints
    index: Words | None = None
    stamp: int = field(default_factory=lambda: next(_serial))       # what is cached of it has this name

    @property
    def tier(self) -> int:
        return self.n.bit_length() // 2


@dataclass(slots=True, eq=False)
class Runs:
    """All that is kept of a model and kind. ``starts``: the first row of each written piece, in order; ``fresh``: the
    pieces that are not written yet, with the runs of ``new``. ``end`` is the number of the next row."""

    model: int
    kind: str
    cache: Cache
    runs: list[Run] = field(default_factory=list)
    starts: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    new: list[Run] = field(default_factory=list)
    fresh: list[pa.RecordBatch] = field(default_factory=list)
    end: int = 0
    serial: int = field(default_factory=lambda: next(_serial))

    @classmethod
    def load(cls, db: Connection, model: int, kind: str, cache: Cache) -> Runs:
        mine = (key_runs.c.model == model, key_runs.c.kind == kind)
        runs = [_run(row) for row in db.execute(select(key_runs).where(*mine).order_by(key_runs.c.base))]
        query = select(key_rows.c.start).where(key_rows.c.model == model, key_rows.c.kind == kind)
        starts = np.fromiter(db.execute(query.order_by(key_rows.c.start)).scalars(), np.int64)
        return cls(model, kind, cache, runs, starts, end=runs[-1].base + runs[-1].n if runs else 0)

    @property
    def _mine(self) -> dict[str, int | str]:
        return {"model": self.model, "kind": self.kind}

    @property
    def nbytes(self) -> int:
        return sum(run.filter.nbytes for run in self.runs)

    @property
    def first(self) -> int:
        """The number of the first row that was not cut."""
        if self.starts.size:
            return int(self.starts[0])
        return self.new[0].base if self.new else self.end

    def add(self, ids: Ids, rows: pa.RecordBatch) -> None:
        """Rows under ids (the column ``id`` is made of them); written by ``flush``. Their column ``seq``, the segment
        of each, never falls."""
        for at in range(0, rows.num_rows, indexes.MOST_ROWS):
            hashes = indexes.short(ids.hashes[at : at + indexes.MOST_ROWS])
            index = indexes.index_of(hashes)
            self.new.append(Run(self.end, hashes.size, np.empty((0, 4), np.uint64), _NONE, _NO_SIZES, index))
            self.end += hashes.size
        named = pa.RecordBatch.from_arrays([ids.values, *rows.columns], ["id", *rows.schema.names])
        self.fresh.append(named)

    def find(self, db: Connection, search: Search) -> tuple[Ints, pa.RecordBatch | None]:
        """All rows kept under some ids: for each the number of the id asked for, and the rows; in the order of the ids
        and, under one id, in that in which they came. ``None`` where there are none."""
        ids = search.ids
        asked, at = self.places(db, search)
        if self.first:      # the index of a run of which a part was cut names the rows of that part still
            there = at >= self.first
            asked, at = asked[there], at[there]
        if not asked.size:
            return asked, None
        order = np.lexsort((at, asked))
        asked, at = asked[order], at[order]
        rows = self._rows(db, at)
        same = ids.same(asked, rows.column("id"))
        if same.all():
            return asked, rows
        asked = asked[same]
        return asked, rows.filter(pa.array(same)) if asked.size else None

    def flush(self, db: Connection) -> None:
        """Write what was added, as one run, and merge runs that have become many."""
        if not self.new:
            return
        base = self.new[0].base
        merged = indexes.merge([(run.base - base, run.index) for run in self.new if run.index is not None])
        self._write_rows(db, base, self.fresh)
        self.new, self.fresh = [], []
        self.write_run(db, base, self.end - base, merged)
        while len(tail := self._tail()) >= FANOUT:
            self._merge(db, tail)

    def _tail(self) -> list[Run]:
        """The last runs that are of the tier of the last one, or below."""
        tail: list[Run] = []
        for run in reversed(self.runs):
            if run.tier > self.runs[-1].tier or run.n >= LAST:
                break
            tail.insert(0, run)
        return tail

    def _merge(self, db: Connection, tail: Sequence[Run]) -> None:
        base = tail[0].base
        merged = indexes.merge([(run.base - base, self.index(db, run)) for run in tail])
        for run in tail:
            self.drop_run(db, run)
        self.write_run(db, base, tail[-1].base + tail[-1].n - base, merged)
        first = int(np.searchsorted(self.starts, base))
        if 2 * (self.starts.size - first) * ROWS > 3 * merged.size:      # pieces so small that they are costly
            self._join_pieces(db, first)

    def _join_pieces(self, db: Connection, first: int) -> None:
        base = int(self.starts[first])      # a part of the run may have been cut
        pieces = [self.piece(db, int(start)) for start in self.starts[first:]]
        mine = (key_rows.c.model == self.model, key_rows.c.kind == self.kind, key_rows.c.start >= base)
        db.execute(delete(key_rows).where(*mine))
        self.starts = self.starts[:first]
        self.serial = next(_serial)     # what is cached under the old pieces' names is not these
        self._write_rows(db, base, pieces)

    def _write_rows(self, db: Connection, base: int, pieces: Sequence[pa.RecordBatch]) -> None:
        whole = together(pieces)
        values, starts = [], []
        for at in range(0, whole.num_rows, ROWS):
            part = whole.slice(at, ROWS)
            data = to_ipc(packed(part))
            values.append((self.model, self.kind, base + at, part.num_rows, part.column("seq")[-1].as_py(), data))
            starts.append(base + at)
        insert_many(db, key_rows, ("model", "kind", "start", "n", "seq", "data"), values)
        self.starts = np.concatenate([self.starts, np.array(starts, np.int64)])

    def drop_run(self, db: Connection, run: Run) -> None:
        for table in (key_runs, key_pages):
            mine = (table.c.model == self.model, table.c.kind == self.kind, table.c.base == run.base)
            db.execute(delete(table).where(*mine))
        self.runs.remove(run)

    def write_run(self, db: Connection, base: int, n: int, index: Words) -> None:
        """Write the run of rows ``[base, base + n)``; of some of them the index may know nothing."""
        pages = list(indexes.pages(index))
        hashes = indexes.hashes_of(index)
        sizes = np.array([page.size for page in pages], np.int64)
        firsts = hashes[np.cumsum(sizes) - sizes]
        run = Run(base, n, filters.build(hashes), firsts, sizes)
        row = (
            self.model, self.kind, base, run.n, run.filter.tobytes(), firsts.tobytes(), sizes.astype("<i4").tobytes()
        )  # fmt: skip
        insert_many(db, key_runs, ("model", "kind", "base", "n", "filter", "firsts", "sizes"), [row])
        written = [(self.model, self.kind, base, i, indexes.pack_page(page)) for i, page in enumerate(pages)]
        insert_many(db, key_pages, ("model", "kind", "base", "page", "data"), written)
        self.runs.append(run)
        self.runs.sort(key=lambda r: r.base)

    def places(self, db: Connection, search: Search) -> tuple[Ints, Ints]:
        """The rows whose hash is that of an id, as (number of the id, number of the row); a few are of other ids."""
        _, order, hashes, masks = search
        found = []
        for run in self.runs:
            left = np.flatnonzero(filters.has(run.filter, hashes, masks))
            for number, mine in _by_page(run, hashes[left]):
                asked, at = indexes.find(self._page(db, run, number), hashes[left[mine]])
                found.append((left[mine][asked], run.base + at))
        for run in self.new:
            assert run.index is not None, "what is not written yet is whole"
            asked, at = indexes.find(run.index, hashes)
            found.append((asked, run.base + at))
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return order[np.concatenate([a for a, _ in found])], np.concatenate([at for _, at in found])

    def _page(self, db: Connection, run: Run, number: int) -> Words:
        def read() -> Words:
            data = db.execute(_PAGE, {**self._mine, "base": run.base, "page": number}).scalar_one()
            return indexes.unpack_page(data, int(run.sizes[number]))

        page: Words = self.cache.get((run.stamp, number), read, lambda page: page.nbytes)
        return page

    def index(self, db: Connection, run: Run) -> Words:
        pages = [self._page(db, run, number) for number in range(run.sizes.size)]
        return np.concatenate(pages) if pages else _NONE

    def _rows(self, db: Connection, at: Ints) -> pa.RecordBatch:
        """The rows of some numbers, in their order."""
        unwritten = self.new[0].base if self.new else self.end
        bounds = np.cumsum([unwritten, *(piece.num_rows for piece in self.fresh)])
        starts = np.concatenate([self.starts, bounds[:-1]])
        numbers = np.searchsorted(starts, at, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        cuts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        parts = []
        for mine in np.split(order, cuts[1:]):
            number = int(numbers[mine[0]])
            later = number - self.starts.size
            piece = self.fresh[later] if later >= 0 else self.piece(db, int(starts[number]))
            parts.append(take(piece, at[mine] - starts[number]))
        whole = together(parts)
        if (numbers[1:] >= numbers[:-1]).all():
            return whole
        back = np.empty(order.size, np.int64)
        back[order] = np.arange(order.size)
        return whole.take(pa.array(back))

    def piece(self, db: Connection, start: int) -> pa.RecordBatch:
        def read() -> pa.RecordBatch:
            return unpacked(from_ipc(db.execute(_PIECE, {**self._mine, "start": start}).scalar_one()))

        return self.cache.get((self.serial, start), read, lambda batch: batch.nbytes)


_NONE = np.empty(0, np.uint64)
_NO_SIZES = np.empty(0, np.int64)


def _by_page(run: Run, hashes: Words) -> Iterator[tuple[int, slice]]:
    """The pages in which some sorted hashes would stand, and which of them would."""
    cuts = [*np.searchsorted(hashes, run.firsts).tolist(), hashes.size]
    for number, (start, end) in enumerate(pairwise(cuts)):
        if end > start:
            yield number, slice(start, end)


def _run(row: object) -> Run:
    return Run(
        row.base, row.n, np.frombuffer(row.filter, np.uint64).reshape(-1, 4), np.frombuffer(row.firsts, np.uint64),  # type: ignore[attr-defined]
        np.frombuffer(row.sizes, "<i4").astype(np.int64),  # type: ignore[attr-defined]
    )  # fmt: skip
