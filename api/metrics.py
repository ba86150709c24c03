"""``/metrics`` for Prometheus, and the middleware that counts requests. No key is asked for: it names no person."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Vigil
from api.openapi import errors
from monitor.errors import NotFound
from monitor.metrics import Instruments

router = APIRouter(tags=["health"])

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


_TEXT = {"schema": {"type": "string"}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}},
    **errors(404),
}


@router.get("/metrics", response_class=Response, responses=_ANSWERS)
def get_metrics(vigil: Vigil, request: Request) -> Response:
    """The figures that Prometheus scrapes, as OpenMetrics or in the text format; docs/prometheus.md names them."""
    if not vigil.settings.metrics:
        raise NotFound("metrics are switched off", "Set VIGIL_METRICS=true to have them")
    body, content_type = vigil.metrics.render(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


class CountRequests:
    """Counts and times each request by its route's template, never by its path: ids must not become labels."""

    def __init__(self, app: ASGIApp, instruments: Instruments) -> None:
        self.app = app
        self.instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()      # 500: what a client gets where an error leaves no answer

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.instruments.count_request(method, _route(scope), status, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The route's template; what no route takes is one label, whatever paths a scanner tries."""
    return getattr(scope.get("route"), "path", None) or "unmatched"
