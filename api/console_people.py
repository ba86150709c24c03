"""The console's pages of people, for administrators, and everybody's own account."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.access import Vigil, needs
from api.console_audit import parts
from api.forms import Administrator, ModelsField, NameField, named, notice, require_own_hand, status
from api.pages import Page, render
from api.sign_in import address, with_session
from monitor.access import Principal
from monitor.app import App
from monitor.errors import InvalidInput, VigilError
from monitor.log import audit as trail
from monitor.people import accounts as register
from monitor.people.accounts import New
from monitor.people.roles import ROLES, Role
from monitor.times import from_micros

router = APIRouter(route_class=Page)

Reader = Annotated[Principal, needs("read")]
_Email = Annotated[str, Form(max_length=254)]
_Password = Annotated[str, Form(max_length=1024)]

MEANT: dict[str, str] = {
    "viewer": "reads",
    "responder": "and acknowledges, resolves, closes",
    "manager": "and approves what others propose, and exports",
    "admin": "and declares models, makes people and keys",
}
SAID: dict[str, str] = {
    "created": "The account is made.",
    "changed": "Saved. Where the rights are others now, the person signs in again.",
    "unchanged": "Nothing changed: it is so already.",
    "disabled": "The account is ended, and the person is signed out everywhere.",
    "enabled": "The person may sign in again.",
    "password": "The password is changed, and every other session of yours is ended.",
}


@router.get("/people")
def people(request: Request, vigil: Vigil, who: Administrator, said: str = "") -> Response:
    """Everybody who has an account."""
    return _people(request, vigil, who, said=said)


@router.post("/people")
def create(
    request: Request,
    vigil: Vigil,
    who: Administrator,
    name: NameField,
    role: Annotated[Role, Form()],
    email: _Email = "",
    models: ModelsField = "",
    sensitive: Annotated[bool, Form()] = False,
) -> Response:
    """Make an account, and show its first password: once, on this very page."""
    require_own_hand(who)
    given = {"name": name, "role": role, "email": email, "models": models, "sensitive": sensitive}
    try:
        new = New(name, role, email, named(vigil, models), sensitive)
        account, password = vigil.people.create(new, who.author("console"))
    except VigilError as error:
        return _people(request, vigil, who, fault=error, given=given)
    return _people(request, vigil, who, said="created", shown=(account.name, password))


@router.get("/people/{id}")
def person(request: Request, vigil: Vigil, who: Administrator, id: str, said: str = "") -> Response:
    """One account: what may be changed, and what was."""
    return _one(request, vigil, who, id, said=said)


@router.post("/people/{id}")
def change(
    request: Request,
    vigil: Vigil,
    who: Administrator,
    id: str,
    role: Annotated[Role, Form()],
    email: _Email = "",
    models: ModelsField = "",
    pagerduty_id: Annotated[str, Form(max_length=64)] = "",
    sensitive: Annotated[bool, Form()] = False,
) -> Response:
    """Change what a person may do."""
    require_own_hand(who)
    try:
        changes = {
            "role": role, "email": email, "models": named(vigil, models), "sensitive": sensitive,
            "pagerduty_id": pagerduty_id,
        }  # fmt: skip
        before = vigil.ask_log(register.by_id, id)
        after = vigil.people.change(id, changes, who.author("console"))
    except VigilError as error:
        return _one(request, vigil, who, id, fault=error)
    return RedirectResponse(f"/people/{id}?said={'unchanged' if before == after else 'changed'}", 303)


@router.post("/people/{id}/{action}")
def act(
    request: Request, vigil: Vigil, who: Administrator, id: str, action: Literal["disable", "enable", "password"]
) -> Response:
    """End an account or begin it again, or give it a new password, which is shown once."""
    require_own_hand(who)
    try:
        if action == "password":
            return _one(request, vigil, who, id, shown=vigil.people.set_password(id, who.author("console")))
        vigil.people.change(id, {"disabled": action == "disable"}, who.author("console"))
    except VigilError as error:
        return _one(request, vigil, who, id, fault=error)
    return RedirectResponse(f"/people/{id}?said={action}d", 303)


@router.get("/account")
def account(request: Request, vigil: Vigil, who: Reader, said: str = "") -> Response:
    """Who you are here, and what you may do."""
    return _account(request, vigil, who, said=said)


@router.post("/account")
def own_password(
    request: Request, vigil: Vigil, who: Reader, old: _Password, new: _Password, again: _Password
) -> Response:
    """Change your own password. Every session of yours ends, but for a new one here."""
    try:
        if new != again:
            raise InvalidInput("the two new passwords differ", "Write the same one twice")
        token = vigil.people.change_own_password(who, old, new, address(request))
    except VigilError as error:
        return _account(request, vigil, who, fault=error)
    return with_session(request, vigil, RedirectResponse("/account?said=password", 303), token)


def _people(
    request: Request, vigil: App, who: Principal, said: str = "", fault: VigilError | None = None, **more: Any
) -> Response:
    who.require_administrator()
    found = [(a, from_micros(a.created_at), None if seen is None else from_micros(seen))
             for a, seen in vigil.people.list()]  # fmt: skip
    values: dict[str, Any] = {"people": found, "roles": ROLES, "meant": MEANT, "given": {}, "shown": None} | more
    return render(request, "people.html", who, status(fault), notice=_notice(said, fault), **values)


def _one(
    request: Request, vigil: App, who: Principal, id: str, said: str = "", fault: VigilError | None = None,
    shown: str | None = None,
) -> Response:  # fmt: skip
    who.require_administrator()
    found = vigil.ask_log(register.by_id, id)
    entries = vigil.ask_log(trail.page, None, None, None, 20, found.name)
    mine = [(e, from_micros(e.at), parts(e)) for e in entries if e.subject == found.name or e.who["id"] == found.name]
    values = {"person": found, "roles": ROLES, "meant": MEANT, "shown": shown, "entries": mine}
    return render(request, "person.html", who, status(fault), notice=_notice(said, fault), **values)


def _account(
    request: Request, vigil: App, who: Principal, said: str = "", fault: VigilError | None = None
) -> Response:
    mine = vigil.ask_log(register.by_id, who.id) if who.id else None
    return render(request, "account.html", who, status(fault), notice=_notice(said, fault), mine=mine, meant=MEANT)


def _notice(said: str, fault: VigilError | None) -> tuple[bool, str]:
    good, words = notice(SAID.get(said, ""), fault)
    return good and said != "unchanged", words
