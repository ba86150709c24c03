"""The worker's thread, in whichever process: woken when something was logged, and by the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from monitor.database.lease import Lease
from monitor.worker.heartbeat import EVERY, Heart
from monitor.worker.housekeeping import Housekeeping
from monitor.worker.loop import Worker

AFTER_A_FAULT = 1.0      # seconds before what failed is tried again
STAND_BY = 1.0           # seconds between two looks whether the lease is free
FEW, GATHER = 10_000, 0.2     # rows of a round below which more are let come, for so many seconds: a step has its price

logger = structlog.get_logger("vigil.worker")


class WorkerThread(threading.Thread):
    """One step of each model in turn, so that the flood of one does not starve another, nor its fault stop it.

    APScheduler is the clock, and nothing else: one job asks each model whether time alone has closed a window, another
    does the housekeeping. They may come late or twice, for what they do is taken under the state's write lock and
    changes nothing that is done already.

    It works while it has the lease on the database: where another worker has it, this one stands by, and takes over
    when that one ends.
    """

    def __init__(
        self, worker: Worker, tick_seconds: float, heart: Heart, lease: Lease, house: Housekeeping | None = None
    ) -> None:
        super().__init__(name="vigil-worker", daemon=True)
        self.worker = worker
        self.tick_seconds = tick_seconds
        self.heart, self.lease = heart, lease
        self._clock = BackgroundScheduler(timezone=UTC)
        self._house = house
        for job in (self._tick, self._keep_house):
            self._clock.add_job(job, "interval", seconds=tick_seconds, coalesce=True, max_instances=1)
        self._holds = False
        self._wake = threading.Event()
        self._ending = threading.Event()

    @property
    def holds(self) -> bool:
        """Whether this worker is the one that works on the database."""
        return self._holds and self.is_alive()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Stop after the transaction under way; what is left is folded at the next start."""
        self._ending.set()
        self._wake.set()
        if self._house is not None:
            self._house.stop()
        self.join(timeout=60)

    def run(self) -> None:
        try:
            if self._leased():
                self._clock.start()
                self._work()
                self._clock.shutdown(wait=True)
        finally:
            self.lease.release()

    def _leased(self) -> bool:
        """Wait for the lease, or see that it is held still; false where this worker is told to end."""
        waited = False
        while not self._ending.is_set():
            self._holds = self._asked_for_lease()
            if self._holds:
                if waited:
                    logger.info("this worker took the database over")
                return True
            if not waited:
                logger.info("another worker has this database, or it does not answer; standing by")
            waited = True
            self._ending.wait(STAND_BY)
        return False

    def _asked_for_lease(self) -> bool:
        try:
            return self.lease.take()
        except Exception:
            logger.exception("the lease cannot be asked for; trying again")
            return False

    def _work(self) -> None:
        self.heart.beat()
        woken = False       # by something that was logged: else all models are looked at, whatever befell one of them
        while self._leased():
            taken, sound = self._of_each_model(self.worker.step, self.worker.waiting if woken else self._models)
            if sound:
                self.heart.went_round()
            self.heart.beat()
            if not taken and sound and self._of_each_model(self.worker.roll_up, self._models)[0]:
                continue                                     # a step at a time, and what was logged since comes first
            if not taken:
                woken = self._rest(self.tick_seconds if sound else AFTER_A_FAULT) and sound
            elif taken < FEW:
                self._ending.wait(GATHER)
                woken = sound
            self._wake.clear()

    def _rest(self, seconds: float) -> bool:
        """Wait to be woken, for so long at most, while the heart goes on beating. Whether it was woken."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._wake.wait(min(left, EVERY)):
                return True
            self.heart.beat()
        return False

    def _models(self) -> list[str]:
        return self.worker.log.models()

    def _tick(self) -> None:
        if self._holds:
            self._of_each_model(self.worker.tick, self._models)

    def _keep_house(self) -> None:
        if self._holds and self._house is not None:
            self._house()

    def _of_each_model(self, act: Callable[[str], int], which: Callable[[], list[str]]) -> tuple[int, bool]:
        """Act on every model, whatever befalls one of them: what was done in all, and whether nothing failed.

        What a fault left uncommitted is taken again in the next round.
        """
        done, sound = 0, True
        try:
            names = which()
        except Exception:
            logger.exception("the log cannot be read; trying again")
            return 0, False
        for name in names:
            if self._ending.is_set():
                break
            try:
                done += act(name)
            except Exception:
                logger.exception("a model cannot be folded or judged; trying again", model=name)
                sound = False
        return done, sound
