"""The ASGI application: routes, errors, and the life of the parts behind them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from api import incidents, ingest, models, problems
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
        vigil = App(load_settings(os.environ))
    app = FastAPI(
        title="Vigil",
        version=version("vigil-ml"),
        summary="Production monitoring of machine-learning models: drift, bias and incidents",
        lifespan=_lifespan,
    )
    app.state.vigil = vigil
    problems.install(app)
    for router in (ingest.router, models.router, incidents.router):
        app.include_router(router)

    @app.get("/livez", tags=["health"], response_class=PlainTextResponse)
    def livez() -> str:
        """Whether the process answers."""
        return "ok"

    @app.get("/readyz", tags=["health"], response_class=PlainTextResponse)
    def readyz() -> str:
        """Whether the databases answer."""
        vigil.log.models()
        return "ok"

    @app.middleware("http")
    async def _headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.vigil.start()
    yield
    app.state.vigil.stop()
