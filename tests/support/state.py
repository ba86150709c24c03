"""What a state holds, as plain values that can be compared: all that must come out the same, whatever happened."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Engine, select

from monitor.codecs.segment import from_ipc
from monitor.fold.ids import unpack_ids
from monitor.store import tables
from monitor.store.keys.pieces import unpacked

# A batch sent twice because its answer was lost is a duplicate, which the counts show; nothing else may differ.
EXACT = (
    "kept", "summaries", "streams", "signals", "windows", "points", "verdicts", "rule_states",
    "incidents", "live_fingerprints", "incident_events",
)  # fmt: skip

# When they were written last, which depends on the commits.
_MARKS = {("summaries", "seq"), ("models", "joins_at")}


def contents(engine: Engine, names: tuple[str, ...] = EXACT) -> dict[str, list[str]]:
    """Every row of each table as text, in an order of its own."""
    with engine.connect() as db:
        return {name: sorted(map(_text, _kept(db) if name == "kept" else _rows(db, name))) for name in names}


def _rows(db: Connection, name: str) -> list[dict[str, Any]]:
    rows = db.execute(select(_table(name))).mappings()
    return [{key: value for key, value in row.items() if (name, key) not in _MARKS} for row in rows]


def _kept(db: Connection) -> list[dict[str, Any]]:
    """Each row kept under an id with its place: how they are cut into pieces and runs depends on the commits, and the
    number of its segment on what was sent twice before it."""
    out = []
    for piece in _rows(db, "key_rows"):
        kept = [{key: str(value) for key, value in row.items() if key != "seq"} for row in kept_rows(piece["data"])]
        out += [{"model": piece["model"], "kind": piece["kind"], "place": piece["start"] + i, **r}
                for i, r in enumerate(kept)]  # fmt: skip
    return out


def kept_rows(data: bytes) -> list[dict[str, Any]]:
    """The rows of a piece, their ids as text, however they are kept."""
    rows = unpacked(from_ipc(data))
    found: list[dict[str, Any]] = rows.set_column(0, "id", unpack_ids(rows.column(0))).to_pylist()
    return found


def _table(name: str) -> Any:
    return tables.metadata.tables[name]


def _text(row: dict[str, Any]) -> str:
    return json.dumps({k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()}, sort_keys=True)


def differing(a: dict[str, list[str]], b: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rows that only one side has, by table: empty where the two are the same."""
    return {name: sorted(set(a[name]) ^ set(b[name])) for name in a if a[name] != b[name]}
