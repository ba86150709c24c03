"""The ASGI application: routes, errors, and the life of the parts behind them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import (
    acknowledge,
    actions,
    aftercare,
    alerts,
    assets,
    audit,
    cloudevents,
    console,
    console_actions,
    console_audit,
    console_incident,
    console_incidents,
    console_keys,
    console_people,
    console_report,
    erasures,
    incidents,
    ingest,
    metrics,
    models,
    openapi,
    pagerduty,
    people,
    problems,
    records,
    sign_in,
    silences,
    windows,
)
from api.body import Bodies, LimitBody
from api.proxies import Forwarded
from api.taking import Shortcut
from api.vega import Bundle
from monitor import logs
from monitor.app import App
from monitor.settings import load_settings

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)


def create(vigil: App | None = None) -> FastAPI:
    """The application around ``vigil``; without one, around the settings of the environment."""
    if vigil is None:
        settings = load_settings(os.environ)
        logs.configure(settings.log_level, settings.log_format)
        vigil = App(settings)
    app = Service(
        title="Vigil",
        version=version("vigil-ml"),
        summary="Production monitoring of machine-learning models: drift, bias and incidents",
        lifespan=_lifespan,
    )
    app.state.vigil, app.state.bodies = vigil, Bodies(vigil.settings)
    problems.install(app)
    openapi.install(app)
    for router in (
        ingest.rows, ingest.router, cloudevents.router, models.router, windows.router, incidents.router,
        aftercare.router, actions.router, metrics.router, records.router, erasures.router, alerts.router,
        pagerduty.router, people.router, audit.router, silences.router,
    ):  # fmt: skip
        app.include_router(router)
    for router in (
        assets.router, sign_in.router, acknowledge.router, console.router, console_report.router,
        console_incidents.router, console_incident.router, console_actions.router, console_people.router,
        console_keys.router, console_audit.router,
    ):  # fmt: skip
        app.include_router(router, include_in_schema=False)
    if vigil.oidc is not None:      # asked for here, so that a setting that does not fit is said at the start
        from api import oidc  # not at the top: few need it, and what it needs is large

        app.include_router(oidc.router, include_in_schema=False)
    app.state.bundle = Bundle(vigil.settings.data_dir / "cache")

    @app.get("/livez", tags=["health"], response_class=PlainTextResponse)
    def livez() -> str:
        """Whether the process answers."""
        return "ok"

    faulty = {"description": "What is wrong", "content": {"text/plain": {"schema": {"type": "string"}}}}

    @app.get("/readyz", tags=["health"], response_class=PlainTextResponse, responses={503: faulty})
    def readyz() -> Response:
        """Whether the databases answer and what runs behind the service lives; 503 where it does not."""
        if wrong := vigil.faults():
            return PlainTextResponse(wrong, 503)
        silence = vigil.silence()
        return PlainTextResponse(f"ok, but {silence}" if silence else "ok")

    app.add_middleware(SafeHeaders)
    app.add_middleware(LimitBody)
    app.add_middleware(metrics.CountRequests, instruments=vigil.metrics.process)
    app.add_middleware(Forwarded, trusted=vigil.settings.trusted_proxies)
    return app


class Service(FastAPI):
    """The framework's application, which posted rows pass by."""

    def build_middleware_stack(self) -> ASGIApp:
        rest, unforeseen = super().build_middleware_stack(), self.exception_handlers[Exception]
        return Shortcut(rest, ingest.rows.routes, self.state.vigil.metrics.process, _HEADERS, unforeseen)


class SafeHeaders:
    """ASGI middleware: tells browsers to guess no type, to frame no page, and to tell no other site the address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in _HEADERS if h[0] not in there)]
            await send(message)

        await self.app(scope, receive, with_headers)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.vigil.start()
    app.state.bundle.warm()
    yield
    app.state.vigil.stop()
