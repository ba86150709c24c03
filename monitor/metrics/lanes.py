"""What a scrape shows of the log: the models declared, and how far each one's data reach beyond the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from monitor.log.port import Declaration
from monitor.log.tables import declarations, segments


@dataclass(frozen=True, slots=True)
class Backlog:
    """``head``: the last sequence number; ``rows`` are not folded yet, and ``oldest`` is when the first one came."""

    head: int
    rows: int
    oldest: int | None


def declared(db: Connection) -> list[Declaration]:
    """The declaration in force of every model."""
    last = select(declarations.c.model, func.max(declarations.c.version).label("version")).group_by(
        declarations.c.model
    ).subquery()  # fmt: skip
    same = (declarations.c.model == last.c.model) & (declarations.c.version == last.c.version)
    query = select(declarations).join(last, same).order_by(declarations.c.model)
    return [Declaration(**row) for row in db.execute(query).mappings()]


def backlog(db: Connection, cursors: Mapping[str, int]) -> dict[str, Backlog]:
    """Each model's backlog behind its cursor."""
    return {model: _behind(db, model, cursor) for model, cursor in cursors.items()}


def _behind(db: Connection, model: str, cursor: int) -> Backlog:
    waiting = select(func.coalesce(func.sum(segments.c.rows), 0), func.min(segments.c.received_at)).where(
        segments.c.model == model, segments.c.seq > cursor
    )
    head = select(func.coalesce(func.max(segments.c.seq), 0)).where(segments.c.model == model)
    rows, oldest = db.execute(waiting).one()
    return Backlog(int(db.execute(head).scalar_one()), int(rows), oldest)
