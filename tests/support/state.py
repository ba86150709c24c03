"""What a state holds, as plain values that can be compared: all that must come out the same, whatever happened."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, select

from monitor.store import tables

# A batch sent twice because its answer was lost is a duplicate, which the counts show; nothing else may differ.
EXACT = (
    "entries", "outcomes", "summaries", "streams", "signals", "windows", "points", "verdicts", "rule_states",
    "incidents", "incident_events",
)  # fmt: skip


def contents(engine: Engine, names: tuple[str, ...] = EXACT) -> dict[str, list[str]]:
    """Every row of each table as text, in an order of its own."""
    with engine.connect() as db:
        return {name: sorted(_text(dict(r)) for r in db.execute(select(_table(name))).mappings()) for name in names}


def _table(name: str) -> Any:
    return tables.metadata.tables[name]


def _text(row: dict[str, Any]) -> str:
    return json.dumps({k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()}, sort_keys=True)


def differing(a: dict[str, list[str]], b: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rows that only one side has, by table: empty where the two are the same."""
    return {name: sorted(set(a[name]) ^ set(b[name])) for name in a if a[name] != b[name]}
