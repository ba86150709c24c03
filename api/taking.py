"""The way of posted rows through the API. The framework finds a route, solves its parameters and passes a dozen layers
at more cost than all that a single row needs besides, so the three routes that take rows are found here before any of
them. What of those layers is meant for rows is done here too: requests are counted, errors leave as problems, and
browsers are told the same.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.access import authorised
from api.body import Bodies
from monitor.app import App
from monitor.batch import Kind
from monitor.errors import InvalidInput, VigilError
from monitor.metrics import Instruments

_POSTED = re.compile(r"/v1/models/([^/]+)/(predictions|outcomes|reference)")
_MOST_KEY = 128
_TRUTH = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}  # fmt: skip

Header = tuple[bytes, bytes]
_JSON = (b"content-type", JSONResponse.media_type.encode())
_encode = msgspec.json.Encoder().encode


class TakesRows(APIRoute):
    """A route whose signature is for the document alone: ``take`` answers it, and here those who send no key but the
    console's cookie, which needs the layers that ``Shortcut`` passes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def answer(request: Request) -> Response:
            try:
                return Response(await take(request), 202, media_type=JSONResponse.media_type)
            except ClientDisconnect:
                return Response()       # to nobody

        return answer


class Shortcut:
    """ASGI middleware, before all others: answers rows that are posted with a key, and lets everything else go on.
    ``headers`` go with each answer, and ``unforeseen`` answers a fault of Vigil's own."""

    def __init__(
        self, app: ASGIApp, routes: Iterable[BaseRoute], instruments: Instruments, headers: Iterable[Header],
        unforeseen: Callable[[Request, Exception], Any],
    ) -> None:  # fmt: skip
        self.app = app
        self.rows = ServerErrorMiddleware(self._rows, unforeseen)
        self.routes = {r.path.rpartition("/")[2]: r for r in routes if isinstance(r, TakesRows)}
        self.instruments = instruments
        self.headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _POSTED.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None or not any(h[0] == b"authorization" for h in scope["headers"]):
            await self.app(scope, receive, send)
            return
        scope["path_params"] = {"model": found[1]}
        scope["route"] = self.routes[found[2]]
        await self.rows(scope, receive, send)

    async def _rows(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, began = 500, time.perf_counter()      # 500: what a client gets where an error leaves no answer
        try:
            body = await take(Request(scope, receive))
            status, headers = 202, [(b"content-length", b"%d" % len(body)), _JSON]
        except VigilError as error:
            problem = problems.answer(error)
            body, status, headers = bytes(problem.body), problem.status_code, problem.raw_headers
        except ClientDisconnect:
            return
        finally:
            self.instruments.count_request("POST", scope["route"].path, status, time.perf_counter() - began)
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *self.headers]})
        await send({"type": "http.response.body", "body": body})


async def take(request: Request) -> bytes:
    """Take the rows of a request: their receipt, once they are durable, as it is answered with 202."""
    scope = request.scope
    state = scope["app"].state
    vigil: App = state.vigil
    bodies: Bodies = state.bodies
    model, kind = scope["path_params"]["model"], cast(Kind, scope["path"].rpartition("/")[2])
    await authorised(request, "ingest", model)
    sent: dict[bytes, bytes] = dict(reversed(scope["headers"]))       # of one that is sent twice the first
    asked: bytes = scope["query_string"]
    query = dict(parse_qsl(asked.decode("latin-1"), keep_blank_values=True)) if asked else {}
    key, atomic = _key(sent), _atomic(query)
    inferred = vigil.admission.peek(model, declared=vigil.intake.names_features(model))
    if inferred is None:
        inferred = await asyncio.to_thread(vigil.admission.admit, model)
    content_type = sent.get(b"content-type", b"").decode("latin-1")
    async with bodies.plain(scope, request.receive) as (body, came):
        receipt = await vigil.intake.take(model, kind, content_type, body, query, inferred, key, atomic=atomic)
    if not receipt.repeated:
        vigil.metrics.process.count_batch(model, kind, came, receipt.accepted, receipt.rejected)
    return _encode(receipt.as_dict())


def _key(sent: Mapping[bytes, bytes]) -> str | None:
    key = sent.get(b"idempotency-key")
    if key is not None and not 1 <= len(key) <= _MOST_KEY:
        said = f"the Idempotency-Key has {len(key)} characters"
        raise InvalidInput(said, f"Send one of 1 to {_MOST_KEY}, or leave it out")
    return None if key is None else key.decode("latin-1")


def _atomic(query: Mapping[str, str]) -> bool:
    word = query.get("atomic", "false")
    if word.lower() not in _TRUTH:
        raise InvalidInput(f"'atomic' is {word[:40]!a}", "Send atomic=true for all rows or none, else leave it out")
    return _TRUTH[word.lower()]
