"""Hundreds of connections that say nothing, to a service that may open few files: whoever asks is answered."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

FILES = 300
IDLE = 600
_SERVE = """
import resource, runpy, sys
from api import connections
resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))
{more}
sys.argv = ["vigil", "serve"]
runpy.run_module("monitor.cli", run_name="__main__")
"""
# Without its own limit it comes to that of the files: what the event loop does then.
_NO_LIMIT = "connections.most_connections = lambda: 10**6; connections.Guarded.head_seconds = 1.0"


@contextmanager
def serving(folder: Path, more: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``vigil serve`` with so many files, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    env = os.environ | {"VIGIL_DATA_DIR": str(folder), "VIGIL_PORT": str(port), "VIGIL_WORKER": "none"}
    code = _SERVE.format(files=FILES, more=more)
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=log, stderr=log)
    try:
        answers(process, port)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until it is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"it does not answer; exit code {process.poll()}")


def resident(process: subprocess.Popen[bytes]) -> int:
    """Its memory in bytes."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def idle(port: int, n: int, open_ones: ExitStack) -> None:
    for _ in range(n):
        try:
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        except OSError:     # turned away at once
            continue


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_more_idle_connections_than_files_take_little_and_keep_nobody_out(tmp_path: Path) -> None:
    with serving(tmp_path, "") as (process, port), ExitStack() as open_ones:
        before = resident(process)
        for _ in range(3):
            idle(port, IDLE // 3, open_ones)
            for path, status in (("livez", 200), ("v1/models", 401)):
                assert httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=20).status_code == status
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < FILES
        assert resident(process) - before < 20 * 2**20
    assert process.returncode == 0


def test_a_service_that_has_no_file_left_goes_on_and_answers_when_some_are_free(tmp_path: Path) -> None:
    with serving(tmp_path, _NO_LIMIT) as (process, port), ExitStack() as open_ones:
        idle(port, IDLE, open_ones)
        answers(process, port)
        assert process.poll() is None
    assert process.returncode == 0
