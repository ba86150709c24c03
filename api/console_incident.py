"""The page of one incident: what, since when, how bad, why; and what a person does about it, by plain forms."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api import forms
from api.access import Vigil, needs
from api.acting import WHY, act, notice, would
from api.aftercare import Span, retest_again
from api.incident_forms import ACTIONS, Fields, command_of
from api.pages import Page, render
from api.section_incident import picture
from api.timeline import proposed, retested, timeline
from incidents.care import AcceptRisk, ClearSerious, MarkSerious, Merge, PlanAction
from incidents.commands import (
    Acknowledge,
    Assign,
    Clock,
    Close,
    Command,
    Comment,
    Dispose,
    Disposition,
    Reopen,
    Resolve,
)
from incidents.countdowns import PRESETS, deadlines
from incidents.decision import EFFECTIVE
from incidents.incident import Incident
from incidents.machine import DecisionReason
from incidents.verdict import Kind
from monitor import queries
from monitor.access import Principal
from monitor.app import App
from monitor.errors import InvalidInput, NotFound, VigilError
from monitor.store import incidents as store
from monitor.store import lists
from monitor.store.lists import Filter, Listed
from monitor.views.actions import state_of

router = APIRouter(route_class=Page)

Reader = Annotated[Principal, needs("read")]


async def _fields(request: Request) -> Fields:
    sent = await request.form()
    return Fields({name: value for name, value in sent.items() if isinstance(value, str)})


Sent = Annotated[Fields, Depends(_fields)]


@router.get("/incidents/{incident_id}")
def incident_page(request: Request, vigil: Vigil, who: Reader, incident_id: str, said: str = "") -> Response:
    """What, since when, how bad, why; the chart, the timeline, and what may be done."""
    return _page(request, vigil, who, incident_id, said)


@router.post("/incidents/{incident_id}/{action}")
def send(request: Request, vigil: Vigil, who: Reader, incident_id: str, action: str, sent: Sent) -> Response:
    """Carry out what a form asks for, and go back to the incident, which says what came of it."""
    if action not in ACTIONS:
        raise NotFound(f"there is no form '{action[:40]}'", "Open the incident's page and send one from there")
    who.require("operate", vigil.incident(incident_id).fingerprint.model)
    who.require_person()
    try:
        if action == "retest":
            span = Span(**{"from": sent.some("from", 40), "to": sent.some("to", 40)})  # type: ignore[arg-type]
            acted = retest_again(vigil, who, incident_id, span)
        else:
            acted = act(vigil, who, incident_id, command_of(action, sent))
    except InvalidInput as error:
        return _page(request, vigil, who, incident_id, fault=error)
    except ValidationError:
        return _page(request, vigil, who, incident_id, fault=InvalidInput("a window is from a day to a later one"))
    said = action if acted.reason is DecisionReason.DONE else acted.reason.value
    return RedirectResponse(f"/incidents/{incident_id}?said={said}", 303)


def offered(incident: Incident, who: Principal, now: datetime) -> frozenset[str]:
    """The forms that would change something, by name: what the machine would say to each is asked, not said again."""
    day = timedelta(days=1)
    asked: dict[str, Command] = {
        "acknowledge": Acknowledge(),
        "resolve": Resolve(),
        "reopen": Reopen(),
        "close": Close(),
        "comment": Comment("?"),
        "assign": Assign("?"),
        "dispose": Dispose(Disposition.TRUE, "?"),
        "merge": Merge("?"),
        "accept-risk": AcceptRisk("?", now + day),
        "plan": PlanAction("?", "?", now, now),
        "serious": MarkSerious("?", next(iter(PRESETS.values())), now),
        "clear-serious": ClearSerious("?"),
    }
    found = {name for name, command in asked.items() if would(incident, command, who, now) in EFFECTIVE}
    more = {"retest": incident.closed_at is None and bool(incident.limits), "report": incident.serious is not None,
            "follow": bool(incident.actions)}  # fmt: skip
    return frozenset(found | {name for name, there in more.items() if there})


def _page(
    request: Request, vigil: App, who: Principal, incident_id: str, said: str = "", fault: VigilError | None = None
) -> Response:
    incident = vigil.incident(incident_id)
    now = incident.updated_at if incident.clock is Clock.EVENT else vigil.now()     # a replay has no other clock
    name = incident.fingerprint.model
    who.require("read", name)
    state = vigil.model_state(name)
    watch = None if state is None else queries.watch_of(vigil.spec(name, state.declaration), state)
    page: dict[str, Any] = {} if state is None or watch is None else vigil.ask(picture, state, watch, incident)
    may = who.may("operate", name) and who.kind == "person"
    page |= {
        "incident": incident,
        "now": now,
        "notice": notice(said) if fault is None else forms.notice("", fault),
        "timeline": timeline(vigil.ask(store.events, incident_id)),
        "offered": offered(incident, who, now) if may else frozenset(),
        "approver": may and who.may("approve", name),
        "missing": _missing(incident, who, now) if may else "",
        "proposals": [(p, proposed(p.command)) for p in incident.open_proposals],
        "retests": [(r, retested(r.retest, r.passed)) for r in incident.retests],
        "again": _window_after(incident),
        "actions": [(a, state_of(a)) for a in incident.actions],
        "deadlines": deadlines(incident.serious) if incident.serious is not None else (),
        "presets": PRESETS,
        "dispositions": list(Disposition),
        "others": _others(vigil, incident) if may else [],
    }
    return render(request, "incident.html", who, forms.status(fault), **page)


def _missing(incident: Incident, who: Principal, now: datetime) -> str:
    """What it still needs before it can be closed, where it is resolved."""
    reason = would(incident, Close(), who, now)
    ended = incident.is_live or incident.closed_at is not None
    return "" if ended or reason in EFFECTIVE else WHY[reason]


def _window_after(incident: Incident) -> tuple[datetime, datetime] | None:
    """The window that a re-test would take first: as long as the last breached one, and right behind it."""
    until = incident.breached_until
    if until is None:
        return None
    last = next(e for e in reversed(incident.evidence) if e.window_end == until)
    return until, until + (last.window_end - last.window_start)


def _others(vigil: App, incident: Incident) -> list[Listed]:
    """The live incidents of the same model that this one could go on in."""
    which = Filter(frozenset({incident.fingerprint.model}), "live")
    live: list[Listed] = vigil.ask(lists.page, which, 100).items
    return [i for i in live if i.id != incident.id and i.fingerprint.kind is not Kind.FAIRNESS]
