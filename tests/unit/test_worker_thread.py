"""The worker's thread: fair to every model, alive whatever befalls one of them, and never deaf to the clock."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.worker import thread
from monitor.worker.thread import WorkerThread


class Beats:
    """What a thread asks of its heart."""

    rounds = 0

    def went_round(self) -> None:
        self.rounds += 1

    def beat(self) -> None:
        pass


class Held:
    """A lease that is free when it is told to be."""

    def __init__(self, *, free: bool = True) -> None:
        self.free, self.asked = free, 0

    def take(self) -> bool:
        self.asked += 1
        return self.free

    def release(self) -> None:
        self.asked = 0


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
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerThread]]:
    monkeypatch.setattr(thread, "GATHER", 0.001)
    monkeypatch.setattr(thread, "STAND_BY", 0.001)
    running: list[WorkerThread] = []

    def start(models: Any, lease: Any = None) -> WorkerThread:
        beats: Any = Beats()
        one = WorkerThread(models, 0.05, beats, lease or Held())
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
    started: Callable[..., WorkerThread],
) -> None:
    models = Models()
    thread = started(models)
    until(lambda: models.steps["busy"] > 50 and models.ticks["broken"] > 1 and models.ticks["busy"] > 1)
    assert abs(models.steps["busy"] - models.steps["broken"]) <= 1
    assert thread.heart.rounds > 0  # type: ignore[attr-defined]


def test_a_model_that_fails_stops_no_other_and_shows(started: Callable[..., WorkerThread]) -> None:
    models = Models(breaks=True)
    thread = started(models)
    until(lambda: models.steps["busy"] > 20)
    assert models.steps["broken"] > 10
    assert thread.heart.rounds == 0, "a round with a fault is no proof of health"  # type: ignore[attr-defined]


def test_it_stands_by_while_another_has_the_lease_and_takes_over_when_that_is_free(
    started: Callable[..., WorkerThread],
) -> None:
    models, lease = Models(), Held(free=False)
    running = started(models, lease)
    until(lambda: lease.asked > 5)
    assert not models.steps
    assert not models.ticks
    lease.free = True
    until(lambda: models.steps["busy"] > 5 and models.ticks["busy"] > 0)
    lease.free = False          # as when the server of the database has cut its session off
    asked = lease.asked
    until(lambda: lease.asked > asked + 5)
    steps = models.steps["busy"]
    until(lambda: lease.asked > asked + 50)
    assert models.steps["busy"] == steps
    running.stop()
    assert lease.asked == 0, "it was not released"


def test_one_that_stands_by_can_be_stopped(started: Callable[..., WorkerThread]) -> None:
    running = started(Models(), Held(free=False))
    running.stop()
    assert not running.is_alive()
