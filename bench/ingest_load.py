"""The load generator: a process of its own that posts bodies over a few connections and prints what it saw.

``python -m bench.ingest_load PORT KEY FORM BATCHES ROWS CONNECTIONS [RATE]``. Each connection sends its next request
when the last is answered; ``RATE`` requests a second in all, where it is given, each timed from when it was due. What
is answered 429 or 503 is sent again, as a model service would. HTTP is written by hand, for a client library would
take more of the machine than what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import uvloop

from bench import ingest_bodies as bodies

JSON = "application/json"
FORMS: dict[str, tuple[str, str, Callable[[int, int], bytes]]] = {
    "arrow": ("predictions?clock=event", bodies.ARROW, bodies.arrow_predictions),
    "columns": ("predictions?clock=event", JSON, bodies.json_columns),
    "rows": ("predictions?clock=event", JSON, bodies.json_rows),
    "outcomes": ("outcomes?clock=event", bodies.ARROW, bodies.arrow_outcomes),
    "single": ("predictions", JSON, lambda number, _n: bodies.one_row(number, _now())),
}


class Load:
    """What is still to be sent, and what was seen: the latency of each request in seconds, and who was sent away."""

    def __init__(self, key: str, form: str, batches: int, rows: int, rate: float | None) -> None:
        path, media, self.body = FORMS[form]
        self.head = (
            f"POST /v1/models/{bodies.MODEL}/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: {media}\r\nContent-Length: "
        ).encode()
        self.batches, self.rows, self.rate = batches, rows, rate
        self.next = 0
        self.latencies: list[float] = []
        self.again = 0
        self.began = 0.0

    def request(self) -> tuple[bytes, float] | None:
        """The next request, and when it is due; ``None`` at the end."""
        if self.next == self.batches:
            return None
        number, self.next = self.next, self.next + 1
        body = self.body(number, self.rows)
        due = self.began + number / self.rate if self.rate else 0.0
        return self.head + b"%d\r\n\r\n" % len(body) + body, due


class Connection(asyncio.Protocol):
    def __init__(self, load: Load, ended: asyncio.Future[None]) -> None:
        self.load, self.ended = load, ended
        self.loop = asyncio.get_running_loop()
        self.answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._next()

    def _next(self) -> None:
        asked = self.load.request()
        if asked is None:
            self.transport.close()
            self.ended.set_result(None)
            return
        self.sent, due = asked
        wait = due - time.perf_counter()
        self.since = due if due else time.perf_counter()
        if wait > 0:
            self.loop.call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self.transport.write(self.sent)

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self.answer = b""
        status = head[9:12]
        if status == b"202":
            self.load.latencies.append(time.perf_counter() - self.since)
            self._next()
        elif status in (b"429", b"503"):
            self.load.again += 1
            self.loop.call_later(1.0, self._send)
        else:
            self.ended.set_exception(RuntimeError((head + body).decode()))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the service closed the connection"))


def _length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    return int(head[at:].split(b"\r\n", 1)[0])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _run(port: int, load: Load, connections: int) -> None:
    loop = asyncio.get_running_loop()
    load.began = time.perf_counter()
    ends = []
    for _ in range(connections):
        ended: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda ended=ended: Connection(load, ended), "127.0.0.1", port)
        ends.append(ended)
    await asyncio.gather(*ends)


def main(arguments: list[str]) -> None:
    port, key, form, batches, rows, connections = arguments[:6]
    rate = float(arguments[6]) if len(arguments) > 6 else None
    load = Load(key, form, int(batches), int(rows), rate)
    uvloop.run(_run(int(port), load, int(connections)))
    seconds = time.perf_counter() - load.began
    p50, p99, p999 = np.quantile(load.latencies, (0.5, 0.99, 0.999)) * 1e3
    times = {"began": load.began, "seconds": seconds, "p50_ms": p50, "p99_ms": p99, "p999_ms": p999}
    print(json.dumps({**times, "sent_away": load.again}))


if __name__ == "__main__":
    main(sys.argv[1:])
