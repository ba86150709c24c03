"""A real service holds no more of many large bodies at once than its setting says, and goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

SIZE, AT_ONCE, HELD = 12 * 2**20, 14, 24 * 2**20

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """The id of a service's process, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "VIGIL_DATA_DIR": str(tmp_path), "VIGIL_PORT": str(port), "VIGIL_WORKER": "none",
           "VIGIL_MAX_HELD_BYTES": str(HELD)}  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "monitor.cli", "serve"], env=env, stderr=subprocess.DEVNULL)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    with httpx.Client(base_url=url) as client:
        while True:
            try:
                client.get("/livez").raise_for_status()
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    yield process.pid, url
    process.terminate()
    process.wait(30)


def test_many_large_bodies_at_once_take_bounded_memory(served: tuple[int, str], tmp_path: Path) -> None:
    pid, url = served
    made = subprocess.run(
        [sys.executable, "-m", "monitor.cli", "keys", "create", "t", "--scope", "admin", "--json"],
        env={**os.environ, "VIGIL_DATA_DIR": str(tmp_path)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    key = made.stdout.split('"key": "')[1].split('"')[0]
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    declared = {"model": "m", "task": "binary_classification", "features": {"x": "numeric"}}
    httpx.put(f"{url}/v1/models/m", json=declared, headers=headers).raise_for_status()
    body, before = b" " * SIZE, peak(pid)

    def send(_: int) -> int:
        return httpx.post(f"{url}/v1/models/m/predictions", content=body, headers=headers, timeout=120).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send, range(AT_ONCE)))
    assert set(answers) <= {400, 429}, "no more than whitespace, or no room"
    assert answers.count(429) > 0
    assert peak(pid) - before < 6 * HELD, "a body, its pieces and its text, of those alone that are held"
    row = {"timestamp": "2026-07-01T00:00:00Z", "prediction_score": 0.5, "features": {"x": 1}}
    assert httpx.post(f"{url}/v1/models/m/predictions", json=[row], headers=headers).status_code == 202
