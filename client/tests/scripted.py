"""A service that answers as a test tells it to."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from vigil_client import Client

KEY = "vgl_abc_" + "secret"
Answer = Callable[[BaseHTTPRequestHandler, "Request"], None]


@dataclass
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def columns(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = self.body["columns"]
        return found

    @property
    def ids(self) -> list[str]:
        return self.columns["prediction_id"]


def answer(status: int, body: dict[str, Any] | None = None, after: float = 0.0, **headers: str) -> Answer:
    """Answer with a status; names of headers have ``_`` for ``-``."""

    def act(handler: BaseHTTPRequestHandler, _request: Request) -> None:
        time.sleep(after)
        content = json.dumps(body or {}).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return act


def take(handler: BaseHTTPRequestHandler, request: Request) -> None:
    """Take all rows, as the service does."""
    answer(202, {"batch_id": "b", "accepted": len(request.ids), "rejected": 0, "errors": []})(handler, request)


def cut(handler: BaseHTTPRequestHandler, _request: Request) -> None:
    """End the connection in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 202 Accep")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@dataclass
class Script:
    """The service: answers with what stands in ``answers``, then takes everything. It counts a batch's rows once,
    as Vigil does: ``taken`` has the ids of each idempotency key that was let in.
    """

    answers: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    taken: dict[str, list[str]] = field(default_factory=dict)
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [name for names in self.taken.values() for name in names]

    def wait(self, requests: int, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while len(self.requests) < requests:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {requests} requests came"
            time.sleep(0.005)


def handler_of(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(content))
            script.requests.append(request)
            act = script.answers.pop(0) if script.answers else take
            if act is take or getattr(act, "takes", False):
                script.taken[request.headers["idempotency-key"]] = request.ids
            with contextlib.suppress(OSError):      # the client may be gone
                act(self, request)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def balanced(client: Client) -> bool:
    """Whether each row is in one account."""
    s = client.stats
    return s.logged == s.sent + s.rejected + sum(s.dropped.values()) + s.waiting


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.005)
