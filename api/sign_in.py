"""Signing in to the console with a name and a password or with a key, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.access import Vigil, check_form, cookie_name, same_origin, session_of
from api.pages import Page, local_path, render
from api.problems import status_of
from monitor.app import App
from monitor.errors import Forbidden, Overloaded, Unauthenticated, VigilError

router = APIRouter(route_class=Page)


@router.get("/sign-in")
def form(request: Request, vigil: Vigil, next: str = "/") -> Response:
    """The forms. ``/sign-in#key=...`` fills and sends that of a key: a fragment never reaches a server or its log."""
    return page(request, vigil, next)


@router.post("/sign-in")
def sign_in(
    request: Request,
    vigil: Vigil,
    name: Annotated[str, Form(max_length=128)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    key: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Begin a session, in a cookie that scripts cannot read and other sites cannot send."""
    if not same_origin(request):
        raise Forbidden("this form comes from another site", "Open Vigil's own page and sign in there")
    try:
        if key.strip():
            token = vigil.people.sign_in_by_key(key.strip())
        else:
            token = vigil.people.sign_in(name, password, address(request))
    except (Unauthenticated, Forbidden, Overloaded) as error:
        return page(request, vigil, next, error, name)
    return signed_in(request, vigil, token, next)


@router.post("/sign-out")
async def sign_out(request: Request, vigil: Vigil) -> Response:
    if not same_origin(request):
        raise Forbidden("this form comes from another site", "Sign out on Vigil's own page")
    token = session_of(request)
    if token is not None:
        await check_form(request)
        await run_in_threadpool(vigil.people.sign_out, token)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(cookie_name(request), path="/", secure=_secure(request))
    return answer


def page(
    request: Request, vigil: App, next: str, fault: VigilError | None = None, name: str = ""
) -> Response:
    """The page to sign in, with what went wrong."""
    status = 200 if fault is None else 401 if isinstance(fault, Forbidden) else status_of(fault)[0]
    said = "" if fault is None else f"{fault.detail}. {fault.mend}" if isinstance(fault, Overloaded) else fault.detail
    answer = render(
        request, "sign_in.html", None, status, next=local_path(next), fault=said, name=name,
        by_key=bool(fault and not name), provider=vigil.settings.oidc_issuer,
    )  # fmt: skip
    if isinstance(fault, Overloaded):
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


def signed_in(request: Request, vigil: App, token: str, next: str) -> Response:
    """On to where somebody wanted to go, with the cookie of a new session; the one before it ends."""
    before = session_of(request)
    if before is not None:
        vigil.people.sign_out(before)
    answer = RedirectResponse(local_path(next), 303)
    return with_session(request, vigil, answer, token)


def with_session(request: Request, vigil: App, answer: Response, token: str) -> Response:
    seconds = vigil.settings.session_hours * 3600
    answer.set_cookie(
        cookie_name(request), token, seconds, path="/", secure=_secure(request), httponly=True, samesite="strict"
    )
    return answer


def address(request: Request) -> str:
    """Where a request comes from, as far as it can be told."""
    return request.client.host if request.client else "unknown"


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"
