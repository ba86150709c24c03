"""Who stands behind a request: a bearer key, or the cookie of a session at the console."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from monitor.access import Principal, Scope
from monitor.app import App
from monitor.errors import Forbidden, Unauthenticated

COOKIE = "vigil_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def app_of(request: Request) -> App:
    found: App = request.app.state.vigil
    return found


def cookie_name(request: Request) -> str:
    """What the session's cookie is called: under https browsers let no other host and no plain page set it."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def session_of(request: Request) -> str | None:
    """The token of the session that the request comes with, whoever's it is."""
    return request.cookies.get(cookie_name(request)) or None


def csrf_of(request: Request) -> str:
    """What the forms of the request's session carry; empty without one."""
    token = session_of(request)
    return "" if token is None else app_of(request).people.csrf(token)


def principal(request: Request) -> Principal:
    """The request's principal; ``Unauthenticated`` where there is no valid key and no session."""
    app, header = app_of(request), request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token:
        return app.keys.verify(token.strip())
    session = session_of(request)
    if session is not None:
        if request.method not in _SAFE and not same_origin(request):
            raise Forbidden("this request comes from another site", "Send it from Vigil's own console")
        return app.people.verify(session)
    raise Unauthenticated("no key was sent", "Send 'Authorization: Bearer vgl_...'; 'vigil keys create' makes a key")


def _recent(request: Request) -> Principal | None:
    """Who sends a key that was verified a moment ago: no thread and no database is asked for it."""
    header = request.headers.get("authorization", "")
    return app_of(request).keys.recent(header[7:].strip()) if header[:7].lower() == "bearer " else None


def needs(scope: Scope) -> Any:
    """A dependency: the principal, who has ``scope`` for the model in the path, where there is one."""

    async def check(request: Request) -> Principal:
        return await authorised(request, scope, request.path_params.get("model"))

    return Depends(check)


async def authorised(request: Request, scope: Scope, model: str | None) -> Principal:
    """The request's principal, who has ``scope`` for the model; a form of the console must be one that Vigil gave out
    to this very session."""
    who = _recent(request)
    if who is None:
        who = await run_in_threadpool(principal, request)
        if request.method not in _SAFE and not request.url.path.startswith("/v1/"):
            await check_form(request)
    who.require(scope, model)
    return who


async def check_form(request: Request) -> None:
    """``Forbidden`` for a form without the token of its session. Who sends a key needs none: no browser does so by
    itself."""
    if "authorization" in request.headers:
        return
    sent = (await request.form()).get("csrf")
    known = await run_in_threadpool(csrf_of, request)
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode("utf-8", "replace"), known.encode()):
        raise Forbidden("this form was not given out by this session", "Open the page again and send it from there")


def same_origin(request: Request) -> bool:
    """A cookie goes along by itself, so a change by cookie must come from this very origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    return origin == f"{request.url.scheme}://{request.headers.get('host')}"


async def _app(request: Request) -> App:
    return app_of(request)      # a coroutine: FastAPI would call a plain function in a thread


Vigil = Annotated[App, Depends(_app)]
