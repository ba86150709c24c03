"""The worker beside the service in one process: woken when something was logged, and by the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from monitor.worker.housekeeping import Housekeeping
from monitor.worker.loop import Worker

AFTER_A_FAULT = 1.0      # seconds before what failed is tried again
FEW, GATHER = 1_000, 0.2     # rows of a round below which more are let come, for so many seconds: a step has its price

logger = structlog.get_logger("vigil.worker")


class WorkerThread(threading.Thread):
    """One step of each model in turn, so that the flood of one does not starve another, nor its fault stop it.

    APScheduler is the clock, and nothing else: one job asks each model whether time alone has closed a window, another
    does the housekeeping. They may come late or twice, for what they do is taken under the state's write lock and
    changes nothing that is done already.
    """

    def __init__(self, worker: Worker, tick_seconds: float, house: Housekeeping | None = None) -> None:
        super().__init__(name="vigil-worker", daemon=True)
        self.worker = worker
        self.tick_seconds = tick_seconds
        self.last_round: datetime | None = None      # without a fault: what shows that the worker is alive
        self._clock = BackgroundScheduler(timezone=UTC)
        self._clock.add_job(self._tick, "interval", seconds=tick_seconds, coalesce=True, max_instances=1)
        self._house = house
        if house is not None:
            self._clock.add_job(house, "interval", seconds=tick_seconds, coalesce=True, max_instances=1)
        self._wake = threading.Event()
        self._ending = threading.Event()

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
        self._clock.start()
        woken = False       # by something that was logged: else all models are looked at, whatever befell one of them
        while not self._ending.is_set():
            taken, sound = self._of_each_model(self.worker.step, self.worker.waiting if woken else self._models)
            if sound:
                self.last_round = self.worker.now()
            if not taken and sound and self._of_each_model(self.worker.roll_up, self._models)[0]:
                continue                                     # a step at a time, and what was logged since comes first
            if not taken:
                woken = self._wake.wait(self.tick_seconds if sound else AFTER_A_FAULT) and sound
            elif taken < FEW:
                self._ending.wait(GATHER)
                woken = sound
            self._wake.clear()
        self._clock.shutdown(wait=True)

    def _models(self) -> list[str]:
        return self.worker.log.models()

    def _tick(self) -> None:
        self._of_each_model(self.worker.tick, self._models)

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
