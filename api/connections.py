"""Connections: one that sends no whole request head in time is ended, and the service never runs out of them.

The server has a time limit for idle connections between two requests alone, and none before the first nor within a
head; without one, a few thousand silent connections take every file that a process may open. What is slow about a body
is seen where it is read (``api.body``).
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api import problems
from monitor.errors import TooSlow

if sys.platform != "win32":     # which has no such limits
    import resource

HEAD_SECONDS = 10.0     # in which the head of a request must have come, since the connection or the last answer
MOST = 16_384
_SPARE_FILES = 512      # for databases, logs and whatever else is opened
_SWEEP = 1.0


def most_connections() -> int:
    """How many connections the process may hold: as many as its files allow, once their limit is as high as it goes."""
    if sys.platform == "win32":
        return MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        soft = MOST + _SPARE_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST + _SPARE_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MOST, max(soft // 2, soft - _SPARE_FILES))


class _Waiting:
    """The connections of a server that wait for a head, and since when; the one that has waited longest first."""

    def __init__(self) -> None:
        self.since: dict[Guarded, float] = {}
        self.most = most_connections()
        self._sweeping = False

    def add(self, connection: Guarded) -> None:
        self.since.pop(connection, None)
        self.since[connection] = connection.loop.time()
        if not self._sweeping:
            self._sweeping = True
            connection.loop.call_later(_SWEEP, self._sweep, connection.loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - Guarded.head_seconds
        for connection in [c for c, since in self.since.items() if since < late]:
            connection.end()
        self._sweeping = bool(self.since)
        if self._sweeping:
            loop.call_later(_SWEEP, self._sweep, loop)


_OF_SERVER: WeakKeyDictionary[ServerState, _Waiting] = WeakKeyDictionary()


class Guarded(HttpToolsProtocol):
    """The server's protocol for HTTP, with a limit of time for heads and one of number for connections."""

    head_seconds: ClassVar[float] = HEAD_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begun = False         # whether a part of a head has come
        if self.server_state not in _OF_SERVER:
            _OF_SERVER[self.server_state] = _Waiting()
        self._waiting = _OF_SERVER[self.server_state]
        self._waiting.add(self)
        if len(self.connections) > self._waiting.most:
            next(iter(self._waiting.since)).end()       # the newest waits too, so there is one

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.since.pop(self, None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._begun = False
        self._waiting.since.pop(self, None)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():    # no request that was sent behind it
            self._waiting.add(self)

    def end(self) -> None:
        """Close it; who has begun a request is told why."""
        self._waiting.since.pop(self, None)
        if not self.transport.is_closing():
            if self._begun:
                self.transport.write(_too_slow())
            self.transport.close()


def _too_slow() -> bytes:
    """The answer to a request whose head does not come: no route ever sees it."""
    said = problems.answer(TooSlow("the head of the request did not come in time", "Send it at once"))
    lines = [b"HTTP/1.1 408 Request Timeout", *(name + b": " + value for name, value in said.raw_headers)]
    return b"\r\n".join([*lines, b"", bytes(said.body)])
