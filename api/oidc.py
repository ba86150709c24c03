"""Signing in at a provider: out to it with what is remembered in a cookie for ten minutes, and back again."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.access import Vigil
from api.pages import Page, local_path
from api.sign_in import page, signed_in
from monitor.app import App
from monitor.errors import Conflict, Forbidden, InvalidInput, NotFound
from monitor.people.oidc import Oidc
from monitor.times import to_micros

router = APIRouter(route_class=Page)

_CALLBACK = "/sign-in/oidc/callback"
_PENDING = "vigil_pending"
_SECONDS = 600


@router.get("/sign-in/oidc")
def begin(request: Request, vigil: Vigil, next: str = "/") -> Response:
    """To the provider's own page."""
    try:
        url, pending = _oidc(vigil).begin(_callback(request, vigil))
    except Forbidden as error:
        return page(request, vigil, next, error)
    answer = RedirectResponse(url, 303)
    until = to_micros(vigil.now()) + _SECONDS * 1_000_000
    kept = vigil.people.signed("oidc", {**pending, "next": local_path(next), "until": until})
    secure = request.url.scheme == "https"
    # Lax: what the provider sends back comes from another site, and brings this cookie all the same.
    answer.set_cookie(_PENDING, kept, _SECONDS, path="/sign-in", secure=secure, httponly=True, samesite="lax")
    return answer


@router.get(_CALLBACK)
def finish(request: Request, vigil: Vigil) -> Response:
    """Back from the provider: a session, where it vouches for somebody who has a role."""
    pending = vigil.people.opened("oidc", request.cookies.get(_PENDING, ""))
    if pending is None or pending["until"] < to_micros(vigil.now()):
        late = Forbidden("this sign-in took too long, or began in another browser", "Begin it again")
        return _ended(page(request, vigil, "/", late))
    next = pending["next"]
    try:
        who = _oidc(vigil).finish(request.query_params, pending, _callback(request, vigil))
        token = vigil.people.sign_in_vouched(who)
    except (Forbidden, Conflict, InvalidInput) as error:
        return _ended(page(request, vigil, next, Forbidden(error.detail, error.mend)))
    return _ended(signed_in(request, vigil, token, next))


def _oidc(vigil: App) -> Oidc:
    if vigil.oidc is None:
        raise NotFound("no provider is named at which to sign in", "VIGIL_OIDC_ISSUER names one")
    return vigil.oidc


def _callback(request: Request, vigil: App) -> str:
    base = vigil.settings.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return base.rstrip("/") + _CALLBACK


def _ended(answer: Response) -> Response:
    answer.delete_cookie(_PENDING, path="/sign-in")
    return answer
