"""Rows taken out of segments that are durable already: what an erasure does, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import Connection, delete, select, update

from monitor.codecs.segment import from_ipc, to_ipc
from monitor.log.tables import batches, protected_segments, segments

Mask = npt.NDArray[np.bool_]


def take_out(db: Connection, model: str, seq: int, gone: Callable[[pa.RecordBatch], Mask]) -> int:
    """Take the rows that ``gone`` marks out of a segment, and their protected attributes with them; how many there
    were. Its batches say afterwards how many of their rows are left, and how many were erased."""
    s, p = segments.c, protected_segments.c
    row = db.execute(select(s.received_at, s.payload).where(s.model == model, s.seq == seq)).first()
    if row is None:
        return 0
    table = from_ipc(row.payload)
    mask = gone(table)
    n = int(mask.sum())
    if not n:
        return 0
    apart = (p.model == model, p.seq == seq, p.received_at == row.received_at)
    mine = (s.model == model, s.seq == seq, s.received_at == row.received_at)
    payload = db.execute(select(p.payload).where(*apart)).scalar()
    if n == table.num_rows:
        db.execute(delete(segments).where(*mine))
        db.execute(delete(protected_segments).where(*apart))
    else:
        left = pa.array(~mask)
        db.execute(update(segments).where(*mine).values(payload=to_ipc(table.filter(left)), rows=table.num_rows - n))
        if payload is not None:
            db.execute(update(protected_segments).where(*apart).values(payload=to_ipc(from_ipc(payload).filter(left))))
    _tell_batches(db, model, seq, mask)
    return n


def _tell_batches(db: Connection, model: str, seq: int, mask: Mask) -> None:
    b, end = batches.c, 0
    query = select(b.batch_id, b.rows, b.erased).where(b.model == model, b.seq == seq).order_by(b.part)
    for batch_id, rows, erased in db.execute(query).all():
        went = int(mask[end : end + rows].sum())
        end += rows
        if went:
            now = {"rows": rows - went, "erased": (erased or 0) + went}
            db.execute(update(batches).where(b.batch_id == batch_id).values(**now))
