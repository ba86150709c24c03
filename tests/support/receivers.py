"""Receivers of notifications for tests: real sockets that do to a sender what the world does."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

# What a receiver does with one request: answer with a status and headers, or not answer as it should.
Answer = tuple[int, dict[str, str]]
OK: Answer = (200, {})
HANG, CUT = "hang", "cut"


@dataclass
class Seen:
    """One request as it came, whether it was answered well or not."""

    key: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers by a script, over and over: a status with headers, ``HANG`` (nothing for ``patience`` seconds), ``CUT``
    (the connection ends without an answer). All that came is kept."""

    script: list[Answer | str] = field(default_factory=lambda: [OK])
    patience: float = 30.0
    seen: list[Seen] = field(default_factory=list)
    arrived: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._turns: Iterator[Answer | str] = cycle(self.script)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def times(self) -> Counter[str]:
        """How often each key came."""
        with self._lock:
            return Counter(one.key for one in self.seen)

    def follow(self, script: list[Answer | str]) -> None:
        """Another script from now on."""
        with self._lock:
            self.script, self._turns = script, cycle(script)

    def wait(self, done: Callable[[], bool], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < until, f"not in time; seen: {[(s.key, s.body[:80]) for s in self.seen][-5:]}"
            time.sleep(0.02)

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _turn(self, seen: Seen) -> Answer | str:
        with self._lock:
            self.seen.append(seen)
            return next(self._turns)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                key = headers.get("idempotency-key", "")
                turn = receiver._turn(Seen(key, self.path, headers, body))
                if isinstance(turn, str):
                    if turn == HANG:
                        receiver._stopped.wait(receiver.patience)
                    self.close_connection = True
                    return
                status, more = turn
                if status < 300:
                    receiver.arrived.add(key)
                self.send_response(status)
                for name, value in {"content-length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
