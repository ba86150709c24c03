"""A service as processes of its own, which a test can kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
from databases import Deployment


class Service:
    """The service as a process of its own, which can be killed without notice and started again; with ``apart``, the
    worker is another one."""

    def __init__(self, deployment: Deployment, *, apart: bool = False) -> None:
        self.deployment, self.folder, self.apart = deployment, deployment.folder, apart
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "uvicorn", "api.server:create", "--factory", "--port", str(self.port)]
        self.process = self._run([*command, "--log-level", "warning"])
        self.wait()

    def start_worker(self) -> None:
        self.worker = self._run([sys.executable, "-m", "monitor.cli", "worker"])

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        with httpx.Client() as client:      # one, since a client reads all certificates when it is made
            while time.monotonic() < deadline:
                try:
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.05)
        raise AssertionError(self.said())

    def stop(self, how: signal.Signals) -> None:
        _stop(self.process, how)

    def stop_worker(self, how: signal.Signals) -> None:
        _stop(self.worker, how)

    def said(self) -> str:
        """The end of what the processes wrote."""
        return (self.folder / "service.log").read_text()[-3000:]

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        where = {"VIGIL_DATA_DIR": str(self.folder), "VIGIL_DATABASE_URL": self.deployment.database_url}
        env = {**os.environ, **where, "VIGIL_WORKER": "none" if self.apart else "embedded"}
        with (self.folder / "service.log").open("ab") as log:
            return subprocess.Popen(command, env=env, stdout=log, stderr=log)


def _stop(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    assert process is not None, "it was started"
    process.send_signal(how)
    process.wait(timeout=60)
