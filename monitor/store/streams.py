"""Detector states with the cursor they belong to, and the signals they gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from monitor.database import insert_many, upsert
from monitor.store.numbers import last_id
from monitor.store.tables import signals, streams


def load(db: Connection, model: int, stream: str) -> bytes | None:
    query = select(streams.c.state).where(streams.c.model == model, streams.c.stream == stream)
    return db.execute(query).scalar()


def save(db: Connection, model: int, stream: str, state: bytes) -> None:
    db.execute(upsert(streams, ["state"]), {"model": model, "stream": stream, "state": state})


def add_signals(db: Connection, model: int, stream: str, found: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Record signals: each the instant at which it was seen, and its detail."""
    if found:
        top = last_id(db, signals.c.id, model)
        rows = [(top + i, model, stream, at, detail) for i, (at, detail) in enumerate(found, start=1)]
        insert_many(db, signals, ("id", "model", "stream", "at", "detail"), rows)


def list_signals(db: Connection, model: int, limit: int = 200) -> list[dict[str, Any]]:
    query = select(signals).where(signals.c.model == model).order_by(signals.c.at.desc(), signals.c.id.desc())
    return [dict(r) for r in db.execute(query.limit(limit)).mappings()]


def forget(db: Connection, model: int) -> None:
    for table in (streams, signals):
        db.execute(delete(table).where(table.c.model == model))
