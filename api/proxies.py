"""Who connected, and what a proxy that is trusted says of the client behind it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

LOCAL = "127.0.0.1,::1"     # trusted with X-Forwarded-*, where no proxy is named
_PEER = "vigil.peer"


class Forwarded:
    """ASGI middleware, outermost: keeps the address of the connection itself, and then lets ``X-Forwarded-For`` and
    ``-Proto`` of a trusted proxy name the client and the scheme. The server must not do so before it: it would put an
    address that a client wrote in the place of the connection's."""

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        self.app = ProxyHeadersMiddleware(app, trusted_hosts=trusted or LOCAL)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        scope[_PEER] = client[0] if client else None
        await self.app(scope, receive, send)  # type: ignore[arg-type]


def peer(scope: Scope) -> str | None:
    """The address of the connection itself, whatever a header says; ``None`` for a Unix socket."""
    found: str | None = scope[_PEER]
    return found
