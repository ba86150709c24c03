"""Notices of transitions: written in the transition's transaction, deleted once the log has taken them over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from incidents.notices import Lane, Notice, Origin
from monitor.database import among
from monitor.store.tables import models, notices


@dataclass(frozen=True, slots=True)
class Place:
    """How far a model's lanes are carried out in the state."""

    segment: int
    command: int
    tick: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that waits to be taken over, and the entry of the log that made it."""

    model: str
    notice: Notice
    origin: Origin


def add(db: Connection, model: int, found: Sequence[Notice], origin: Origin) -> None:
    """Append notices of one entry of the log, behind those of the model that are there."""
    if not found:
        return
    last = db.execute(select(func.coalesce(func.max(notices.c.number), 0)).where(notices.c.model == model)).scalar_one()
    rows = [
        {
            "id": notice.id, "model": model, "number": last + 1 + i, "incident": notice.incident,
            "lane": origin.lane, "seq": origin.seq, "body": notice.to_json(),
        }
        for i, notice in enumerate(found)
    ]  # fmt: skip
    db.execute(insert(notices), rows)


def there(db: Connection, incident: str, origin: Origin) -> int:
    """How many notices an entry of the log has made of an incident so far, in the transaction that carries it out."""
    c = notices.c
    query = select(func.count()).where(c.incident == incident, c.lane == origin.lane, c.seq == origin.seq)
    return db.execute(query).scalar_one()


def places(db: Connection) -> dict[str, Place]:
    """How far each model is: whatever these entries made is there to be read, or was taken over before."""
    c = models.c
    query = select(c.name, c.cursor, c.command_cursor, c.tick_cursor)
    return {row[0]: Place(*row[1:]) for row in db.execute(query)}


def waiting(db: Connection, model: str, limit: int) -> list[Waiting]:
    """A model's notices in their order. One that is being restored has no row yet, and none of its notices are read."""
    c = notices.c
    query = select(c.body, c.lane, c.seq).join(models, models.c.id == c.model).where(models.c.name == model)
    rows = db.execute(query.order_by(c.number).limit(limit))
    return [Waiting(model, Notice.from_json(row.body), Origin(_lane(row.lane), row.seq)) for row in rows]


def with_notices(db: Connection) -> list[str]:
    """The models of which something waits."""
    query = select(models.c.name).where(models.c.id.in_(select(notices.c.model))).order_by(models.c.name)
    return list(db.execute(query).scalars())


def count(db: Connection) -> int:
    """How many wait in all."""
    return db.execute(select(func.count()).select_from(notices)).scalar_one()


def forget(db: Connection, ids: Sequence[str]) -> None:
    """Delete what the log has taken over."""
    db.execute(delete(notices).where(among(notices.c.id, ids)))


def _lane(text: str) -> Lane:
    lanes: dict[str, Lane] = {"segment": "segment", "command": "command", "tick": "tick"}
    return lanes[text]
