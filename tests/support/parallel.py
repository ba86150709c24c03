"""Several workers on one database at once, each a process of its own, without the lease that a service asks for."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Barrier

from monitor.app import App
from monitor.settings import Settings
from monitor.worker import loop


def fold_together(settings: Settings, names: list[str], workers: int, rows: int) -> list[int | None]:
    """Fold all that waits, each worker from another model on, in steps of so many rows; their exit codes."""
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(workers)
    turns = [names[i % len(names) :] + names[: i % len(names)] for i in range(workers)]
    processes = [context.Process(target=_work, args=(settings, turn, rows, begin)) for turn in turns]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    return [process.exitcode for process in processes]


def _work(settings: Settings, names: list[str], rows: int, begin: Barrier) -> None:
    loop.ROWS_A_COMMIT = rows
    vigil = App(settings)
    begin.wait(timeout=60)
    while waiting := set(vigil.worker.waiting()):
        for name in names:
            if name in waiting:
                vigil.worker.step(name)
    vigil.stop()
