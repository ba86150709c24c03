"""The way of posted rows through the API. The framework finds a route and solves its parameters at more cost than all
that a single row needs besides, so the three routes that take rows are found here before it, and read their own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.access import authorised
from api.body import Bodies
from monitor.app import App
from monitor.batch import Kind
from monitor.errors import InvalidInput, VigilError

_POSTED = re.compile(r"/v1/models/([^/]+)/(predictions|outcomes|reference)")
_MOST_KEY = 128
_TRUTH = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}  # fmt: skip


class TakesRows(APIRoute):
    """A route whose signature is for the document alone: ``take`` answers it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return take


class Shortcut:
    """ASGI middleware, innermost: answers posted rows, and lets everything else go on to the router."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        self.routes = {r.path.rpartition("/")[2]: r for r in routes if isinstance(r, TakesRows)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _POSTED.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["path_params"] = {"model": found[1]}
        scope["route"] = self.routes[found[2]]
        try:
            response = await take(Request(scope, receive))
        except VigilError as error:
            response = problems.answer(error)
        except ClientDisconnect:
            return
        await response(scope, receive, send)


async def take(request: Request) -> Response:
    """Take the rows of a request: 202 once they are durable."""
    scope = request.scope
    vigil: App = scope["app"].state.vigil
    bodies: Bodies = scope["app"].state.bodies
    model, kind = scope["path_params"]["model"], cast(Kind, scope["path"].rpartition("/")[2])
    await authorised(request, "ingest", model)
    headers = request.headers
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    key, atomic = _key(headers), _atomic(query)
    inferred = vigil.admission.peek(model)
    if inferred is None:
        inferred = await asyncio.to_thread(vigil.admission.admit, model)
    async with bodies.plain(scope, request.receive) as (body, came):
        receipt = await vigil.intake.take(
            model, kind, headers.get("content-type", ""), body, query, inferred, key, atomic=atomic
        )
    if not receipt.repeated:
        vigil.metrics.process.count_batch(model, kind, came, receipt.accepted, receipt.rejected)
    return Response(msgspec.json.encode(receipt.as_dict()), 202, media_type=JSONResponse.media_type)


def _key(headers: Headers) -> str | None:
    key = headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= _MOST_KEY:
        said = f"the Idempotency-Key has {len(key)} characters"
        raise InvalidInput(said, f"Send one of 1 to {_MOST_KEY}, or leave it out")
    return key


def _atomic(query: Mapping[str, str]) -> bool:
    word = query.get("atomic", "false")
    if word.lower() not in _TRUTH:
        raise InvalidInput(f"'atomic' is {word[:40]!a}", "Send atomic=true for all rows or none, else leave it out")
    return _TRUTH[word.lower()]
