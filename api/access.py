"""Who stands behind a request: a bearer key, or the console's cookie that holds one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

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


def needs(scope: Scope) -> Any:
    """A dependency: the principal, who has ``scope`` for the model in the path, where there is one."""

    def check(request: Request, who: Annotated[Principal, Depends(principal)]) -> Principal:
        who.require(scope, request.path_params.get("model"))
        return who

    return Depends(check)


def same_origin(request: Request) -> bool:
    """A cookie goes along by itself, so a change by cookie must come from this very origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    return origin == f"{request.url.scheme}://{request.headers.get('host')}"


Vigil = Annotated[App, Depends(app_of)]
