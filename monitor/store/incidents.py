"""Incidents and their events. The events are the record; the row of an incident is what they make, kept for look-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select

from incidents.events import Event
from incidents.incident import Incident, apply
from incidents.notices import Origin, notices
from incidents.rules import RuleState
from incidents.verdict import Fingerprint
from monitor.database import upsert
from monitor.store import outbox
from monitor.store.digests import digest_of, is_text
from monitor.store.tables import incident_events, incidents, live_fingerprints, models, rule_states
from monitor.times import to_micros


def find(db: Connection, incident_id: str) -> Incident | None:
    return _one(db, select(incidents.c.body).where(incidents.c.id == incident_id))


def latest(db: Connection, fingerprint: Fingerprint) -> Incident | None:
    """The incident to which a breach of a fingerprint belongs: the live one that holds it; else the last of its own,
    or what that was merged into, where this may be reopened."""
    held = holder(db, fingerprint)
    if held is not None:
        return find(db, held)
    query = select(incidents.c.body).where(is_text(incidents.c.fingerprint, fingerprint.text))
    own = _one(db, query.order_by(incidents.c.opened_at.desc(), incidents.c.id).limit(1))
    goes_on = own
    while goes_on is not None and goes_on.merged_into is not None:
        goes_on = find(db, goes_on.merged_into)
    if goes_on is None or fingerprint not in goes_on.fingerprints or holder(db, goes_on.fingerprint) is not None:
        return own
    return goes_on


def holder(db: Connection, fingerprint: Fingerprint) -> str | None:
    """The live incident that holds a fingerprint, which is its own or joined it."""
    found = is_text(live_fingerprints.c.fingerprint, fingerprint.text)
    return db.execute(select(live_fingerprints.c.incident).where(found)).scalar()


def live(db: Connection, model: int) -> dict[Fingerprint, frozenset[Fingerprint]]:
    """The fingerprints of a model that a live incident holds, each with all that this incident holds."""
    c = live_fingerprints.c
    of: dict[str, set[Fingerprint]] = {}
    for incident, text in db.execute(select(c.incident, c.fingerprint).where(c.model == model)):
        of.setdefault(incident, set()).add(Fingerprint.parse(text))
    return {fingerprint: frozenset(held) for held in of.values() for fingerprint in held}


def live_incidents(db: Connection, model: int) -> list[Incident]:
    """A model's live incidents, the one opened first in front."""
    query = select(incidents.c.body).where(incidents.c.model == model, incidents.c.active)
    found = db.execute(query.order_by(incidents.c.opened_at, incidents.c.id)).scalars()
    return [Incident.from_json(body) for body in found]


def record(
    db: Connection, model: int, incident: Incident | None, events: Sequence[Event], origin: Origin
) -> Incident | None:
    """Append events, and store what they make of the incident, which fingerprints it holds while it is live, and what
    is worth telling of it. ``origin``: the entry of the log that is being carried out.

    The database holds one live incident a fingerprint: a second one is an ``IntegrityError``.
    """
    if not events:
        return incident
    before = incident
    for event in events:
        incident = apply(incident, event)
    assert incident is not None, "an event makes one"
    _save(db, model, incident)
    _hold(db, model, incident)
    last = select(func.coalesce(func.max(incident_events.c.number), 0)).where(incident_events.c.incident == incident.id)
    first = db.execute(last).scalar_one() + 1
    rows = [
        {"incident": incident.id, "number": number, "at": to_micros(e.at), "kind": e.kind.value, "body": e.to_json()}
        for number, e in enumerate(events, first)
    ]
    db.execute(insert(incident_events), rows)
    outbox.add(db, model, notices(before, events, origin, outbox.there(db, incident.id, origin)), origin)
    return incident


def model_of(db: Connection, incident_id: str) -> str | None:
    """The name of the model of an incident."""
    query = select(models.c.name).join(incidents, incidents.c.model == models.c.id)
    return db.execute(query.where(incidents.c.id == incident_id)).scalar()


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


def row_of(model: int, incident: Incident) -> dict[str, Any]:
    """An incident as its row, whose columns follow from ``body``."""
    resolved = incident.resolved_at
    return {
        "id": incident.id,
        "model": model,
        "fingerprint": incident.fingerprint.text,
        "fingerprint_digest": digest_of(incident.fingerprint.text),
        "kind": incident.fingerprint.kind.value,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "rank": incident.severity.rank,
        "title": incident.title,
        "clock": incident.clock.value,
        "started_at": to_micros(incident.started_at),
        "opened_at": to_micros(incident.opened_at),
        "updated_at": to_micros(incident.updated_at),
        "resolved_at": None if resolved is None else to_micros(resolved),
        "assignee": incident.assignee,
        "disposition": None if incident.disposition is None else incident.disposition.value,
        "merged_into": incident.merged_into,
        "active": incident.is_live,
        "body": incident.to_json(),
    }


def _save(db: Connection, model: int, incident: Incident) -> None:
    row = row_of(model, incident)
    db.execute(upsert(incidents, [name for name in row if name != "id"]), row)


def _hold(db: Connection, model: int, incident: Incident) -> None:
    """The fingerprints of an incident while it is live: its own in any case; of those that joined it the ones that no
    other has opened by since."""
    c = live_fingerprints.c
    mine = select(c.fingerprint).where(c.model == model, c.incident == incident.id)
    held = set(db.execute(mine).scalars())
    if not incident.is_live:
        if held:
            db.execute(delete(live_fingerprints).where(c.model == model, c.incident == incident.id))
        return
    row = {"incident": incident.id, "model": model}
    own = incident.fingerprint.text
    if own not in held:
        db.execute(insert(live_fingerprints), {**row, "fingerprint": own})
    for joined in incident.absorbed:
        if joined.text not in held and holder(db, joined) is None:
            db.execute(insert(live_fingerprints), {**row, "fingerprint": joined.text})


def hold_again(db: Connection, model: int) -> None:
    """For a state that was sealed before it was written down who holds what."""
    there = select(func.count()).select_from(live_fingerprints).where(live_fingerprints.c.model == model)
    if not db.execute(there).scalar_one():
        for incident in live_incidents(db, model):
            _hold(db, model, incident)


def _one(db: Connection, query: Select[Any]) -> Incident | None:
    body = db.execute(query).scalar()
    return None if body is None else Incident.from_json(body)
