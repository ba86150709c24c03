"""The console's page of keys, for administrators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.access import Vigil
from api.forms import Administrator, ModelsField, NameField, named, notice, require_own_hand, status
from api.pages import Page, render
from monitor.access import SCOPES, Principal
from monitor.app import App
from monitor.errors import InvalidInput, VigilError
from monitor.times import to_micros

router = APIRouter(route_class=Page)

LONGEST = 3660      # days for which a key may be good
MEANT: dict[str, str] = {
    "ingest": "send rows",
    "read": "read figures, reports, incidents",
    "sensitive": "read rows with protected attributes",
    "operate": "act on incidents",
    "approve": "be the second person",
    "export": "export for the management review",
    "admin": "declare models, make people and keys; with it everything but sensitive",
}


@router.get("/keys")
def keys(request: Request, vigil: Vigil, who: Administrator, said: str = "") -> Response:
    """Every key, without its secret."""
    return _keys(request, vigil, who, said=said)


@router.post("/keys")
def create_key(
    request: Request,
    vigil: Vigil,
    who: Administrator,
    kind: Annotated[Literal["person", "machine"], Form()],
    owner: NameField = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    models: ModelsField = "",
    days: Annotated[str, Form(max_length=8)] = "",
) -> Response:
    """Make a key, and show it: once, on this very page. A person's key is for whoever makes it, since it acts as that
    person."""
    require_own_hand(who)
    given = {"kind": kind, "owner": owner, "scopes": scopes or [], "models": models, "days": days}
    try:
        whose = who.owner if kind == "person" else owner.strip()
        if not whose:
            raise InvalidInput("'owner' is empty", "Name the machine or service that will use the key")
        if not scopes or set(scopes) - set(SCOPES):
            raise InvalidInput("no scope was chosen", "Choose what the key may do")
        until = _until(vigil, days)
        models_named = named(vigil, models)
        key = vigil.keys.create(whose, kind, frozenset(scopes), models_named, until, who.author("console"))
    except VigilError as error:
        return _keys(request, vigil, who, fault=error, given=given)
    return _keys(request, vigil, who, shown=key)


@router.post("/keys/{prefix}/revoke")
def revoke(vigil: Vigil, who: Administrator, prefix: str) -> Response:
    """End a key."""
    who.require_administrator()
    vigil.keys.revoke(prefix, who.author("console"))
    return RedirectResponse("/keys?said=revoked", 303)


def _keys(
    request: Request, vigil: App, who: Principal, said: str = "", fault: VigilError | None = None, **more: Any
) -> Response:
    who.require_administrator()
    times = ("created_at", "expires_at", "last_used_at", "revoked_at")
    now = vigil.now()
    found = []
    for key in vigil.keys.list():
        at = {name: None if key[name] is None else datetime.fromisoformat(key[name]) for name in times}
        over = at["revoked_at"] is not None or (at["expires_at"] is not None and at["expires_at"] <= now)
        found.append({**key, **at, "over": over})
    found.sort(key=lambda k: k["over"])
    words = notice("The key is revoked." if said == "revoked" else "", fault)
    values: dict[str, Any] = {"keys": found, "scopes": SCOPES, "meant": MEANT, "given": {}, "shown": None} | more
    return render(request, "keys.html", who, status(fault), notice=words, **values)


def _until(vigil: App, days: str) -> int | None:
    if not days.strip():
        return None
    if not days.strip().isdecimal() or not 1 <= int(days) <= LONGEST:
        mend = f"Write 1 to {LONGEST}, or nothing for a key without end"
        raise InvalidInput(f"'{days}' is no number of days", mend)
    return to_micros(vigil.now() + timedelta(days=int(days)))
