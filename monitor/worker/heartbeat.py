"""The worker's heartbeat: what it says of itself, written to the state for those who ask from other processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import structlog
from sqlalchemy import Engine

from monitor.clock import Now
from monitor.database import writing
from monitor.store import heartbeats
from monitor.store.heartbeats import Durations
from monitor.times import to_micros

EVERY = 1.0             # seconds between two words, of a worker that is idle too
FOLD_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

logger = structlog.get_logger("vigil.worker")


class Heart:
    """Gathers what a worker says of itself. It is written between two rounds, by the thread that folds: another would
    wait for the write lock as long as there is something to fold."""

    def __init__(self, state: Engine, now: Now) -> None:
        self._state, self._now = state, now
        self._worker, self._started = uuid4().hex, to_micros(now())
        self._folds = Durations(FOLD_BOUNDS)
        self._last_round: int | None = None
        self._next = 0.0

    @contextmanager
    def fold(self) -> Iterator[None]:
        """Around the fold of one group of batches: its time is counted, whatever becomes of it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._folds.observe(time.perf_counter() - began)

    def went_round(self) -> None:
        """All models were looked at, and nothing failed."""
        self._last_round = to_micros(self._now())

    def beat(self) -> None:
        """Write it, if that is due. Where it cannot be written the row grows old, which says enough: no fault."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        try:
            self.write()
        except Exception as error:
            logger.warning("the worker's heartbeat cannot be written; trying again", why=type(error).__name__)

    def write(self) -> None:
        """Write it at once. ``NotDurable`` where the state cannot be written."""
        beat = heartbeats.Heartbeat(
            self._worker, self._started, to_micros(self._now()), self._last_round, self._folds.cumulative(),
            self._folds.sum,
        )  # fmt: skip
        with writing(self._state) as db:
            heartbeats.save(db, beat)
