"""Silences and maintenance windows, as people made them. ``ends_at`` only ever becomes earlier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Connection, Index, String, Table, insert, select, update

from incidents.silences import Silence
from incidents.wire import rfc3339
from monitor.database import among
from monitor.log.tables import metadata
from monitor.times import from_micros, to_micros

silences = Table(
    "silences",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("model", String(64)),
    Column("matchers", JSON, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Column("why", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("approved_by", String(128)),
    Column("approved_at", BigInteger),
    Column("planned", Boolean, nullable=False),
    Index("silences_by_end", "ends_at"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A silence with who let it be. ``planned``: a maintenance window that was approved before it began and asked for
    early enough to count as announced."""

    silence: Silence
    created_at: int
    approved_by: str | None
    planned: bool

    def as_dict(self, now: int) -> dict[str, Any]:
        """Plain JSON values; ``state`` is ``coming``, ``on`` or ``over``."""
        s = self.silence
        at = from_micros(now)
        return {
            "id": s.id, "kind": s.kind, "matchers": dict(s.matchers), "starts_at": rfc3339(s.starts_at),
            "ends_at": rfc3339(s.ends_at), "by": s.by, "why": s.why,
            "created_at": rfc3339(from_micros(self.created_at)), "approved_by": self.approved_by,
            "planned": self.planned, "state": "on" if s.is_on(at) else "coming" if at < s.starts_at else "over",
        }  # fmt: skip


def add(db: Connection, silence: Silence, created_at: int) -> None:
    row = {
        "id": silence.id, "kind": silence.kind, "model": silence.matchers.get("model"),
        "matchers": dict(silence.matchers), "starts_at": to_micros(silence.starts_at),
        "ends_at": to_micros(silence.ends_at), "by": silence.by, "why": silence.why, "created_at": created_at,
        "planned": False,
    }  # fmt: skip
    db.execute(insert(silences).values(**row))


def find(db: Connection, id: str) -> Kept | None:
    row = db.execute(select(silences).where(silences.c.id == id)).first()
    return None if row is None else _kept(row)


def end(db: Connection, silence: Silence) -> None:
    """Write the end of one that was shortened."""
    db.execute(update(silences).where(silences.c.id == silence.id).values(ends_at=to_micros(silence.ends_at)))


def approve(db: Connection, id: str, by: str, at: int, planned: bool) -> None:
    values = {"approved_by": by, "approved_at": at, "planned": planned}
    db.execute(update(silences).where(silences.c.id == id).values(**values))


def ending_after(db: Connection, at: int) -> list[Silence]:
    """Those that were on at ``at`` or will be."""
    rows = db.execute(select(silences).where(silences.c.ends_at > at).order_by(silences.c.ends_at))
    return [_kept(row).silence for row in rows]


def listed(
    db: Connection, kind: str, state: str | None, now: int, limit: int, models: list[str] | None = None
) -> list[Kept]:
    """Of one kind, the latest start first; ``state`` is ``coming``, ``on`` or ``over``. ``models``: those for other
    models are left out."""
    c = silences.c
    query = select(silences).where(c.kind == kind).order_by(c.starts_at.desc(), c.id)
    states = {"coming": c.starts_at > now, "on": (c.starts_at <= now) & (c.ends_at > now), "over": c.ends_at <= now}
    if state is not None:
        query = query.where(states[state])
    if models is not None:
        query = query.where(c.model.is_(None) | among(c.model, models))
    return [_kept(row) for row in db.execute(query.limit(limit))]


def _kept(row: Any) -> Kept:
    silence = Silence(
        row.id, row.kind, dict(row.matchers), from_micros(row.starts_at), from_micros(row.ends_at), row.by, row.why
    )
    return Kept(silence, row.created_at, row.approved_by, row.planned)
