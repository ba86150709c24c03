"""The worker as a process beside the service: two processes use two cores, where threads of one share a lock."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import structlog

AGAIN = 1.0             # seconds before a worker that ended is started again
STOPPING = 60.0         # seconds that it may take to end in order

logger = structlog.get_logger("vigil")


@contextmanager
def worker_beside() -> Iterator[None]:
    """Run ``vigil worker`` beside what is done within, and start it again if it ends.

    It holds the other end of a pipe: when this process ends, however that is, the pipe does, and so does the worker.
    """
    keeper = _Keeper()
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


def ended(pipe: BinaryIO, stop: threading.Event) -> None:
    """Set ``stop`` once the service that holds the other end of a pipe has ended."""

    def wait() -> None:
        pipe.read()
        stop.set()

    threading.Thread(target=wait, name="vigil-beside", daemon=True).start()


class _Keeper(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="vigil-worker-beside", daemon=True)
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while not self._ending.is_set():
            command = [sys.executable, "-m", "monitor.cli", "worker", "--beside"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
            code = self._process.wait()
            if not self._ending.is_set():
                logger.error("the worker ended, and is started again", code=code)
                self._ending.wait(AGAIN)

    def stop(self) -> None:
        self._ending.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self.join(timeout=STOPPING)
