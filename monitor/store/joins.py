"""Stored predictions and outcomes, looked up by prediction_id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, insert, select

from monitor.database import upsert
from monitor.fold.entries import Entries
from monitor.fold.join import Outcome
from monitor.store.tables import entries, outcomes

_CHUNK = 8_000       # ids in one query: well under SQLite's limit of 32,766 parameters


def find_entries(db: Connection, model: int, ids: Sequence[str], axes: int) -> Entries:
    """All stored predictions of these ids, of every version. Each id once, whatever the request repeats."""
    rows: list[Row[Any]] = []
    for chunk in _chunks(ids):
        query = select(entries).where(entries.c.model == model, entries.c.prediction_id.in_(chunk))
        rows.extend(db.execute(query).all())
    return Entries.unpack(
        [r.prediction_id for r in rows],
        [r.version for r in rows],
        [r.role for r in rows],
        np.array([r.digest for r in rows], np.int64),
        np.array([r.bucket for r in rows], np.int64),
        [r.payload for r in rows],
        axes,
    )


def find_digests(db: Connection, model: int, ids: Sequence[str]) -> dict[tuple[str, str], int]:
    """The content digests of stored predictions of these ids, by (id, version)."""
    found: dict[tuple[str, str], int] = {}
    columns = (entries.c.prediction_id, entries.c.version, entries.c.digest)
    for chunk in _chunks(ids):
        query = select(*columns).where(entries.c.model == model, entries.c.prediction_id.in_(chunk))
        found.update({(id_, version): digest for id_, version, digest in db.execute(query)})
    return found


def add_entries(db: Connection, model: int, new: Entries) -> None:
    rows = zip(
        new.ids, new.versions, new.digests.tolist(), new.buckets.tolist(), new.roles, new.pack(), strict=True
    )
    names = ("prediction_id", "version", "digest", "bucket", "role", "payload")
    db.execute(insert(entries), [{"model": model, **dict(zip(names, row, strict=True))} for row in rows])


def find_outcomes(db: Connection, model: int, ids: Sequence[str]) -> dict[str, Outcome]:
    """The outcomes that hold for these ids."""
    found: dict[str, Outcome] = {}
    for chunk in _chunks(ids):
        query = select(outcomes).where(outcomes.c.model == model, outcomes.c.prediction_id.in_(chunk))
        for row in db.execute(query):
            found[row.prediction_id] = Outcome(row.timestamp, row.digest, row.label, row.value)
    return found


def set_outcomes(db: Connection, model: int, new: Mapping[str, Outcome]) -> None:
    """Store outcomes, in place of those that held before."""
    if not new:
        return
    rows = [{"model": model, "prediction_id": id_, **o._asdict()} for id_, o in new.items()]
    db.execute(upsert(outcomes, list(Outcome._fields)), rows)


def forget(db: Connection, model: int) -> None:
    """Delete a model's joins, before they are folded anew."""
    for table in (entries, outcomes):
        db.execute(delete(table).where(table.c.model == model))


def _chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    distinct = list(dict.fromkeys(ids))
    for start in range(0, len(distinct), _CHUNK):
        yield distinct[start : start + _CHUNK]
