"""The state of one model as pieces of a seal, and back: all that follows from the log but the joins, which are made
anew from the rows that are still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, select, update

from incidents.incident import Incident
from monitor.database import insert_many
from monitor.log.seals import Piece, pack, unpack
from monitor.store.digests import digest_of, digests
from monitor.store.incidents import hold_again, row_of
from monitor.store.numbers import last_id, span
from monitor.store.rollups import outdate
from monitor.store.tables import (
    folded,
    halves,
    incident_events,
    incidents,
    key_pages,
    key_rows,
    key_runs,
    live_fingerprints,
    models,
    notices,
    points,
    refusals,
    rollups,
    rule_states,
    signals,
    streams,
    summaries,
    verdicts,
    windows,
)

ROWS = 500      # of a piece

# Small, or changed all over: written whole with every seal. What others refer to comes first.
WHOLE = {
    t.name: t
    for t in (
        models, windows, rule_states, streams, incidents, live_fingerprints, incident_events, notices, halves, refusals,
    )
}  # fmt: skip
# Only added to: what is behind the mark of the seal before.
GROWING = {t.name: t for t in (points, verdicts, signals, folded)}
SUMMED = summaries.name
NAMES = (*WHOLE, *GROWING, SUMMED)
# What a new reference makes anew, whatever was there.
OF_REFERENCE = (signals.name, folded.name, SUMMED)

_SUMMARY_KEY = ("kind", "bucket", "version", "role", "rate")


def marks(db: Connection, model: int, cursor: int) -> dict[str, int]:
    """Up to where the tables that grow, and the summaries, have rows now."""
    last_point = last_id(db, points.c.id, model)
    return {
        points.name: last_point, verdicts.name: last_point, signals.name: last_id(db, signals.c.id, model),
        folded.name: cursor, SUMMED: cursor,
    }  # fmt: skip


def pieces(db: Connection, model: int, name: str, mark: int) -> Iterator[Piece]:
    """A table of a model as pieces: of one that grows, and of the summaries, what lies behind ``mark``."""
    if name == SUMMED:
        yield from _summaries(db, model, mark)
        return
    table = WHOLE.get(name, GROWING.get(name))
    assert table is not None, "only these are sealed"
    kept = [c for c in table.c if c.name not in digests(table)]
    columns = [c.name for c in kept]
    query = select(*kept).where(_mine(table, model)).order_by(*table.primary_key)
    if name in GROWING:
        at = _counter(table)
        query = select(*kept).where(_mine(table, model), at > mark).order_by(at, *table.primary_key)
    for number, rows in enumerate(db.execute(query.execution_options(yield_per=ROWS)).partitions()):
        key, seq = f"{number:012d}", 0
        if name in GROWING:
            key = f"{_of(rows[0], _counter(table)):020d}/{number:012d}"
        if name == folded.name:
            seq = max(row.seq for row in rows)
        yield Piece(key, seq, pack(columns, rows))


def _summaries(db: Connection, model: int, mark: int) -> Iterator[Piece]:
    c = summaries.c
    query = select(summaries).where(c.model == model, c.seq > mark).order_by(c.seq)
    columns = [column.name for column in c]
    for rows in db.execute(query.execution_options(yield_per=ROWS)).partitions():
        for row in rows:
            key = "/".join(str(getattr(row, name)) for name in ("kind", "bucket", "rate", "role", "version"))
            yield Piece(key, row.seq, pack(columns, [row]))


def restore(db: Connection, name: str, found: Iterable[Piece], seq: int, at: int) -> None:
    """Write the rows of pieces of a table, but for what was cut since: batches up to the segment ``seq``, refused rows
    that came before ``at``. Points are the latest ones only once ``settle`` has been told so."""
    table = NAMED[name]
    rows = [row for piece in found for row in unpack(piece.data)]
    if table is folded:
        rows = [row for row in rows if row["seq"] > seq]
    if table is refusals:
        rows = [row for row in rows if row["at"] >= at]
    if not rows:
        return
    if table is points:
        rows = [row | {"latest": False} for row in rows]
    if table is incidents:
        rows = [row_of(row["model"], Incident.from_json(row["body"])) for row in rows]
    made = digests(table).items()
    rows = [row | {name: digest_of(row[of]) for name, of in made} for row in rows]
    columns = [c.name for c in table.c if c.name in rows[0]]
    insert_many(db, table, columns, [tuple(row[name] for name in columns) for row in rows])


def settle(db: Connection, model: int) -> None:
    """What is no record of its own and follows from the rows of a model: which points are the latest, which
    fingerprints are live, and that roll-ups are to be made."""
    hold_again(db, model)
    other = points.alias()
    same = (other.c.model == points.c.model) & (other.c.family == points.c.family) & (other.c.start == points.c.start)
    newest = select(func.max(other.c.revision)).where(same).scalar_subquery()
    db.execute(update(points).where(points.c.model == model, points.c.revision == newest).values(latest=True))
    kinds = select(summaries.c.kind, summaries.c.bucket).where(summaries.c.model == model).distinct()
    buckets: dict[str, list[int]] = {}
    for kind, bucket in db.execute(kinds):
        buckets.setdefault(kind, []).append(bucket)
    for kind, starts in buckets.items():
        outdate(db, model, kind, starts)


def forget(db: Connection, model: int, table: Table) -> None:
    """Delete the rows of a model from one of ``FORGOTTEN``, whose order is such that none refers to what is gone."""
    db.execute(delete(table).where(_mine(table, model)))


NAMED = {**WHOLE, **GROWING, SUMMED: summaries}
# The model's own row first: from then on it counts as not there, whatever else is left of it.
FORGOTTEN: Sequence[Table] = (
    models, verdicts, points, incident_events, notices, live_fingerprints, incidents, rule_states, windows, streams,
    signals, rollups, summaries, folded, halves, refusals, key_rows, key_runs, key_pages,
)  # fmt: skip


def _mine(table: Table, model: int) -> ColumnElement[bool]:
    if table is models:
        return models.c.id == model
    if table is verdicts:
        low, high = span(model)
        return (verdicts.c.point > low) & (verdicts.c.point < high)
    if table is incident_events:
        return incident_events.c.incident.in_(select(incidents.c.id).where(incidents.c.model == model))
    return table.c.model == model


def _counter(table: Table) -> Any:
    """The column by which a table that grows is read on."""
    return {points: points.c.id, verdicts: verdicts.c.point, signals: signals.c.id, folded: folded.c.seq}[table]


def _of(row: Row[Any], column: Any) -> int:
    return int(getattr(row, column.name))
