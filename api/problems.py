"""Errors as RFC 9457 problems: the one table that maps a kind of error to its status, type and title."""

from __future__ import annotations

import json
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from monitor import errors

logger = structlog.get_logger("vigil.api")

# Subclasses stand before their base; the first that fits is taken.
_TABLE: tuple[tuple[type[errors.VigilError], int, str, str], ...] = (
    (errors.MalformedBody, 400, "malformed-body", "The body cannot be read"),
    (errors.UnsupportedFormat, 415, "unsupported-format", "The format is not supported"),
    (errors.TooLarge, 413, "too-large", "The request is too large"),
    (errors.NoGoodRow, 422, "no-good-row", "No row could be taken"),
    (errors.InvalidDeclaration, 422, "invalid-declaration", "The declaration is not valid"),
    (errors.InvalidInput, 422, "invalid-input", "The request is not valid"),
    (errors.NotFound, 404, "not-found", "Not found"),
    (errors.Conflict, 409, "conflict", "It contradicts what is there"),
    (errors.Unauthenticated, 401, "unauthenticated", "A valid key is needed"),
    (errors.Forbidden, 403, "forbidden", "Not allowed"),
    (errors.TooSlow, 408, "too-slow", "The body came too slowly"),
    (errors.BeingRebuilt, 503, "being-rebuilt", "It is being made again from the log"),
    (errors.Overloaded, 429, "overloaded", "Too far behind; come back later"),
    (errors.NotDurable, 503, "not-durable", "It cannot be made durable now"),
)


def status_of(error: errors.VigilError) -> tuple[int, str]:
    """The HTTP status and the title of an error, for whoever does not answer with a problem."""
    status, _, title = _entry(error)
    return status, title


def _entry(error: errors.VigilError) -> tuple[int, str, str]:
    return next((status, kind, title) for cls, status, kind, title in _TABLE if isinstance(error, cls))


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """As JSON. A half of a surrogate pair in what was sent has no UTF-8, and a problem may quote it."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    mend: str = "",
    headers: dict[str, str] | None = None,
    **more: object,
) -> JSONResponse:
    """A problem response. ``mend`` says what to do about it."""
    body: dict[str, object] = {"type": f"urn:vigil:problem:{kind}", "title": title, "status": status, "detail": detail}
    if mend:
        body["mend"] = mend
    return ProblemResponse(body | more, status, headers)


def answer(error: errors.VigilError) -> JSONResponse:
    """The problem that an error of Vigil's leaves as."""
    status, kind, title = _entry(error)
    headers = {}
    if isinstance(error, errors.Overloaded):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.NotDurable):
        headers["Retry-After"] = "10"
        logger.error("not durable", detail=error.detail)
    if isinstance(error, errors.TooSlow):
        headers["Connection"] = "close"     # the rest of the body would take as long
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    more: dict[str, object] = {}
    if isinstance(error, errors.NoGoodRow):
        more["errors"] = error.rejects
    if isinstance(error, errors.InvalidDeclaration):
        more["errors"] = error.faults
    return problem(status, kind, title, error.detail, error.mend, headers, **more)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HTTP = {
    404: ("not-found", "Not found", "there is nothing under this path", "/docs lists every path"),
    405: ("method-not-allowed", "The method is not allowed here", "this path does not take the method",
          "/docs lists what each path takes"),
}  # fmt: skip


def _allowed(request: Request) -> list[str]:
    """The methods that a path takes, on whichever routes: the framework names those of the first alone."""
    routes: list[BaseRoute] = request.app.routes

    def takes(method: str) -> bool:
        return any(r.matches({**request.scope, "method": method})[0] is Match.FULL for r in routes)

    return [method for method in _METHODS if takes(method)]


def install(app: FastAPI) -> None:
    """Let every error leave as a problem, whatever raised it."""

    @app.exception_handler(errors.VigilError)
    async def _vigil(_request: Request, error: errors.VigilError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        broken = next((e for e in error.errors() if e["type"] == "json_invalid"), None)
        if broken is not None:
            at = f"The body is not JSON at character {broken['loc'][-1]}"
            return problem(400, "malformed-body", "The body cannot be read", at, "Send whole RFC 8259 JSON")
        faults = [
            {"field": ".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), "reason": e["msg"]} for e in error.errors()
        ]
        named = "; ".join(f"{f['field']}: {f['reason']}" for f in faults)
        mend = "Mend the fields that are listed; /docs describes the request"
        return problem(422, "invalid-input", "The request is not valid", named, mend, errors=faults)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        kind, title, detail, mend = _HTTP.get(
            error.status_code, ("http", "The request failed", str(error.detail), "/docs lists what there is")
        )
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        return problem(error.status_code, kind, title, detail, mend, headers)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        logger.exception("unforeseen error", path=request.url.path, exc_info=error)
        detail = "The request met an error that is Vigil's own"
        mend = "The log of the service has the details: send them to whoever runs it"
        return problem(500, "internal", "Something went wrong in Vigil", detail, mend)
