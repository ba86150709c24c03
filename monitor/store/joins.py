"""Stored predictions and outcomes, looked up by prediction_id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np
from sqlalchemy import Connection, delete, select

from detectors.summaries.space import Space
from monitor.database import among, insert_many
from monitor.fold.entries import Entries
from monitor.fold.join import Outcome
from monitor.store.tables import entries, outcomes


def find_entries(db: Connection, model: int, ids: Sequence[str], space: Space) -> Entries:
    """All stored predictions of these ids, of every version. Each id once, whatever the request repeats."""
    query = select(entries).where(entries.c.model == model, among(entries.c.prediction_id, ids))
    rows = db.execute(query).all()
    return Entries.unpack(
        [r.prediction_id for r in rows],
        [r.version for r in rows],
        [r.role for r in rows],
        np.array([r.digest for r in rows], np.int64),
        np.array([r.bucket for r in rows], np.int64),
        [r.payload for r in rows],
        len(space.scores),
        len(space.axes),
    )


def find_digests(db: Connection, model: int, ids: Sequence[str]) -> dict[tuple[str, str], int]:
    """The content digests of stored predictions of these ids, by (id, version)."""
    query = select(entries.c.prediction_id, entries.c.version, entries.c.digest)
    query = query.where(entries.c.model == model, among(entries.c.prediction_id, ids))
    return {(id_, version): digest for id_, version, digest in db.execute(query)}


def add_entries(db: Connection, model: int, new: Entries) -> None:
    columns = ("model", "prediction_id", "version", "digest", "bucket", "role", "payload")
    rows = zip(
        repeat(model),
        new.ids,
        new.versions,
        new.digests.tolist(),
        new.buckets.tolist(),
        new.roles,
        new.pack(),
        strict=False,
    )
    insert_many(db, entries, columns, list(rows))


def find_outcomes(db: Connection, model: int, ids: Sequence[str]) -> dict[str, Outcome]:
    """The outcomes that hold for these ids."""
    columns = [outcomes.c[name] for name in ("prediction_id", *Outcome._fields)]
    query = select(*columns).where(outcomes.c.model == model, among(outcomes.c.prediction_id, ids))
    return {id_: Outcome(*values) for id_, *values in db.execute(query)}


def set_outcomes(db: Connection, model: int, new: Mapping[str, Outcome]) -> None:
    """Store outcomes, in place of those that held before."""
    columns = ("model", "prediction_id", *Outcome._fields)
    rows = [(model, id_, *outcome) for id_, outcome in new.items()]
    insert_many(db, outcomes, columns, rows, update=Outcome._fields)


def forget(db: Connection, model: int) -> None:
    """Delete a model's joins, before they are folded anew."""
    for table in (entries, outcomes):
        db.execute(delete(table).where(table.c.model == model))

