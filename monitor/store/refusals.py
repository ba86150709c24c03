"""Rows that were durable before they turned out to be wrong: refused by the fold, or in conflict with an earlier one.

What could be told at once is in the log's rejects; the two are shown together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import Connection, delete, select

from monitor.batch import Reject
from monitor.database import insert_many
from monitor.store.numbers import last_id
from monitor.store.tables import models, refusals

Kind = Literal["refused", "conflict"]
_COLUMNS = ("id", "model", "batch_id", "at", "kind", "row", "field", "reason")


def add(db: Connection, model: int, batch_id: str, at: int, kind: Kind, rows: Iterable[Reject]) -> None:
    """Keep refused rows of a batch; ``row`` is their place in the request, ``at`` the arrival of the batch."""
    found = list(rows)
    if found:
        top = last_id(db, refusals.c.id, model)
        new = [(top + i, model, batch_id, at, kind, r.row, r.field, r.reason) for i, r in enumerate(found, start=1)]
        insert_many(db, refusals, _COLUMNS, new)


def page(
    db: Connection, model: str, after: int = 0, limit: int = 100, batch: str | None = None
) -> list[dict[str, Any]]:
    """Rows of a model in the order that they were refused in, behind the id ``after``; of one batch, if named."""
    of = select(models.c.id).where(models.c.name == model).scalar_subquery()
    query = select(refusals).where(refusals.c.model == of, refusals.c.id > after)
    if batch is not None:
        query = query.where(refusals.c.batch_id == batch)
    return [dict(row) for row in db.execute(query.order_by(refusals.c.id).limit(limit)).mappings()]


def forget(db: Connection, model: int) -> None:
    db.execute(delete(refusals).where(refusals.c.model == model))
