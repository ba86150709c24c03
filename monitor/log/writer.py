"""Group commit: what many requests append at once shares one disk flush."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext

from monitor.errors import NotDurable
from monitor.log.port import Segment
from monitor.log.sql import SqlLog

_MOST = 256      # segments in one commit


class LogWriter(threading.Thread):
    """The only thread that appends to the data lane, so that ``seq`` follows the order of the commits."""

    def __init__(
        self,
        log: SqlLog,
        appended: Callable[[], None],
        timing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(name="vigil-log", daemon=True)
        self.log = log
        self.appended = appended
        self.timing = timing
        self._queue: queue.SimpleQueue[tuple[Segment, Future[Segment | None]] | None] = queue.SimpleQueue()

    def submit(self, segment: Segment) -> Future[Segment | None]:
        """Append a segment. The future is done once it is durable; ``None`` says its idempotency key was known."""
        future: Future[Segment | None] = Future()
        self._queue.put((segment, future))
        return future

    def stop(self) -> None:
        """Write what was submitted, then end."""
        self._queue.put(None)
        self.join(timeout=60)

    def run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < _MOST and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    self._queue.put(None)
                    break
                batch.append(more)
            self._write(batch)

    def _write(self, batch: list[tuple[Segment, Future[Segment | None]]]) -> None:
        # Whoever waited may have gone: then nothing is written for it, and its future takes no result.
        batch = [(segment, future) for segment, future in batch if future.set_running_or_notify_cancel()]
        if batch:
            self._append(batch)

    def _append(self, batch: list[tuple[Segment, Future[Segment | None]]]) -> None:
        try:
            with self.timing():
                written = self.log.append([segment for segment, _ in batch])
        except Exception as error:      # whatever it is, those who wait are told, and the next batch is written
            if len(batch) > 1 and not isinstance(error, NotDurable):
                for one in batch:       # one of them cannot be written: that is no fault of its neighbours
                    self._append([one])
                return
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), segment in zip(batch, written, strict=True):
            future.set_result(segment)
        self.appended()
