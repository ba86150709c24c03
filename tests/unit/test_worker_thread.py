"""The worker's thread: fair to every model, alive whatever befalls one of them, and never deaf to the clock."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.worker import thread
from monitor.worker.thread import WorkerThread


class Models:
    """A worker of two models: ``busy`` always has rows, ``broken`` always fails when it may."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.log: Any = self
        self.steps: Counter[str] = Counter()
        self.ticks: Counter[str] = Counter()
        self.breaks = breaks

    def models(self) -> list[str]:
        return ["broken", "busy"]

    def waiting(self) -> list[str]:
        return self.models()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def step(self, name: str) -> int:
        self.steps[name] += 1
        time.sleep(0.001)
        if name == "broken" and self.breaks:
            raise ValueError("it cannot be folded")
        return 1 if name == "busy" else 0

    def roll_up(self, name: str) -> int:
        return 0            # asked of an idle worker, as it is when it is told to end in mid-round

    def tick(self, name: str) -> bool:
        self.ticks[name] += 1
        return False


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Models], WorkerThread]]:
    monkeypatch.setattr(thread, "GATHER", 0.001)
    running: list[WorkerThread] = []

    def start(models: Models) -> WorkerThread:
        one = WorkerThread(models, 0.05)  # type: ignore[arg-type]  # what a thread asks of a worker
        one.start()
        running.append(one)
        return one

    yield start
    for one in running:
        one.stop()
        assert not one.is_alive()


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_flood_of_one_model_starves_neither_the_others_nor_the_clock(
    started: Callable[[Models], WorkerThread],
) -> None:
    models = Models()
    thread = started(models)
    until(lambda: models.steps["busy"] > 50 and models.ticks["broken"] > 1 and models.ticks["busy"] > 1)
    assert abs(models.steps["busy"] - models.steps["broken"]) <= 1
    assert thread.last_round is not None


def test_a_model_that_fails_stops_no_other_and_shows(started: Callable[[Models], WorkerThread]) -> None:
    models = Models(breaks=True)
    thread = started(models)
    until(lambda: models.steps["busy"] > 20)
    assert models.steps["broken"] > 10
    assert thread.last_round is None, "a round with a fault is no proof of health"
