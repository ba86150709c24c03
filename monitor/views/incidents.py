"""Incidents as a list shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from incidents.verdict import Fingerprint, Severity
from incidents.wire import instant
from monitor.store.tables import incidents
from monitor.times import from_micros

_IN_BODY = ("title", "clock", "started_at", "resolved_at", "assignee")


@dataclass(frozen=True, slots=True)
class Listed:
    """An incident as a list shows it: without its evidence, which may be long."""

    id: str
    fingerprint: Fingerprint
    state: str
    severity: Severity
    title: str
    clock: str
    started_at: datetime
    opened_at: datetime
    resolved_at: datetime | None
    assignee: str | None


def listed(
    db: Connection,
    model: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    limit: int = 200,
) -> list[Listed]:
    """Incidents, live ones first, then the latest opened. ``state`` may also be ``live``."""
    body = {name: incidents.c.body[name].as_string() for name in _IN_BODY}
    plain = (incidents.c.id, incidents.c.fingerprint, incidents.c.state, incidents.c.severity, incidents.c.opened_at)
    query = select(*plain, *body.values())
    if model is not None:
        query = query.where(incidents.c.model == model)
    if state is not None:
        query = query.where(incidents.c.active if state == "live" else incidents.c.state == state)
    if severity is not None:
        query = query.where(incidents.c.severity == severity)
    order = (incidents.c.active.desc(), incidents.c.opened_at.desc(), incidents.c.id)
    found = []
    for id_, fingerprint, now, grave, opened, title, clock, started, resolved, assignee in db.execute(
        query.order_by(*order).limit(limit)
    ):
        ended = None if resolved is None else instant(resolved)
        kept = (title, clock, instant(started), from_micros(opened), ended, assignee)
        found.append(Listed(id_, Fingerprint.parse(fingerprint), now, Severity(grave), *kept))
    return found
