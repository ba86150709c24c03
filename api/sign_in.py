"""Signing in to the console with a key, signing out, and the assets that pages need before anybody has signed in."""

from __future__ import annotations

import gzip
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.access import COOKIE, Vigil, same_origin
from api.pages import ASSETS, Page, local_path, render
from monitor.errors import Forbidden, NotFound, Unauthenticated

router = APIRouter(route_class=Page)

A_WORKING_DAY = 12 * 3600
_FOR_EVER = "public, max-age=31536000, immutable"
_MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@router.get("/sign-in")
def form(request: Request, next: str = "/") -> Response:
    """The form. ``/sign-in#key=...`` fills and sends it: a fragment never reaches a server or its log."""
    return render(request, "sign_in.html", None, next=local_path(next), fault="")


@router.post("/sign-in")
def sign_in(
    request: Request, vigil: Vigil, key: Annotated[str, Form(max_length=200)], next: Annotated[str, Form()] = "/"
) -> Response:
    """Keep the key in a cookie that scripts cannot read and other sites cannot send."""
    if not same_origin(request):
        raise Forbidden("this form comes from another site", "Open Vigil's own page and sign in there")
    try:
        vigil.keys.verify(key.strip()).require("read")
    except (Unauthenticated, Forbidden) as error:
        return render(request, "sign_in.html", None, 401, next=local_path(next), fault=error.detail)
    answer = RedirectResponse(local_path(next), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, key.strip(), A_WORKING_DAY, path="/", secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    if not same_origin(request):
        raise Forbidden("this form comes from another site", "Sign out on Vigil's own page")
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/static/{name}")
def asset(request: Request, name: str) -> Response:
    """An asset, which browsers may keep: its address changes when it does."""
    if name == "vega.js":
        packed = request.app.state.bundle.read()
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers = {"Cache-Control": _FOR_EVER, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            return Response(packed, media_type="text/javascript", headers=headers)
        return Response(gzip.decompress(packed), media_type="text/javascript", headers={"Cache-Control": _FOR_EVER})
    if name not in ASSETS:
        raise NotFound(f"there is no asset '{name}'", "The console asks only for those it has")
    media = _MEDIA[name.rpartition(".")[2]]
    return Response(ASSETS[name][0], media_type=media, headers={"Cache-Control": _FOR_EVER})
