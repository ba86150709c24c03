"""What ``Client.log`` costs its caller, while the client's own thread encodes and sends to a slow service."""

from __future__ import annotations

import multiprocessing
import resource
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from vigil_client import Client

CALLS, RUNS, FEATURES = 20_000, 5, 25
ANSWERS_AFTER = 0.1         # seconds
_TOLD = ("cpu_us", "p50_us", "p99_us", "p99_9_us", "max_us", "lost", "background_us")
INFERENCE = 8_000           # turns of pure Python between two calls, some 0.2 ms that fight for the interpreter's lock
LIMIT = "20 us a call in the caller's thread"


def client_log() -> dict[str, Any]:
    """Microseconds of a call with 25 features: percentiles over all calls of the median run; ``seconds`` is the mean
    call, and ``cpu_us`` its processor time, which a busy machine changes less. ``off_p99_9_us`` and ``off_max_us`` are
    those of a client that is switched off: the machine's own noise. ``background_us`` is the processor time of the
    client's own thread, a row.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"
    try:
        runs = sorted((_run(url, enabled=True) for _ in range(RUNS)), key=lambda r: float(r["p99_9_us"]))
        off = sorted((_run(url, enabled=False) for _ in range(RUNS)), key=lambda r: float(r["p99_9_us"]))
    finally:
        server.terminate()
        server.join()
    middle = runs[RUNS // 2]
    still = off[RUNS // 2]
    return {
        "rows": CALLS,
        "seconds": middle["mean"],
        "rate": round(1 / middle["mean"]),
        "unit": "calls/s",
        **{name: middle[name] for name in _TOLD},
        "off_p99_9_us": still["p99_9_us"],
        "off_max_us": still["max_us"],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "limit": LIMIT,
        "runs": RUNS,
    }


def _run(url: str, *, enabled: bool) -> dict[str, Any]:
    rows = _rows(1_000)
    spent = np.empty(CALLS)
    client = Client(url, "vgl_bench", model="bench", model_version="v1", flush_every=0.05, enabled=enabled)
    clock, own, log, used = time.perf_counter, time.thread_time, client.log, 0.0
    for i in range(CALLS):
        row = rows[i % len(rows)]
        before, start = own(), clock()
        log(features=row, prediction_score=0.5, prediction_id=f"p{i}", protected={"sex": "f"})
        end = clock()
        spent[i] = end - start
        used += own() - before
        for _ in range(INFERENCE):
            pass
    lost = client.stats.lost
    client.flush(60.0)
    thread = client._sender._thread
    background = time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) if thread and thread.ident else 0.0
    client.close()
    p50, p99, p99_9 = (round(float(v) * 1e6, 1) for v in np.percentile(spent, (50, 99, 99.9)))
    return {
        "mean": round(float(spent.mean()), 8), "p50_us": p50, "p99_us": p99, "p99_9_us": p99_9,
        "max_us": round(float(spent.max()) * 1e6), "cpu_us": round(used / CALLS * 1e6, 1), "lost": lost,
        "background_us": round(background / CALLS * 1e6, 1),
    }  # fmt: skip


def _rows(n: int) -> list[dict[str, Any]]:
    numbers = np.random.default_rng(42).normal(size=(n, FEATURES)).round(4)
    return [{f"f{j}": float(v) if j % 5 else f"c{abs(int(v * 3))}" for j, v in enumerate(line)} for line in numbers]


def _serve(told: Connection) -> None:
    """A service that takes everything, ``ANSWERS_AFTER`` seconds later."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    told.send(server.server_port)
    server.serve_forever()


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(ANSWERS_AFTER)
        answer = b'{"accepted": 1, "rejected": 0, "errors": []}'
        self.send_response(202)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass
