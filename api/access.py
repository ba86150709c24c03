"""Who stands behind a request: a bearer key, or the console's cookie that holds one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from monitor.access import Principal, Scope
from monitor.app import App
from monitor.errors import Forbidden, Unauthenticated

COOKIE = "vigil_key"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def app_of(request: Request) -> App:
    found: App = request.app.state.vigil
    return found


def principal(request: Request) -> Principal:
    """The request's principal; ``Unauthenticated`` where there is no valid key."""
    app, header = app_of(request), request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token:
        return app.keys.verify(token.strip())
    cookie = request.cookies.get(COOKIE)
    if cookie:
        if request.method not in _SAFE and not same_origin(request):
            raise Forbidden("this request comes from another site", "Send it from Vigil's own console")
        return app.keys.verify(cookie)
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
    """The request's principal, who has ``scope`` for the model."""
    who = _recent(request)
    if who is None:
        who = await run_in_threadpool(principal, request)
    who.require(scope, model)
    return who


def same_origin(request: Request) -> bool:
    """A cookie goes along by itself, so a change by cookie must come from this very origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    return origin == f"{request.url.scheme}://{request.headers.get('host')}"


async def _app(request: Request) -> App:
    return app_of(request)      # a coroutine: FastAPI would call a plain function in a thread


Vigil = Annotated[App, Depends(_app)]
