"""Law 6: killed at random instants, Vigil loses nothing that it acknowledged and counts nothing twice."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import census
import httpx
import pytest
from inprocess import declare, fold, open_vigil, take
from state import EXACT, contents, differing

from monitor.app import App
from monitor.settings import Settings

ROWS = slice(131_000, 137_000)
BATCH = 100


class Service:
    """The service as a process of its own, which can be killed without notice and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "uvicorn", "api.server:create", "--factory", "--port", str(self.port)]
        env = {**os.environ, "VIGIL_DATA_DIR": str(self.folder)}
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen([*command, "--log-level", "warning"], env=env, stdout=log, stderr=log)
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError((self.folder / "service.log").read_text()[-2000:])

    def stop(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(timeout=60)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    running.start()
    yield running
    running.stop(signal.SIGTERM)


class Sender(threading.Thread):
    """A model service: sends every batch until it is acknowledged, whatever happens on the way."""

    def __init__(self, service: Service, key: str, posts: list[census.Post]) -> None:
        super().__init__(daemon=True)
        self.service, self.key, self.posts = service, key, posts
        self.done = threading.Event()
        self.enough = threading.Event()
        self.wrong: list[str] = []

    def run(self) -> None:
        for kind, body in self.posts:
            self._send(kind, body)
        self.done.set()
        while not self.enough.is_set():         # kills are still to come: send it all again, as duplicates
            for kind, body in self.posts:
                if self.enough.is_set():
                    return
                self._send(kind, body)

    def _send(self, kind: str, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": census.ARROW}
        url = f"{self.service.url}/v1/models/{census.MODEL}/{kind}?clock=event"
        while True:
            try:
                answer = httpx.post(url, content=body, headers=headers, timeout=30)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 202:
                return
            if answer.status_code not in (429, 503):
                self.wrong.append(answer.text)
                return
            time.sleep(0.1)


@pytest.mark.faults
@pytest.mark.timeout(3_000)
def test_a_kill_at_a_random_instant_loses_and_doubles_nothing(
    tmp_path: Path, service: Service, fault_runs: int
) -> None:
    admin = App(Settings(data_dir=tmp_path, worker="none"))
    key = admin.keys.create("sender", "machine", frozenset({"ingest", "read", "admin"}))
    headers = {"Authorization": f"Bearer {key}"}
    declared = httpx.put(
        f"{service.url}/v1/models/{census.MODEL}",
        content=census.declaration(),
        headers={**headers, "Content-Type": "application/yaml"},
    )
    assert declared.status_code == 201, declared.text
    posts = [census.reference(), *census.arrivals(ROWS, BATCH)]
    sender = Sender(service, key, posts)
    sender.start()
    chance = random.Random(20261124)
    for _ in range(fault_runs):
        time.sleep(chance.uniform(0.05, 1.0))
        service.stop(signal.SIGKILL)
        service.start()
    sender.done.wait(timeout=600)
    sender.enough.set()
    sender.join(timeout=60)
    assert sender.wrong == []
    _wait_until_folded(service, headers)
    status = httpx.get(f"{service.url}/v1/models/{census.MODEL}", headers=headers).json()
    n = ROWS.stop - ROWS.start
    counts = {k: status["counts"].get(k, 0) for k in ("predictions", "outcomes", "joined", "orphans", "conflicts")}
    assert counts == {"predictions": n, "outcomes": n, "joined": n, "orphans": 0, "conflicts": 0}
    undisturbed = _undisturbed(tmp_path / "undisturbed", posts)
    assert differing(contents(admin.state, EXACT), undisturbed) == {}
    admin.stop()


def _wait_until_folded(service: Service, headers: dict[str, str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        status = httpx.get(f"{service.url}/v1/models/{census.MODEL}", headers=headers).json()
        if not status["rows_to_fold"]:
            return
        time.sleep(0.2)
    raise AssertionError(f"not folded in time: {status}")


def _undisturbed(folder: Path, posts: list[census.Post]) -> dict[str, list[str]]:
    """The same stream, taken once and never interrupted."""
    vigil = open_vigil(folder)
    declare(vigil, census.declaration())
    take(vigil, census.MODEL, posts)
    fold(vigil, census.MODEL)
    found = contents(vigil.state, EXACT)
    vigil.stop()
    return found
