"""The console's pages of incidents, and what a person does to one by plain forms."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from api import charts
from api.access import Vigil, needs
from api.console import Reader, visible
from api.pages import Page, number_format, render
from api.section_fairness import attributes, groups
from detectors.catalogue import metric_title
from detectors.scope import Scope
from incidents.commands import Acknowledge, Close, Command, Comment, Dispose, Disposition, Reopen, Resolve
from incidents.events import Event, EventKind
from incidents.incident import Incident, State
from incidents.machine import REOPEN_WINDOW
from incidents.verdict import Kind
from monitor import queries, views
from monitor.access import Principal
from monitor.errors import InvalidInput
from monitor.judge.watch import Watch
from monitor.store import incidents as store
from monitor.store import models
from monitor.store.models import ModelState
from monitor.times import to_micros

router = APIRouter(route_class=Page)

Operator = Annotated[Principal, needs("operate")]
Action = Literal["acknowledge", "resolve", "reopen", "comment", "dispose", "close"]

MOST = 500

# What a person reads after a command: what was done, or why nothing was.
DONE: dict[str, str] = {
    "acknowledge": "Acknowledged: it is yours now.",
    "resolve": "Resolved.",
    "reopen": "Reopened.",
    "comment": "Comment added.",
    "dispose": "Disposition recorded.",
    "close": "Closed.",
}
NOTHING: dict[str, str] = {
    "already_acknowledged": "Nothing changed: somebody has acknowledged it already.",
    "already_resolved": "Nothing changed: it is resolved already.",
    "already_closed": "Nothing changed: it is closed, and a closed incident stays as it is.",
    "already_open": "Nothing changed: it is live already.",
    "already_disposed": "Nothing changed: it has this very disposition and root cause.",
    "reopen_window_passed": "Nothing changed: it is too late to reopen it; a new breach opens a new incident.",
    "not_resolved": "Nothing changed: it is still live; resolve it before it is closed.",
    "needs_disposition": "Nothing changed: it needs a disposition before it is closed.",
    "needs_root_cause": "Nothing changed: it needs a root cause before it is closed.",
    "needs_person": "Nothing changed: only a person may do this.",
    "empty_comment": "Nothing changed: the comment was empty.",
}


@router.get("/incidents")
def incident_list(
    request: Request,
    vigil: Vigil,
    who: Reader,
    state: Literal["live", "open", "acknowledged", "resolved", "closed"] | None = None,
    model: str | None = None,
    severity: Literal["info", "warning", "critical"] | None = None,
) -> Response:
    """Incidents, the live ones first, then the latest; each filter is a link."""
    names = visible(vigil, who)
    if model is not None:
        who.require("read", model)
        vigil.intake.declared(model)
    found = vigil.ask(_search, model, state, severity)
    shown = [i for i in found if i.fingerprint.model in names]
    chosen = {"state": state, "model": model, "severity": severity}
    return render(request, "incidents.html", who, found=shown, names=names, chosen=chosen)


@router.get("/incidents/{incident_id}")
def incident_page(request: Request, vigil: Vigil, who: Reader, incident_id: str, said: str = "") -> Response:
    """What, since when, how bad, why; the chart, the timeline, and what may be done."""
    incident = vigil.incident(incident_id)
    name = incident.fingerprint.model
    who.require("read", name)
    state = vigil.model_state(name)
    watch = None if state is None else queries.watch_of(vigil.spec(name, state.declaration), state)
    page: dict[str, Any] = {} if state is None or watch is None else vigil.ask(_picture, state, watch, incident)
    notice = (said in DONE, DONE.get(said) or NOTHING.get(said))
    timeline = collapsed(vigil.ask(store.events, incident_id))
    may = {"operate", "admin"} & who.scopes and who.kind == "person"
    actions = allowed(incident, vigil.now()) if may else []
    kept: dict[str, Any] = {"incident": incident, "notice": notice, "timeline": timeline, "actions": actions}
    return render(request, "incident.html", who, dispositions=list(Disposition), **kept, **page)


@router.post("/incidents/{incident_id}/{action}")
def act(
    vigil: Vigil,
    who: Operator,
    incident_id: str,
    action: Action,
    text: Annotated[str, Form(max_length=4000)] = "",
    disposition: Annotated[Disposition | None, Form()] = None,
    root_cause: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Carry out a command, and go back to the incident, which says what came of it."""
    who.require("operate", vigil.incident(incident_id).fingerprint.model)
    who.require_person()
    note, cause = text.strip(), root_cause.strip() or None
    if action == "comment" and not note:
        return _back(incident_id, "empty_comment")
    if action == "dispose" and disposition is None:
        raise InvalidInput("no disposition was chosen", "Choose what the incident was")
    commands: dict[Action, Command] = {
        "acknowledge": Acknowledge(note),
        "resolve": Resolve(note),
        "reopen": Reopen(note),
        "close": Close(note),
    }
    if action == "comment":
        commands["comment"] = Comment(note)
    if disposition is not None:
        commands["dispose"] = Dispose(disposition, cause, note)
    _, reason = vigil.command(incident_id, commands[action], who)
    return _back(incident_id, action if reason.value == "done" else reason.value)


