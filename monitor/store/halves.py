"""Requests that wait for their response, and responses that wait for their request, between two segments of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, delete, func, select

from monitor.database import among, insert_many
from monitor.events.pairing import Half, Key
from monitor.store.tables import halves

_COLUMNS = ("model", "event_id", "node", "side", "at", "payload")
_Content = tuple[int | None, str, str, bytes]
_decoder = msgspec.msgpack.Decoder(_Content)


def find(db: Connection, model: int, ids: Iterable[str]) -> dict[Key, Half]:
    """What is known of some ids: the half that waits, or that both came."""
    query = select(halves).where(halves.c.model == model, among(halves.c.event_id, sorted(set(ids))))
    found: dict[Key, Half] = {}
    for row in db.execute(query):
        content = () if row.payload is None else _decoder.decode(row.payload)
        found[row.event_id, row.node] = Half(row.event_id, row.node, row.side, row.at, *content)
    return found


def keep(db: Connection, model: int, known: Iterable[Half]) -> None:
    """Remember what ``find`` is to tell from now on."""
    rows = [(model, half.id, half.node, half.side, half.at, _payload(half)) for half in known]
    insert_many(db, halves, _COLUMNS, rows, update=("side", "at", "payload"))


def _payload(half: Half) -> bytes | None:
    if half.side == "both":
        return None
    content: _Content = (half.time, half.attributes, half.content_type, half.data)
    return msgspec.msgpack.encode(content)


def expire(db: Connection, model: int, before: int) -> Counter[str]:
    """Forget what came at or before an instant: how many requests and responses waited in vain, by side."""
    old = (halves.c.model == model) & (halves.c.at <= before)
    query = select(halves.c.side, func.count()).where(old, halves.c.payload.is_not(None)).group_by(halves.c.side)
    waited = Counter({side: int(n) for side, n in db.execute(query)})
    db.execute(delete(halves).where(old))
    return waited


def oldest(db: Connection, model: int) -> int | None:
    """When the half that waits longest came; ``None`` where none waits."""
    query = select(func.min(halves.c.at)).where(halves.c.model == model, halves.c.payload.is_not(None))
    found: int | None = db.execute(query).scalar()
    return found


def forget(db: Connection, model: int) -> None:
    db.execute(delete(halves).where(halves.c.model == model))
