"""The memory of a process and its children at its largest, with each page that they share counted once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

EVERY = 0.1     # seconds between two looks: what lives shorter may be missed


class Peak:
    """Looks now and again at the sum of the proportional set sizes (PSS of ``/proc/PID/smaps_rollup``) while it is
    entered. A peak of resident sizes would count the pages of libraries once a process."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most = pid, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def mb(self) -> int:
        """The largest sum seen, in MiB."""
        return self._most // 1024

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._most = max(self._most, sum(map(_pss, (self._pid, *children(self._pid)))))
            self._ended.wait(EVERY)


def children(pid: int) -> list[int]:
    """The processes that a process started, whichever of its threads it was."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:         # a thread that has ended since
            continue
    return found


def _pss(pid: int) -> int:
    """In KiB; 0 of a process that has ended."""
    try:
        said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in said.splitlines() if line.startswith("Pss:")), 0)
