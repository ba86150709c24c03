"""The background thread: takes batches from the queue, sends them, and sends them again until they are answered."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from queue import Empty
from typing import Any
from urllib.parse import quote

import httpx

from vigil_client import answers
from vigil_client.answers import Answer
from vigil_client.batch import Batch, compressed, encode
from vigil_client.queue import Lane, Place, Queue
from vigil_client.warn import Warnings

_SHORTEST_WAIT, _LONGEST_WAIT = 0.2, 30.0
_HURRIED_WAIT = 0.25        # the longest, while somebody waits for a flush
_MOST_FAULTS = 5            # answers of status 500 to one batch
_WORK, _REST = 0.0002, 0.00005      # seconds of encoding before other threads are let in, and how long


@dataclass(frozen=True)
class Limits:
    """How much is sent how soon, and how long it is tried. Seconds, rows and bytes."""

    flush_every: float = 1.0
    batch_rows: int = 1_000
    batch_bytes: int = 4 * 2**20
    max_queue_rows: int = 50_000
    max_queue_bytes: int = 64 * 2**20
    give_up_after: float = 3_600.0
    exit_timeout: float = 5.0

    def queue(self) -> Queue:
        return Queue(self.max_queue_rows, self.max_queue_bytes, self.batch_rows, self.batch_bytes)


class Sender:
    """Owns the queue and the thread, which is started by the first row. ``connect`` makes an ``httpx.Client`` that
    knows the address and the key; ``envelopes`` says what stands beside a batch's columns, by kind.
    """

    def __init__(
        self,
        limits: Limits,
        connect: Callable[[], httpx.Client],
        envelopes: Mapping[str, Mapping[str, Any]],
        secret: str,
        compress: bool = False,
    ) -> None:
        self.limits, self._connect, self._envelopes, self._compress = limits, connect, envelopes, compress
        self._secret = secret
        self._at_exit = False
        self._retired = False
        self._inherited: list[object] = []
        # Made here, for the first one takes httpx tens of milliseconds of the interpreter's lock.
        self._http: httpx.Client | None = connect()
        self._begin()
        _SENDERS.add(self)

    def _begin(self) -> None:
        self.queue = self.limits.queue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._serving = threading.Lock()
        self._hurry = 0.0           # until then somebody waits for a flush
        self._warnings = Warnings()

    def after_fork(self) -> None:
        """A child starts with an empty queue: its parent sends what the parent logged. Connections are left alone,
        for closing them here could end the parent's."""
        self._inherited.append(self._http)
        self._http = None
        closed = self.queue.closed
        self._begin()
        if closed:
            self.queue.close()

    def ensure_thread(self) -> None:
        """Start the thread where none runs in this process."""
        if self._thread is not None or self._retired or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                self._close_at_exit()
                thread = threading.Thread(target=self._run, name="vigil_client", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:        # the interpreter ends, or the machine has no thread left; rows wait for ``flush``
            self.queue.note("no thread can be started")
        finally:
            self._starting.release()

    def _close_at_exit(self) -> None:
        if not self._at_exit:
            self._at_exit = True
            atexit.register(self._exit)
        processes = sys.modules.get("multiprocessing.process")
        if processes is not None and processes.parent_process() is not None:
            from multiprocessing.util import Finalize

            # Such a child ends without what atexit knows.
            Finalize(None, self._exit, exitpriority=100)

    def _exit(self) -> None:
        self.close(self.limits.exit_timeout)

    def retire(self) -> None:
        """Nobody can log any more: end when all is sent."""
        self.queue.close()
        self._retired = True
        self.queue.bell.put(None)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was logged before is settled, at most ``timeout`` seconds; whether it is."""
        targets = self.queue.targets()
        deadline = time.monotonic() + timeout
        self._hurry = max(self._hurry, deadline)
        self.queue.bell.put(None)
        while not self.queue.reached(targets):
            if time.monotonic() >= deadline:
                return False
            if self._thread is None or not self._thread.is_alive():
                self._round(deadline)       # no thread can be started while the interpreter ends
            time.sleep(0.005)
        return True

    def close(self, timeout: float) -> bool:
        """Take nothing in any more, flush, and drop what is left; whether nothing was. May be called again."""
        self.queue.close()
        whole = self.flush(timeout)
        self.queue.abandon()
        self._retired = True
        self.queue.bell.put(None)
        thread = self._thread
        if whole and thread is not None and thread is not threading.current_thread():
            thread.join(0.5)
        elif thread is None:
            self._end()
        self._warnings.tell(self.queue.stats(), time.monotonic(), at_last=True)
        return whole

    def _run(self) -> None:
        while True:
            wait = 0.1
            try:
                wait = self._round()
                self._warnings.tell(self.queue.stats(), time.monotonic())
            except Exception as error:      # a bug here must not end the thread, nor spin
                self.queue.note(f"the client's own error: {type(error).__name__}")
            if self._retired and self.queue.reached(self.queue.targets()):
                break
            with contextlib.suppress(Empty):
                self.queue.bell.get(timeout=wait)
                while True:
                    self.queue.bell.get_nowait()
        self._end()
        self._thread = None

    def _end(self) -> None:
        with self._serving:
            http, self._http = self._http, None
        if http is not None:
            http.close()
        if self._at_exit:
            self._at_exit = False
            atexit.unregister(self._exit)

    def _round(self, until: float | None = None) -> float:
        """Give each place its turn; the seconds until the next is due. ``until``: when requests must have ended."""
        with self._serving:
            waits = [self._serve(lane, until) for lane in self.queue.places()]
        return min(waits, default=self.limits.flush_every)

    def _serve(self, lane: Lane, until: float | None) -> float:
        now, limits = time.monotonic(), self.limits
        hurried = self._retired or now < self._hurry
        if not lane.pending:
            ripe = lane.since + limits.flush_every - now
            full = lane.rows >= limits.batch_rows or lane.size >= limits.batch_bytes
            if ripe > 0 and not full and not hurried:
                return ripe if lane.rows else limits.flush_every
            if self.queue.take(lane) is None:
                return limits.flush_every
        batch = self.queue.first_pending(lane)
        if batch is None:
            return limits.flush_every
        due = min(batch.due, batch.tried + _HURRIED_WAIT) if hurried and not batch.asked else batch.due
        if due > now:
            return min(due - now, limits.flush_every)
        self._attempt(lane, batch, until)
        return 0.0

    def _attempt(self, lane: Lane, batch: Batch, until: float | None) -> None:
        batch.tried = time.monotonic()
        batch.first = batch.first or batch.tried
        try:
            if batch.body is None:
                batch.body = self._encoded(lane.place, batch)
        except Exception as error:
            self.queue.note(f"a batch that cannot be encoded: {type(error).__name__}")
            self.queue.settle(lane, batch, dropped="unreadable")
            return
        batch.attempts += 1
        answer = self._post(lane.place, batch, until)
        if isinstance(answer, answers.Again):
            self._again(lane, batch, answer)
            return
        self._warnings.reached()
        for reason in answer.reasons:
            self.queue.note(reason)
        if isinstance(answer, answers.TooLarge):
            self.queue.split(lane, batch)
        else:
            self.queue.settle(lane, batch, batch.rows if isinstance(answer, answers.Refused) else answer.rejected)

    def _again(self, lane: Lane, batch: Batch, answer: answers.Again) -> None:
        now = time.monotonic()
        self.queue.retried(answer.reason)
        batch.faults += answer.fault
        if batch.faults >= _MOST_FAULTS or now - batch.first >= self.limits.give_up_after:
            self.queue.settle(lane, batch, dropped="gave_up")
            return
        batch.asked = answer.wait is not None
        if answer.wait is not None:
            wait = answer.wait * random.uniform(1.0, 1.1)       # not all clients at one instant
        else:
            wait = min(_LONGEST_WAIT, _SHORTEST_WAIT * 2 ** min(batch.attempts - 1, 10)) * random.uniform(0.5, 1.0)
        batch.due = now + wait
        self._warnings.unreached(answer.reason, batch.attempts)

    def _encoded(self, place: Place, batch: Batch) -> bytes:
        rested = time.perf_counter()

        def breathe() -> None:
            """Let other threads in: encoding holds the interpreter's lock, and a caller would wait 5 ms for it."""
            nonlocal rested
            if time.perf_counter() - rested > _WORK:
                time.sleep(_REST)
                rested = time.perf_counter()

        unreadable: list[str] = []
        body = encode(batch.items, self._envelopes[place[1]], breathe, unreadable)
        for reason in unreadable:
            self.queue.note(f"sent as missing: {reason}")
        return compressed(body) if self._compress else body

    def _post(self, place: Place, batch: Batch, until: float | None) -> Answer:
        model, kind = place
        headers = {"Content-Type": "application/json", "Idempotency-Key": batch.key}
        if self._compress:
            headers["Content-Encoding"] = "gzip"
        try:
            if self._http is None:
                self._http = self._connect()
            url = f"v1/models/{quote(model, safe='')}/{kind}"
            timeout: Any = self._http.timeout if until is None else max(until - time.monotonic(), 0.1)
            found = self._http.post(url, content=batch.body, headers=headers, timeout=timeout)
            now = datetime.now(timezone.utc)
            return answers.read(found.status_code, found.headers, found.content, batch.rows, now)
        except Exception as error:
            said = str(error).replace(self._secret, "***") if self._secret else str(error)
            return answers.Again(f"no answer: {type(error).__name__} {said}".rstrip())


_SENDERS: weakref.WeakSet[Sender] = weakref.WeakSet()


def _after_fork() -> None:
    for sender in list(_SENDERS):
        sender.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
