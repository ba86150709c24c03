"""The whole way: the census stream through the public API into a fresh service, folded, joined, measured and judged."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from typing import Any

RUNS = 3
LIMIT = "30 s and 500 MB on 2 cores"


def replay() -> dict[str, Any]:
    """Seconds from the first reference row sent to the last window judged, and the service's peak memory."""
    runs = [_run() for _ in range(RUNS)]
    seconds = statistics.median(r["seconds"] for r in runs)
    rows = 2 * 208_892
    return {
        "rows": rows,
        "seconds": round(seconds, 2),
        "rate": round(rows / seconds),
        "unit": "rows/s",
        "peak_rss_mb": round(max(r["peak_bytes"] for r in runs) / 2**20),
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "limit": LIMIT,
        "runs": RUNS,
    }


def _run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "monitor.cli", "demo", "--once", "--json"]
        env = {**os.environ, "VIGIL_PORT": str(port)}
        done = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
