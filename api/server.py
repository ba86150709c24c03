"""The ASGI application: routes, errors, and the life of the parts behind them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from api import (
    console,
    console_incidents,
    console_report,
    incidents,
    ingest,
    metrics,
    models,
    openapi,
    problems,
    records,
    sign_in,
    windows,
)
from api.body import LimitBody
from api.vega import Bundle
from monitor import logs
from monitor.app import App
from monitor.settings import load_settings

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


def create(vigil: App | None = None) -> FastAPI:
    """The application around ``vigil``; without one, around the settings of the environment."""
    if vigil is None:
        settings = load_settings(os.environ)
        logs.configure(settings.log_level, settings.log_format)
        vigil = App(settings)
    app = FastAPI(
        title="Vigil",
        version=version("vigil-ml"),
        summary="Production monitoring of machine-learning models: drift, bias and incidents",
        lifespan=_lifespan,
    )
    app.state.vigil = vigil
    problems.install(app)
    openapi.install(app)
    for router in (ingest.router, models.router, windows.router, incidents.router, metrics.router, records.router):
        app.include_router(router)
    for router in (sign_in.router, console.router, console_report.router, console_incidents.router):
        app.include_router(router, include_in_schema=False)
    app.state.bundle = Bundle(vigil.settings.data_dir / "cache")

    @app.get("/livez", tags=["health"], response_class=PlainTextResponse)
    def livez() -> str:
        """Whether the process answers."""
        return "ok"

    @app.get("/readyz", tags=["health"], response_class=PlainTextResponse)
    def readyz() -> Response:
        """Whether the databases answer and the threads behind the service live; 503 where they do not."""
        wrong = vigil.faults()
        return PlainTextResponse(wrong or "ok", 503 if wrong else 200)

    @app.middleware("http")
    async def _headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    app.add_middleware(LimitBody)
    app.add_middleware(metrics.CountRequests, instruments=vigil.metrics.process)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.vigil.start()
    app.state.bundle.warm()
    yield
    app.state.vigil.stop()
