"""Incidents: list, read, and what a person may do with one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.access import Vigil, needs
from api.links import links
from api.openapi import errors
from api.texts import BARE, some
from incidents.commands import Acknowledge, Assign, Close, Command, Comment, Dispose, Disposition, Reopen, Resolve
from incidents.incident import Incident
from incidents.wire import to_json
from monitor.access import Principal
from monitor.app import App
from monitor.store import incidents as store
from monitor.store import models

router = APIRouter(prefix="/v1", tags=["incidents"], responses=errors(401, 403, 404, 422))
_ERRORS = errors(400)

Reader = Annotated[Principal, needs("read")]
Operator = Annotated[Principal, needs("operate")]


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    note: str = Field("", max_length=4000)


class Text(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    text: Annotated[str, some(4000), BARE]


class To(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    to: Annotated[str, some(128), BARE]


class Finding(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    disposition: Disposition
    root_cause: Annotated[str, some(4000), BARE] | None = None
    note: str = Field("", max_length=4000)


@router.get("/incidents")
def list_incidents(
    vigil: Vigil,
    who: Reader,
    state: Literal["live", "open", "acknowledged", "resolved", "closed"] | None = None,
    model: str | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> dict[str, Any]:
    """Incidents, the live ones first, then the latest opened."""
    if model is not None:
        who.require("read", model)
        vigil.intake.declared(model)
    names = who.models if model is None else frozenset({model})
    found = vigil.ask(_search, names, state, severity, limit, offset)
    return {"incidents": [i.to_json() for i in found]}


@router.get("/incidents/{incident_id}")
def get_incident(vigil: Vigil, incident_id: str, who: Reader) -> dict[str, Any]:
    """One incident: its state, times, evidence and ranked causes. `links` has the calls that say more: the explanation
    of its latest window, and for a disparity the test of equivalence that it takes to close it."""
    incident = vigil.incident(incident_id)
    who.require("read", incident.fingerprint.model)
    return {**incident.to_json(), "causes": to_json(incident.causes), "links": links(incident)}


@router.get("/incidents/{incident_id}/events")
def get_events(vigil: Vigil, incident_id: str, who: Reader) -> dict[str, Any]:
    """Its timeline, as it was recorded."""
    who.require("read", vigil.incident(incident_id).fingerprint.model)
    return {"events": [e.to_json() for e in vigil.ask(store.events, incident_id)]}


@router.post("/incidents/{incident_id}/acknowledge", responses=_ERRORS)
def acknowledge(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """Take charge of it. Needs a person's key."""
    return _do(vigil, incident_id, who, Acknowledge(_note(body)))


@router.post("/incidents/{incident_id}/resolve", responses=_ERRORS)
def resolve(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """Say that it is mended. Needs a person's key."""
    return _do(vigil, incident_id, who, Resolve(_note(body)))


@router.post("/incidents/{incident_id}/reopen", responses=_ERRORS)
def reopen(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """It was resolved too early."""
    return _do(vigil, incident_id, who, Reopen(_note(body)))


@router.post("/incidents/{incident_id}/close", responses=_ERRORS)
def close(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """Close it after review; it needs a disposition and a root cause by then. Needs a person's key."""
    return _do(vigil, incident_id, who, Close(_note(body)))


@router.post("/incidents/{incident_id}/comment", responses=_ERRORS)
def comment(vigil: Vigil, incident_id: str, who: Operator, body: Text) -> dict[str, Any]:
    """Add a note to its timeline."""
    return _do(vigil, incident_id, who, Comment(body.text))


@router.post("/incidents/{incident_id}/assign", responses=_ERRORS)
def assign(vigil: Vigil, incident_id: str, who: Operator, body: To) -> dict[str, Any]:
    """Say whose it is."""
    return _do(vigil, incident_id, who, Assign(body.to))


@router.post("/incidents/{incident_id}/dispose", responses=_ERRORS)
def dispose(vigil: Vigil, incident_id: str, who: Operator, body: Finding) -> dict[str, Any]:
    """Say what it was: true, accepted, false positive or drill; and its root cause. Needs a person's key."""
    return _do(vigil, incident_id, who, Dispose(body.disposition, body.root_cause, body.note))


PERSON_ONLY = (Acknowledge, Resolve, Close, Dispose)


def _do(vigil: App, incident_id: str, who: Principal, command: Command) -> dict[str, Any]:
    """Carry out a command. A late or repeated one changes nothing, and ``reason`` says so."""
    who.require("operate", vigil.incident(incident_id).fingerprint.model)
    if isinstance(command, PERSON_ONLY):
        who.require_person()
    incident, reason = vigil.command(incident_id, command, who)
    return {"changed": reason.value == "done", "reason": reason.value, "incident": incident.to_json()}


def _search(
    db: Any, names: frozenset[str] | None, state: str | None, severity: str | None, limit: int, offset: int
) -> list[Incident]:
    """Of the models named; of all where ``names`` is ``None``."""
    among = None if names is None else [number for number, name in models.names(db).items() if name in names]
    return store.search(db, state, severity, limit, offset, among)


def _note(body: Note | None) -> str:
    return "" if body is None else body.note
