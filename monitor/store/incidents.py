"""Incidents and their events. The events are the record; the row of an incident is what they make, kept for look-up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from incidents.events import Event
from incidents.incident import Incident, apply
from incidents.rules import RuleState
from incidents.verdict import Fingerprint
from monitor.database import upsert
from monitor.store.tables import incident_events, incidents, rule_states
from monitor.times import to_micros


def find(db: Connection, incident_id: str) -> Incident | None:
    return _one(db, select(incidents.c.body).where(incidents.c.id == incident_id))


def latest(db: Connection, fingerprint: Fingerprint) -> Incident | None:
    """The latest incident of a fingerprint, live or not."""
    query = select(incidents.c.body).where(incidents.c.fingerprint == fingerprint.text)
    return _one(db, query.order_by(incidents.c.active.desc(), incidents.c.opened_at.desc()).limit(1))


def live(db: Connection, model: int) -> frozenset[Fingerprint]:
    """The fingerprints of a model that have a live incident."""
    query = select(incidents.c.fingerprint).where(incidents.c.model == model, incidents.c.active)
    return frozenset(Fingerprint.parse(text) for text in db.execute(query).scalars())


def record(db: Connection, model: int, incident: Incident | None, events: Sequence[Event]) -> Incident | None:
    """Append events, and store what they make of the incident. The database holds one live incident a fingerprint."""
    for event in events:
        incident = apply(incident, event)
        last = select(func.coalesce(func.max(incident_events.c.number), 0)).where(
            incident_events.c.incident == incident.id
        )
        number = db.execute(last).scalar_one() + 1
        _save(db, model, incident)
        row = {"incident": incident.id, "number": number, "at": to_micros(event.at), "kind": event.kind.value}
        db.execute(insert(incident_events).values(**row, body=event.to_json()))
    return incident


def search(
    db: Connection,
    state: str | None = None,
    severity: str | None = None,
    limit: int = 100,
    offset: int = 0,
    among: Collection[int] | None = None,
) -> list[Incident]:
    """Incidents, live ones first, then the latest opened. ``state`` may be ``live``; ``among``: of these models."""
    query = select(incidents.c.body)
    if among is not None:
        query = query.where(incidents.c.model.in_(among))
    if state == "live":
        query = query.where(incidents.c.active)
    elif state is not None:
        query = query.where(incidents.c.state == state)
    if severity is not None:
        query = query.where(incidents.c.severity == severity)
    query = query.order_by(incidents.c.active.desc(), incidents.c.opened_at.desc(), incidents.c.id)
    return [Incident.from_json(body) for body in db.execute(query.limit(limit).offset(offset)).scalars()]


def model_of(db: Connection, incident_id: str) -> int | None:
    return db.execute(select(incidents.c.model).where(incidents.c.id == incident_id)).scalar()


def events(db: Connection, incident_id: str) -> list[Event]:
    """An incident's log, in order."""
    query = select(incident_events.c.body).where(incident_events.c.incident == incident_id)
    return [Event.from_json(body) for body in db.execute(query.order_by(incident_events.c.number)).scalars()]


def load_rules(db: Connection, model: int) -> dict[str, RuleState]:
    """The rules' states of a model, by monitor id."""
    query = select(rule_states.c.monitor, rule_states.c.state).where(rule_states.c.model == model)
    return {monitor: RuleState.from_json(state) for monitor, state in db.execute(query)}


def save_rules(db: Connection, model: int, states: dict[str, RuleState]) -> None:
    if states:
        rows = [{"model": model, "monitor": id_, "state": s.to_json()} for id_, s in states.items()]
        db.execute(upsert(rule_states, ["state"]), rows)


def _save(db: Connection, model: int, incident: Incident) -> None:
    row = {
        "id": incident.id,
        "model": model,
        "fingerprint": incident.fingerprint.text,
        "kind": incident.fingerprint.kind.value,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "opened_at": to_micros(incident.opened_at),
        "active": incident.is_live,
        "body": incident.to_json(),
    }
    db.execute(upsert(incidents, [name for name in row if name != "id"]), row)


def _one(db: Connection, query: Select[Any]) -> Incident | None:
    body = db.execute(query).scalar()
    return None if body is None else Incident.from_json(body)
