"""Incidents: list, read, and what a person may do with one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from api.access import Vigil, needs
from api.acting import act
from api.links import links
from api.openapi import errors
from api.texts import BARE, Remark, some
from incidents.commands import Acknowledge, Assign, Close, Comment, Dispose, Disposition, Reopen, Resolve
from incidents.verdict import Kind
from incidents.wire import to_json
from monitor import views
from monitor.access import Principal
from monitor.store import incidents as store
from monitor.store import lists
from monitor.store.lists import Filter, Sort

router = APIRouter(prefix="/v1", tags=["incidents"], responses=errors(401, 403, 404, 422))
_ERRORS = errors(400)

Reader = Annotated[Principal, needs("read")]
Operator = Annotated[Principal, needs("operate")]


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")
    note: Remark = ""


class Text(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, some(4000), BARE]


class To(BaseModel):
    model_config = ConfigDict(extra="forbid")
    to: Annotated[str, some(128), BARE]


class Finding(BaseModel):
    model_config = ConfigDict(extra="forbid")
    disposition: Disposition
    root_cause: Annotated[str, some(4000), BARE] | None = None
    note: Remark = ""


@router.get("/incidents")
def list_incidents(
    vigil: Vigil,
    who: Reader,
    state: Literal["live", "open", "acknowledged", "resolved", "closed"] | None = None,
    model: str | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
    kind: Kind | None = None,
    owner: Annotated[str | None, Query(max_length=128)] = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> dict[str, Any]:
    """Incidents, the live ones first, then the latest opened. `owner`: whom they are assigned to. `after` in the answer
    is where the next page begins; it is null on the last one."""
    if model is not None:
        who.require("read", model)
        vigil.intake.declared(model)
    which = Filter(who.models if model is None else frozenset({model}), state, severity, kind, owner)
    page = vigil.ask(lists.whole, which, limit, Sort.LATEST, after, offset)
    return {"incidents": [i.to_json() for i in page.items], "after": page.after}


@router.get("/incidents/{incident_id}")
def get_incident(vigil: Vigil, incident_id: str, who: Reader) -> dict[str, Any]:
    """One incident: its state, times, evidence and ranked causes. `links` has the calls that say more: the explanation
    of its latest window, and for a disparity the test of equivalence that it takes to close it. `blast` says how many
    decisions were made while the breach lasted, null where no window is known."""
    incident = vigil.incident(incident_id)
    who.require("read", incident.fingerprint.model)
    state = vigil.model_state(incident.fingerprint.model)
    radius = None if state is None else vigil.ask(views.blast, state, incident)
    more = {"causes": to_json(incident.causes), "links": links(incident), "blast": radius and radius.as_dict()}
    return {**incident.to_json(), **more}


@router.get("/incidents/{incident_id}/events")
def get_events(vigil: Vigil, incident_id: str, who: Reader) -> dict[str, Any]:
    """Its timeline, as it was recorded."""
    who.require("read", vigil.incident(incident_id).fingerprint.model)
    return {"events": [e.to_json() for e in vigil.ask(store.events, incident_id)]}


@router.post("/incidents/{incident_id}/acknowledge", responses=_ERRORS)
def acknowledge(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """Take charge of it. Needs a person's key."""
    return act(vigil, who, incident_id, Acknowledge(_note(body))).answer()


@router.post("/incidents/{incident_id}/resolve", responses=_ERRORS)
def resolve(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """Say that it is mended. Needs a person's key."""
    return act(vigil, who, incident_id, Resolve(_note(body))).answer()


@router.post("/incidents/{incident_id}/reopen", responses=_ERRORS)
def reopen(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """It was resolved too early. Needs a person's key."""
    return act(vigil, who, incident_id, Reopen(_note(body))).answer()


@router.post("/incidents/{incident_id}/close", responses=_ERRORS)
def close(vigil: Vigil, incident_id: str, who: Operator, body: Note | None = None) -> dict[str, Any]:
    """Close it after review; it needs a disposition and a root cause by then, a bias finding a re-test that passed or
    an accepted risk, and what was true and grave a corrective action. `reason` says what is missing. Needs a person's
    key."""
    return act(vigil, who, incident_id, Close(_note(body))).answer()


@router.post("/incidents/{incident_id}/comment", responses=_ERRORS)
def comment(vigil: Vigil, incident_id: str, who: Operator, body: Text) -> dict[str, Any]:
    """Add a note to its timeline."""
    return act(vigil, who, incident_id, Comment(body.text)).answer()


@router.post("/incidents/{incident_id}/assign", responses=_ERRORS)
def assign(vigil: Vigil, incident_id: str, who: Operator, body: To) -> dict[str, Any]:
    """Say whose it is."""
    return act(vigil, who, incident_id, Assign(body.to)).answer()


@router.post("/incidents/{incident_id}/dispose", responses=_ERRORS)
def dispose(vigil: Vigil, incident_id: str, who: Operator, body: Finding) -> dict[str, Any]:
    """Say what it was: true, accepted, false positive or drill; and its root cause. Where a critical incident or a
    disparity was anything but true, a second person has to approve that. Needs a person's key."""
    return act(vigil, who, incident_id, Dispose(body.disposition, body.root_cause, body.note)).answer()


def _note(body: Note | None) -> str:
    return "" if body is None else body.note
