"""Group commit: what many requests append at once shares one disk flush, and small requests share one segment."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog

from monitor.errors import NotDurable
from monitor.log.port import Segment
from monitor.log.sql import SqlLog

_MOST = 1024                # of what waits, in one commit
_MOST_BYTES = 8 * 2**20     # and its size, so that no commit takes long: one that is larger goes alone
_PAUSE = 0.002              # seconds in which those who were just answered may come again,
_PAUSES = 3                 # and how often they may, one after the other, as long as some do

logger = structlog.get_logger("vigil.log")


@dataclass(frozen=True, slots=True)
class Append:
    """A segment to be written, and whom to tell: ``written`` once it is durable (with ``None`` where its idempotency
    key was known), ``failed`` where it is not. Both are called on the writer's thread."""

    segment: Segment
    written: Callable[[Segment | None], None]
    failed: Callable[[Exception], None]


Gather: TypeAlias = Callable[[Sequence[Any]], Iterable[Append]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a commit: of a model, and of a size in bytes."""

    model: str
    size: int
    item: Any


class LogWriter(threading.Thread):
    """The only thread that appends to the data lane, so that ``seq`` follows the order of the commits.

    A commit takes what came while the last one was under way, in turn of each model, so that the flood of one does not
    keep another waiting. Where many wait at a time it pauses a moment for those who were just answered and send again:
    else they would form two groups by turns, and a commit costs about the same for one request as for all. Who comes
    alone is written at once.
    """

    def __init__(
        self,
        log: SqlLog,
        appended: Callable[[Sequence[Segment]], None],
        timing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        super().__init__(name="vigil-log", daemon=True)
        self.log = log
        self.appended = appended
        self.timing = timing
        self._queue: queue.SimpleQueue[tuple[Sequence[Waiting], Gather] | None] = queue.SimpleQueue()
        self._waiting: dict[str, deque[tuple[Waiting, Gather]]] = {}
        self._expected = 0      # as many as were there at the last commit, with those who came during it

    def submit(self, segment: Segment) -> Future[Segment | None]:
        """Append a segment. The future is done once it is durable; ``None`` says its idempotency key was known."""
        future: Future[Segment | None] = Future()
        self._queue.put(([Waiting(segment.model, len(segment.payload), (segment, future))], _whole))
        return future

    def submit_few(self, model: str, size: int, few: object, gather: Gather) -> None:
        """Append what is too small to be a segment alone: at the next commit ``gather`` makes segments of all that was
        submitted with it. It tells those who wait itself, and raises nothing. ``size`` in bytes."""
        self.submit_all([Waiting(model, size, few)], gather)

    def submit_all(self, few: Sequence[Waiting], gather: Gather) -> None:
        """The same for several that came at once."""
        self._queue.put((few, gather))

    def stop(self) -> None:
        """Write what was submitted, then end."""
        self._queue.put(None)
        self.join(timeout=60)

    def run(self) -> None:
        ending = False
        while not ending or self._waiting:
            ending |= self._receive(block=not self._waiting)
            ending = ending or self._pause()
            taken = self._take()
            try:
                self._write(taken)
            except Exception:       # a fault of Vigil's own: those behind must not wait for ever
                logger.exception("a commit of the log failed; going on with what came since")
            ending |= self._receive(block=False)
            self._expected = len(taken) + self._count()

    def _write(self, taken: Sequence[tuple[Waiting, Gather]]) -> None:
        appends: list[Append] = []
        for gather in dict.fromkeys(gather for _, gather in taken):
            appends += gather([waiting.item for waiting, its in taken if its == gather])
        if appends:
            self._append(appends)

    def _receive(self, block: bool) -> bool:
        """Sort what has come by model, waiting for the first where nothing is there; whether it was told to end."""
        while block or not self._queue.empty():
            new = self._queue.get()
            if new is None:
                return True
            for waiting in new[0]:
                self._waiting.setdefault(waiting.model, deque()).append((waiting, new[1]))
            block = False
        return False

    def _pause(self) -> bool:
        """Wait a little for as many as are expected, as long as some come; whether it was told to end."""
        came = self._count()
        for _ in range(_PAUSES):
            if came >= self._expected:
                break
            time.sleep(_PAUSE)
            ending, before = self._receive(block=False), came
            came = self._count()
            if ending or came == before:
                return ending
        return False

    def _count(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _take(self) -> list[tuple[Waiting, Gather]]:
        """One of each model in turn, until it is enough for a commit."""
        taken: list[tuple[Waiting, Gather]] = []
        size = 0
        while self._waiting and len(taken) < _MOST:
            model, waiting = next(iter(self._waiting.items()))
            if taken and size + waiting[0][0].size > _MOST_BYTES:
                break
            taken.append(waiting.popleft())
            size += taken[-1][0].size
            del self._waiting[model]
            if waiting:
                self._waiting[model] = waiting      # behind the others
        return taken

    def _append(self, appends: list[Append]) -> None:
        try:
            with self.timing():
                written = self.log.append([a.segment for a in appends])
        except Exception as error:      # whatever it is, those who wait are told, and the next batch is written
            if len(appends) > 1 and not isinstance(error, NotDurable):
                for one in appends:     # one of them cannot be written: that is no fault of its neighbours
                    self._append([one])
                return
            for append in appends:
                append.failed(error)
            return
        self.appended([segment for segment in written if segment is not None])
        for append, segment in zip(appends, written, strict=True):
            append.written(segment)


def _whole(items: Sequence[tuple[Segment, Future[Segment | None]]]) -> Iterable[Append]:
    # Whoever waited may have gone: then nothing is written for it, and its future takes no result.
    return [
        Append(segment, future.set_result, future.set_exception)
        for segment, future in items
        if future.set_running_or_notify_cancel()
    ]
