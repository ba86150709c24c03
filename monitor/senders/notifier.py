"""The notifier: threads beside the worker that take notices over into the log and send what is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from incidents.delivery import DropReason
from incidents.notices import Notice
from incidents.routing import Route
from monitor.database import writing
from monitor.errors import InvalidSettings, VigilError
from monitor.log import notifications
from monitor.log.notifications import Queued
from monitor.senders.channels.base import Channel, Extra, Result
from monitor.senders.heartbeat import Heartbeat
from monitor.senders.queue import Queue
from monitor.senders.relay import Relay, RoutesOf
from monitor.times import to_micros

EVERY = 1.0             # seconds between two looks for what is new or due
ROUND_EVERY = 10.0      # seconds between two words that all is well
SENDERS = 8             # attempts under way at a time
TIMEOUT = 15.0          # seconds that an attempt may take: less than the lease of its row
STOPPING = 20.0         # seconds that attempts under way may take once it is told to stop

logger = structlog.get_logger("vigil.notifier")


class Open(Protocol):
    """Opens the channel of a route. ``InvalidSettings`` where what it needs is not there."""

    def __call__(self, route: Route) -> Channel: ...


ExtraOf = Callable[[Notice, Route], Extra]


class Notifier:
    """``routes``: of a model. ``extra``: what goes with a notice on a route. ``holds``: whether this process is the one
    that works. ``heartbeat``: what tells an address outside that all goes on.

    Relay and delivery are two threads, for the relay waits for the state's write lock, which a long fold holds, and
    what is queued is to be sent meanwhile.
    """

    def __init__(
        self,
        relay: Relay,
        queue: Queue,
        routes: RoutesOf,
        open_: Open,
        extra: ExtraOf,
        holds: Callable[[], bool],
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self.relay, self.queue, self.routes, self.open, self.extra = relay, queue, routes, open_, extra
        self._holds, self._heartbeat = holds, heartbeat
        self._say_at: dict[str, float] = {}
        self._ending = threading.Event()
        self._stirred = threading.Event()       # something was queued, or a sender is free again
        self._free = threading.Semaphore(SENDERS)
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="vigil-sender")
        self._threads = [
            threading.Thread(target=self._relay, name="vigil-relay", daemon=True),
            threading.Thread(target=self._deliver, name="vigil-delivery", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        if self._heartbeat is not None:
            self._heartbeat.start()

    def is_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop after the attempts under way; what is left is sent after the next start."""
        self._ending.set()
        self._stirred.set()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        for thread in self._threads:
            thread.join(timeout=STOPPING)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _relay(self) -> None:
        while not self._ending.is_set():
            if self._went_round("relay", self.relay.run):
                self._stirred.set()
            self._ending.wait(EVERY)

    def _deliver(self) -> None:
        while not self._ending.is_set():
            self._stirred.clear()
            if not self._went_round("delivery", self.send_due):
                self._stirred.wait(EVERY)

    def _went_round(self, part: str, act: Callable[[], int]) -> int:
        """Act, whatever befalls: what was left undone is done in the next round. What was done."""
        if not self._holds():
            return 0
        try:
            done = act()
            if time.monotonic() >= self._say_at.get(part, 0.0):
                self._say_at[part] = time.monotonic() + ROUND_EVERY
                with writing(self.queue.log) as db:
                    notifications.went_round(db, part, to_micros(self.queue.now()))
        except Exception as error:
            logger.warning("notifications wait; trying again", part=part, why=_why(error))
            return 0
        return done

    def send_due(self) -> int:
        """Hand what is due to free senders; how many rows that were."""
        free = 0
        while free < SENDERS and self._free.acquire(blocking=False):
            free += 1
        taken: list[Queued] = []
        try:
            taken = self.queue.take(free) if free else []
        finally:
            for _ in range(free - len(taken)):
                self._free.release()
        for row in taken:
            self._pool.submit(self._send, row)
        return len(taken)

    def _send(self, row: Queued) -> None:
        try:
            self.attempt(row)
        except Exception as error:      # its lease ends, and it is tried again
            logger.warning("an attempt could not be recorded", notification=row.id, why=_why(error))
        finally:
            self._free.release()
            self._stirred.set()

    def attempt(self, row: Queued) -> None:
        """One attempt to send a row that was taken: recorded, made, and its end recorded."""
        route = next((r for r in self.routes(row.model) if r.name == row.channel), None)
        if route is None:
            self.queue.drop(row, DropReason.NO_SUCH_CHANNEL)
            return
        try:
            channel = self.open(route)
        except InvalidSettings as error:
            self._fail(row, Result(False, True, detail=error.detail))
            return
        try:
            payload = row.payload
            if payload is None:
                payload = channel.body(row.notice, self.extra(row.notice, route))
        except Exception as error:
            self._fail(row, Result(False, True, detail=f"it could not be written down: {_why(error)}"))
            return
        if not payload:
            self.queue.drop(row, DropReason.NOTHING_TO_SAY)
            return
        number = self.queue.begin(row, payload)
        if number is not None:
            self.queue.end(row, number, channel.send(row.id, payload, TIMEOUT))

    def _fail(self, row: Queued, result: Result) -> None:
        number = self.queue.begin(row, None)
        if number is not None:
            self.queue.end(row, number, result)


def _why(error: Exception) -> str:
    """What befell, without the values of a row or an address, which an error of a library may repeat."""
    return error.detail if isinstance(error, VigilError) else type(error).__name__
