"""Rows that were not taken: what the log told at once, and what the fold found later, as one list."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from monitor.database import reading
from monitor.log.sql import SqlLog
from monitor.store import refusals

OF_THE_FOLD = 2**52     # added to the ids of what the fold found: whole numbers that JSON's readers hold, and the later


def rejected(
    log: SqlLog, state: Engine, model: str, after: int, limit: int, batch: str | None = None
) -> list[dict[str, Any]]:
    """A page of a model's rows behind the id ``after``, each list in its own order; of one batch, if named. ``kind`` is
    ``rejected`` (at once), ``refused`` or ``conflict`` (by the fold)."""
    rows: list[dict[str, Any]] = []
    if after < OF_THE_FOLD:
        rows = [row | {"kind": "rejected"} for row in log.rejects(model, after, limit, batch)]
    if len(rows) < limit:
        with reading(state) as db:
            found = refusals.page(db, model, max(after - OF_THE_FOLD, 0), limit - len(rows), batch)
        rows += [row | {"id": row["id"] + OF_THE_FOLD} for row in found]
    return rows
