"""The demo's own service: a process of its own, on databases of its own, that goes away with the demo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

from monitor.cli.failure import Failure
from monitor.cli.service import bind
from monitor.settings import CONFIG, Settings

START = 60.0        # seconds that it may take to be ready
STOP = 30.0

# What the demo decides by itself, or what is none of its service's business.
_OWN = ("DATA_DIR", "DATABASE_URL", "HOST", "PORT", "WORKER", "URL", "KEY")
_AGAIN = "Run 'vigil demo' again: it goes on, for what was sent before counts once"


class Child:
    """``vigil serve`` on ``folder``, its log lines in ``folder/service.log``. Use it as a context: leaving stops it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        with bind(settings.host, settings.port) as free:       # a taken port is said at once, and 0 finds a free one
            self.port = int(free.getsockname()[1])
        self.url = f"http://{settings.host}:{self.port}"
        self.log = folder / "service.log"
        env = {k: v for k, v in os.environ.items() if k != CONFIG and k.removeprefix("VIGIL_") not in _OWN}
        env |= {"VIGIL_DATA_DIR": str(folder.resolve()), "VIGIL_HOST": settings.host, "VIGIL_PORT": str(self.port)}
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops the service in order.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", "serve"], env=env, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_ready(self) -> None:
        """Until it answers; a ``Failure`` with the end of its log where it does not."""
        give_up = time.monotonic() + START
        # One client for all questions: to make one takes longer than to ask.
        with httpx.Client(base_url=self.url, timeout=2, trust_env=False) as client:
            while time.monotonic() < give_up:
                self.check()
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.1)
        raise Failure(f"the service is not ready after {START:.0f} s", f"{self.log} says why")

    def check(self) -> None:
        """Raise a ``Failure`` where it has ended by itself."""
        code = self.process.poll()
        if code is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise Failure(f"the service {how}", f"{self.log} says why. {_AGAIN}")

    def peak_bytes(self) -> int | None:
        """The largest resident memory so far of it and of its worker, with what they share in both; ``None`` where the
        system does not tell (it does on Linux)."""
        pid = self.process.pid
        try:
            started = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
            stati = [Path(f"/proc/{n}/status").read_text("utf-8") for n in (pid, *" ".join(started).split())]
        except OSError:
            return None
        found = [line.split()[1] for status in stati for line in status.splitlines() if line.startswith("VmHWM:")]
        return sum(map(int, found)) * 1024 if found else None

    def stop(self) -> None:
        """End it in order: what was answered with 202 is durable anyway."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
