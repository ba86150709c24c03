"""What a scrape shows of the log: the models declared, and how far each one's data reach beyond the fold."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from monitor.log.port import Declaration
from monitor.log.tables import declarations
from monitor.log.waiting import Waiting, waiting


def declared(db: Connection) -> list[Declaration]:
    """The declaration in force of every model."""
    last = select(declarations.c.model, func.max(declarations.c.version).label("version")).group_by(
        declarations.c.model
    ).subquery()  # fmt: skip
    same = (declarations.c.model == last.c.model) & (declarations.c.version == last.c.version)
    query = select(declarations).join(last, same).order_by(declarations.c.model)
    return [Declaration(**row) for row in db.execute(query).mappings()]


def backlog(db: Connection, cursors: Mapping[str, int]) -> dict[str, Waiting]:
    """Each model's backlog behind its cursor."""
    return {model: waiting(db, model, cursor) for model, cursor in cursors.items()}
