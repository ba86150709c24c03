"""Request bodies: read in pieces, never beyond the limits, nor more at a time than there is room for, nor for ever."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from monitor.codecs.compression import encoding_of, unpack
from monitor.errors import MalformedBody, Overloaded, TooLarge, TooSlow, UnsupportedFormat
from monitor.settings import Settings

# What is read by ``Bodies`` or ``read_body``, which have limits of their own.
_LIMITED = re.compile(r"/v1/models/[^/]+(/(predictions|outcomes|reference))?|/v1/ingest/.*")
SMALL = 2**20
BODY_SECONDS = 60.0     # for a body that is no batch of rows
GRACE = 5.0             # seconds before the rate of a body is looked at
SLOWEST = 16_384        # bytes a second that a body must then have come to, on average
UNPACKED_AT_A_TIME = 2
_KEPT_FREE = 8          # an eighth of the room is for small bodies, which a flood of large ones must not keep out


class Bodies:
    """Reads the bodies of rows. What is held in memory is counted until the request is answered."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.max_body_bytes
        self.most_unpacked = settings.max_unpacked_bytes
        self.room = settings.max_held_bytes
        self.seconds = settings.body_seconds
        self.held = 0
        self._unpacking = asyncio.Semaphore(UNPACKED_AT_A_TIME)

    @asynccontextmanager
    async def plain(self, scope: Scope, receive: Receive) -> AsyncIterator[tuple[bytes, int]]:
        """A request's body without its ``Content-Encoding``, and the bytes that came; held until the block is left.

        Raises ``TooLarge``, ``MalformedBody``, ``UnsupportedFormat``, ``TooSlow``, or ``Overloaded`` where there is no
        room now: of a declared length before a byte is read.
        """
        sent = dict(reversed(scope["headers"]))     # of one that is sent twice the first
        encoding = encoding_of(sent.get(b"content-encoding", b"").decode("latin-1"))
        held = _Held(self)
        try:
            if declared := _declared(sent.get(b"content-length", b"").decode("latin-1"), self.most):
                held.grow(declared)
            body = await read(receive, self.most, self.seconds, held)
            came = len(body)
            if encoding != "identity":
                async with self._unpacking:
                    body = await asyncio.to_thread(unpack, body, encoding, self.most_unpacked)
                held.grow(len(body))
                if not body:
                    raise _empty()
            yield body, came
        finally:
            self.held -= held.size


class _Held:
    """What one request holds. A body that comes alone is always let in."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.size = 0

    def grow(self, size: int) -> None:
        """Hold up to ``size`` bytes; ``Overloaded`` where that is more than there is room for."""
        new = size - self.size
        if new <= 0:
            return
        others, room = self.bodies.held - self.size, self.bodies.room
        most = room if size <= SMALL else room - room // _KEPT_FREE
        if others and others + size > most:
            raise Overloaded("the bodies of other requests fill the memory that there is for them",
                             "Send it again in a moment, or in smaller parts", retry_after=1)  # fmt: skip
        self.size = size
        self.bodies.held += new


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, sent plain; ``TooLarge`` as soon as it is known to pass ``limit`` bytes."""
    if encoding_of(request.headers.get("content-encoding", "")) != "identity":
        raise UnsupportedFormat("a content encoding is not taken here", "Send the body plain")
    _declared(request.headers.get("content-length", ""), limit)
    return await read(request.receive, limit)


async def read(receive: Receive, limit: int, seconds: float = BODY_SECONDS, held: _Held | None = None) -> bytes:
    """The pieces of a body together; ``TooSlow`` where they take over ``seconds``, or trickle."""
    pieces: list[bytes] = []
    size, loop = 0, asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(min(GRACE, seconds)) as timer:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece, more = message.get("body", b""), message.get("more_body", False)
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if held is not None:
                    held.grow(size)
                pieces.append(piece)
                if more:
                    timer.reschedule(began + min(seconds, GRACE + size / SLOWEST))
    except TimeoutError:
        raise TooSlow(
            f"{size} bytes of the body came in {loop.time() - began:.0f} seconds",
            f"Send it within {seconds:g} seconds and at {SLOWEST // 1024} KiB a second, or in smaller parts",
        ) from None
    if not size:
        raise _empty()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _declared(declared: str, limit: int) -> int:
    """The length that a request declares, 0 for none; ``TooLarge`` before a byte of it is read."""
    size = int(declared) if declared.isdigit() and len(declared) < 20 else 0
    if size > limit:
        raise _too_large(limit)
    return size


def _empty() -> MalformedBody:
    return MalformedBody("the body is empty", "Send at least one row")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes", "Send it in smaller parts, or raise VIGIL_MAX_BODY_BYTES")


class LimitBody:
    """ASGI middleware: no route but those that take rows, which count for themselves, reads more than ``SMALL`` bytes.

    The framework reads a body before it asks who sends it, so the bound stands before both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _LIMITED.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        left = SMALL
        if declared.isdigit() and int(declared) > SMALL:
            await problems.answer(_too_large(SMALL))(scope, receive, send)
            return

        until: float | None = asyncio.get_running_loop().time() + BODY_SECONDS

        async def limited() -> Message:
            nonlocal left, until
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise TooSlow(f"the body took over {BODY_SECONDS:g} seconds", "Send it at once") from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(SMALL)
            if not message.get("more_body", False):
                until = None        # what comes then is the end of the connection, however late
            return message

        await self.app(scope, limited, send)