def allowed(incident: Incident, now: datetime) -> list[Action]:
    """What may be done to an incident as it stands, the likeliest first."""
    ended = incident.resolved_at
    again: list[Action] = ["reopen"] if ended is not None and now - ended < REOPEN_WINDOW else []
    match incident.state:
        case State.OPEN:
            return ["acknowledge", "resolve", "comment", "dispose"]
        case State.ACKNOWLEDGED:
            return ["resolve", "comment", "dispose"]
        case State.RESOLVED:
            ready = incident.disposition is not None and incident.root_cause is not None
            return ["close", "dispose", "comment", *again] if ready else ["dispose", "comment", *again]
        case State.CLOSED:
            return ["comment", *again]


def collapsed(events: list[Event]) -> list[tuple[Event, int, datetime]]:
    """The timeline, newest first: each event, how many alike it stands for, and when the last of them was."""
    shown = []
    for quiet, run in groupby(events, key=lambda e: e.kind is EventKind.EVIDENCE_ADDED):
        some = list(run)
        parts = [(some[0], len(some), some[-1].at)] if quiet else [(e, 1, e.at) for e in some]
        shown += parts
    return shown[::-1]


def _picture(db: Connection, state: ModelState, watch: Watch, incident: Incident) -> dict[str, Any]:
    """The chart of the metric that is furthest beyond its limit, and what stands behind it in the worst window."""
    worst = incident.worst
    if worst is None or not worst.verdicts:
        return {}
    point = worst.verdicts[0]["point"]
    metric, scope = point["metric"], Scope(**point["scope"])
    rows = views.series(db, state.id, metric, scope.text)
    known = watch.baseline.get((metric, scope.text))
    line = charts.trend(
        rows, metric, unit=number_format(metric), reference=known, marks=charts.occasions([incident], []),
        selected=charts.millis(worst.window_start), height=230,
    )  # fmt: skip
    subject = scope.feature or scope.output or scope.attribute
    page: dict[str, Any] = {"line": line, "what": metric_title(metric) + (f" of {subject}" if subject else "")}
    span = to_micros(worst.window_start), to_micros(worst.window_end)
    kind, attribute = incident.fingerprint.kind, incident.fingerprint.attribute
    if kind in (Kind.DRIFT, Kind.PERFORMANCE):
        page["behind"] = found = views.behind(db, state, watch.reference, incident.causes, *span)
        columns = {c.name for c in watch.reference.space.features}
        named = (*(p.axis for p in found.carried), *(c.feature for c in found.drifted))
        pictured = next((name for name in named if name in columns), None)
        page |= {"features": columns, "pictured": pictured}
        if pictured is not None:
            page["bars"] = charts.bars(views.distribution(db, state, watch.reference, pictured, *span))
    if attribute is not None and attribute in attributes(watch):
        track = next(t for t in views.track_names(db, state.id) if t.startswith("fairness/"))
        page |= groups(db, state, watch, track, attribute, span[0])
    return page


def _search(db: Connection, model: str | None, state: str | None, severity: str | None) -> list[views.Listed]:
    known = None if model is None else models.load(db, model)
    if model is not None and known is None:
        return []
    return views.listed(db, None if known is None else known.id, state, severity, MOST)


def _back(incident_id: str, said: str) -> Response:
    return RedirectResponse(f"/incidents/{incident_id}?said={said}", 303)
