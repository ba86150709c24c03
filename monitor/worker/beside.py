"""The worker as a process beside the service: two processes use two cores, where threads of one share a lock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from monitor.settings import CONFIG, PREFIX, Settings

AGAIN = 1.0             # seconds before a worker that ended is started again
LASTING = 10.0          # seconds that one has lived after which it is no longer one that just ended
MISSED = 15.0           # seconds without one that lasts, after which the service says that it is not well
STOPPING = 60.0         # seconds that it may take to end in order
GATHER = 0.01           # seconds in which what wakes it again has woken it already

logger = structlog.get_logger("vigil")


class WorkerBeside(threading.Thread):
    """Runs ``vigil worker`` as a process, wakes it, and starts it again if it ends.

    It holds the other end of a pipe. A byte through it is a call that something was logged; its end is the end of this
    process, however that came, and the worker then ends in order.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="vigil-worker-beside", daemon=True)
        self._settings = settings
        self._ending = threading.Event()
        self._lock = threading.Lock()       # of what follows, which other threads read
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        self._missing_since: float | None = None

    def run(self) -> None:
        while (process := self._begin()) is not None:
            code = process.wait()
            with self._lock:
                self._missing_since = self._missing_since or time.monotonic()
            if not self._ending.is_set():
                logger.error("the worker ended, and is started again", code=code)
                self._ending.wait(AGAIN)

    def wake(self) -> None:
        """Tell the worker that something was logged. It never waits: a full pipe has told it already."""
        with self._lock, suppress(BlockingIOError, BrokenPipeError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                os.write(self._process.stdin.fileno(), b".")

    def missing(self) -> float:
        """Seconds since the worker ended, where none has lasted since; 0 where it runs."""
        with self._lock:
            now = time.monotonic()
            lives = self._process is not None and self._process.poll() is None
            if lives and now - self._begun >= LASTING:
                self._missing_since = None
            return 0.0 if self._missing_since is None else now - self._missing_since

    def stop(self) -> None:
        """End the worker in order: after the transaction under way."""
        self._ending.set()
        with self._lock:
            self._close()
        self.join(timeout=STOPPING)

    def _begin(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            self._close()       # of the one that ended
            if self._ending.is_set():
                return None
            command = [sys.executable, "-m", "monitor.cli", "worker", "--beside"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=_environment(self._settings))
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
            self._begun = time.monotonic()
            return self._process

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the settings that it runs with, wherever these came from."""
    others = {k: v for k, v in os.environ.items() if k != CONFIG and not k.startswith(PREFIX)}
    return others | settings.environment()


def heed(pipe: int, wake: Callable[[], None], stop: threading.Event) -> None:
    """In the worker: wake it at each call through the pipe, and set ``stop`` once the pipe has ended."""

    def listen() -> None:
        while os.read(pipe, 65_536):
            wake()
            time.sleep(GATHER)
        stop.set()

    threading.Thread(target=listen, name="vigil-beside", daemon=True).start()
