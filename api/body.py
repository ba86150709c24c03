"""Request bodies, read in pieces and never beyond the limit."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from monitor.errors import MalformedBody, TooLarge, UnsupportedFormat

ROWS = "/v1/models/"        # what is posted below it is read by ``read_body``
SMALL = 2**20


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; ``TooLarge`` as soon as it is known to pass ``limit`` bytes."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("", "identity"):
        raise UnsupportedFormat(f"the content encoding {encoding[:40]!a} is not taken here", "Send the body plain")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
    if not size:
        raise MalformedBody("the body is empty", "Send at least one row")
    return b"".join(pieces)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes", "Send it in smaller parts, or raise VIGIL_MAX_BODY_BYTES")


class LimitBody:
    """ASGI middleware: no route but those that take rows, which count for themselves, reads more than ``SMALL`` bytes.

    The framework reads a body before it asks who sends it, so the bound stands before both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(ROWS):
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        left = SMALL
        if declared.isdigit() and int(declared) > SMALL:
            await problems.answer(_too_large(SMALL))(scope, receive, send)
            return

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(SMALL)
            return message

        await self.app(scope, limited, send)

