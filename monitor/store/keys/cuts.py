"""What is taken from rows kept under ids: whole rows by age, what follows from protected attributes, and single rows.

Each is a bounded step in the caller's transaction, on runs that nobody else holds, and may be done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, delete, select, update

from monitor.codecs import uuids
from monitor.codecs.segment import from_ipc, to_ipc
from monitor.fold.ids import Ids, Ints
from monitor.store.keys import indexes
from monitor.store.keys.pieces import packed, unpacked
from monitor.store.keys.runs import Runs, Search
from monitor.store.tables import key_rows

PIECES = 64             # that a step looks at

Rewrite = Callable[[pa.RecordBatch], pa.RecordBatch]


def is_due(db: Connection, model: int, kind: str, upto: int) -> bool:
    """Whether ``cut`` would find a row, told by the first piece alone."""
    c = key_rows.c
    query = select(c.seq, c.data).where(c.model == model, c.kind == kind).order_by(c.start).limit(1)
    first = db.execute(query).first()
    return first is not None and (first.seq <= upto or from_ipc(first.data).column("seq")[0].as_py() <= upto)


def cut(db: Connection, runs: Runs, upto: int, pieces: int = PIECES) -> bool:
    """Delete the rows of the segments up to ``upto``, some pieces of them; whether there may be more."""
    c = key_rows.c
    mine = (c.model == runs.model, c.kind == runs.kind)
    query = select(c.start, c.seq).where(*mine).order_by(c.start).limit(pieces + 1)
    found = db.execute(query).all()
    whole = [row.start for row in found[:pieces] if row.seq <= upto]
    if whole:
        db.execute(delete(key_rows).where(*mine, c.start <= whole[-1]))
        runs.starts = runs.starts[np.searchsorted(runs.starts, whole[-1], side="right") :]
    if len(whole) == pieces:
        return True
    if runs.starts.size:
        _cut_first(db, runs, upto)
    for run in [r for r in runs.runs if r.base + r.n <= runs.first]:
        runs.drop_run(db, run)
    return False


def _cut_first(db: Connection, runs: Runs, upto: int) -> None:
    """Of the first piece, the rows that lie before those of the segments that stay."""
    start = int(runs.starts[0])
    piece = runs.piece(db, start)
    gone = int(np.searchsorted(np.asarray(piece.column("seq")), upto, side="right"))
    if gone:
        rest, c = piece.slice(gone), key_rows.c
        values = {"start": start + gone, "n": rest.num_rows, "data": to_ipc(packed(rest))}
        mine = (c.model == runs.model, c.kind == runs.kind, c.start == start)
        db.execute(update(key_rows).where(*mine).values(**values))
        runs.starts[0] = start + gone


def rewrite(
    db: Connection, runs: Runs, begin: int, after: int, upto: int, change: Rewrite, pieces: int = PIECES
) -> int | None:
    """Rewrite the pieces from the row ``begin`` on that hold rows of the segments behind ``after`` and up to ``upto``,
    some of them; the row to go on with, ``None`` where all are done."""
    c = key_rows.c
    query = select(c.start, c.n, c.data).where(
        c.model == runs.model, c.kind == runs.kind, c.start + c.n > begin, c.seq > after
    )
    found = db.execute(query.order_by(c.start).limit(pieces)).all()
    for row in found:
        rows = unpacked(from_ipc(row.data))
        if rows.column("seq")[0].as_py() > upto:
            return None
        _write(db, runs, row.start, change(rows))
    return found[-1].start + found[-1].n if len(found) == pieces else None


def erase(db: Connection, runs: Runs, ids: Ids, upto: int) -> int:
    """Blank the rows kept under some ids that came with a segment up to ``upto``, and take them from the index; how
    many they were."""
    asked, at = runs.places(db, Search.of(ids))
    at, asked = at[at >= runs.first], asked[at >= runs.first]
    gone = []
    for number in np.unique(np.searchsorted(runs.starts, at, side="right") - 1).tolist():
        start = int(runs.starts[number])
        piece = runs.piece(db, start)
        mine = (at >= start) & (at < start + piece.num_rows)
        places = at[mine] - start
        same = ids.same(asked[mine], piece.column("id").take(pa.array(places)))
        same &= np.asarray(piece.column("seq"))[places] <= upto
        if same.any():
            _write(db, runs, start, blanked(piece, places[same]))
            gone.append(start + places[same])
    if not gone:
        return 0
    rows = np.unique(np.concatenate(gone))
    _unindex(db, runs, rows)
    return rows.size


def erase_segments(db: Connection, runs: Runs, seqs: Iterable[int]) -> bool:
    """Blank all rows that came with some segments, and take them from the index; there are never more."""
    wanted = np.array(sorted(seqs), np.int64)
    gone: list[Ints] = []
    c = key_rows.c
    query = select(c.start).where(c.model == runs.model, c.kind == runs.kind, c.seq >= int(wanted[0]))
    for start in db.execute(query.order_by(c.start)).scalars().all():
        piece = runs.piece(db, start)
        of = np.asarray(piece.column("seq"))
        if of[0] > wanted[-1]:
            break
        rows = np.flatnonzero(np.isin(of, wanted))
        if rows.size:
            _write(db, runs, start, blanked(piece, rows))
            gone.append(start + rows)
    if gone:
        _unindex(db, runs, np.concatenate(gone))
    return False


def _write(db: Connection, runs: Runs, start: int, rows: pa.RecordBatch) -> None:
    c = key_rows.c
    mine = (c.model == runs.model, c.kind == runs.kind, c.start == start)
    db.execute(update(key_rows).where(*mine).values(data=to_ipc(packed(rows))))


def _unindex(db: Connection, runs: Runs, rows: Ints) -> None:
    """Take the words of some rows, in order, from the indexes and the filters of their runs."""
    for run in list(runs.runs):
        mine = rows[slice(*np.searchsorted(rows, [run.base, run.base + run.n]))] - run.base
        if mine.size:
            index = runs.index(db, run)
            left = index[~np.isin(indexes.places(index), mine)]
            runs.drop_run(db, run)
            runs.write_run(db, run.base, run.n, left)


def blanked(rows: pa.RecordBatch, which: Ints) -> pa.RecordBatch:
    """Rows of which some say nothing any more but what segment they came with.

    >>> rows = pa.record_batch({"id": ["a", "b"], "digest": [7, 8], "seq": [1, 1]})
    >>> blanked(rows, np.array([0])).to_pylist()
    [{'id': '', 'digest': 0, 'seq': 1}, {'id': 'b', 'digest': 8, 'seq': 1}]
    """
    mask = np.zeros(rows.num_rows, np.bool_)
    mask[which] = True
    named = zip(rows.schema.names, rows.columns, strict=True)
    columns = [c if name == "seq" else _emptied(c, mask) for name, c in named]
    return pa.RecordBatch.from_arrays(columns, rows.schema.names)


def blinded(rows: pa.RecordBatch, upto: int, groups: Iterable[str] = ()) -> pa.RecordBatch:
    """Entries without what follows from protected attributes, where their segment is none behind ``upto``: their
    digest, which says the content without showing it, and the columns ``groups``.

    >>> rows = pa.record_batch({"digest": [7, 8], "group1": [2, 2], "seq": [1, 2]})
    >>> blinded(rows, 1, ["group1"]).to_pylist()
    [{'digest': 0, 'group1': 0, 'seq': 1}, {'digest': 8, 'group1': 2, 'seq': 2}]
    """
    mask = np.asarray(rows.column("seq")) <= upto
    if not mask.any():
        return rows
    told = {"digest", *groups}
    columns = [_emptied(c, mask) if n in told else c for n, c in zip(rows.schema.names, rows.columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, rows.schema.names)


def _emptied(column: pa.Array, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        whole = np.where(mask, 0, np.asarray(column.indices)).astype(np.int32)
        return pa.DictionaryArray.from_arrays(whole, column.dictionary)
    if pa.types.is_fixed_size_binary(kind):     # of ids, which are taken from the index too
        return uuids.packed(np.where(mask[:, None], np.uint8(0), uuids.content(column)))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        nothing = "" if pa.types.is_string(kind) else b""
        values = zip(column.to_pylist(), mask.tolist(), strict=True)
        return pa.array([nothing if gone else value for value, gone in values], kind)
    return pa.array(np.where(mask, 0, np.asarray(column)), kind)
