"""The worker as a process of the service's: started again when it ends, and ended when the service does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest


@pytest.fixture
def service(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "VIGIL_DATA_DIR": str(tmp_path), "VIGIL_PORT": str(port), "VIGIL_WORKER": "process"}
    with (tmp_path / "out").open("wb") as out:
        running = subprocess.Popen([sys.executable, "-m", "monitor.cli", "serve"], env=env, stdout=out, stderr=out)
    with httpx.Client() as client:
        _soon(lambda: _ready(client, port))
    yield running
    if running.poll() is None:
        running.terminate()
    running.wait(timeout=60)


def test_it_is_started_again_and_ends_with_the_service(service: subprocess.Popen[bytes]) -> None:
    first = _soon(lambda: _worker_of(service.pid))
    os.kill(first, signal.SIGKILL)
    second = _soon(lambda: _worker_of(service.pid, other_than=first))
    assert second != first
    service.terminate()
    assert service.wait(timeout=60) == 0
    _soon(lambda: not Path(f"/proc/{second}").exists())


def test_it_does_not_outlive_a_service_that_was_killed(service: subprocess.Popen[bytes]) -> None:
    worker = _soon(lambda: _worker_of(service.pid))
    service.kill()
    service.wait(timeout=60)
    _soon(lambda: not Path(f"/proc/{worker}").exists())


def _worker_of(pid: int, other_than: int = 0) -> int:
    """The worker among a process's children, 0 where there is none."""
    for task in Path(f"/proc/{pid}/task").iterdir():        # it is a thread that started it
        for child in map(int, (task / "children").read_text().split()):
            if child != other_than and b"--beside" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
    return 0


def _ready(client: httpx.Client, port: int) -> bool:
    try:
        return client.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _soon(question: Callable[[], int]) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := question():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about")
