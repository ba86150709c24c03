"""Acknowledging by a link that was sent to a person: a page that shows what it is about, and a button that does it.

Looking changes nothing, for programs look at links before people do. The link is good for an hour, for one person and
for the incident as it was when it was sent: one that was reopened since is another matter.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.access import Vigil, same_origin
from api.acting import act
from api.pages import Page, render
from incidents.commands import Acknowledge
from incidents.incident import Incident, State
from monitor.access import Principal
from monitor.app import App
from monitor.errors import Forbidden
from monitor.people.links import Link
from monitor.times import from_micros, to_micros

router = APIRouter(route_class=Page)


@router.get("/a/{token}")
def look(request: Request, vigil: Vigil, token: str) -> Response:
    """What the link is about, and the button where it can still be used."""
    link, who, incident = _read(vigil, token)
    late = link.expires <= to_micros(vigil.now())
    values: dict[str, Any] = {"incident": incident, "person": who.owner, "late": late, "token": token}
    values |= {"usable": not late and _is_as_sent(incident, link), "issued": from_micros(link.issued)}
    return render(request, "acknowledge.html", None, 410 if late else 200, **values)


@router.post("/a/{token}")
def acknowledge(request: Request, vigil: Vigil, token: str) -> Response:
    """Acknowledge as the person whom the link was sent to, and show what came of it."""
    if not same_origin(request):
        raise Forbidden("this form comes from another site", "Open the link as it was sent, and press the button there")
    link, who, incident = _read(vigil, token)
    if link.expires > to_micros(vigil.now()):
        note = "by the link that was sent"
        act(vigil, who, incident.id, Acknowledge(note, seen_at=from_micros(link.issued)))
    return RedirectResponse(f"/a/{token}", 303)


def _read(vigil: App, token: str) -> tuple[Link, Principal, Incident]:
    link, who = vigil.people.read_acknowledge_link(token)
    incident = vigil.incident(link.incident)
    who.require("operate", incident.fingerprint.model)
    return link, who, incident


def _is_as_sent(incident: Incident, link: Link) -> bool:
    """Whether it waits to be acknowledged, and has been open since the link was made."""
    return incident.state is State.OPEN and incident.live[-1].start <= from_micros(link.issued)
