"""A report of 90 days from stored summaries: drift, quality, performance and fairness of 25 features and a score.

The state is a SQLite file as the service writes it, with one summary an hour; days and blocks of days are rolled up as
the worker does it. The rows behind an hour come from ``bench.workload``, a day of them for all days.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Engine, func, select

from bench import workload
from bench.fold import SCORES, Rows, rows_of
from detectors.reference import Reference
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary
from monitor import queries
from monitor.database import open_database, reading, writing
from monitor.fold.strata import Stratum
from monitor.model import ModelSpec
from monitor.model.declaration import ProtectedAttribute
from monitor.store import models, rollups, summaries, tables
from monitor.store.models import ModelState

DAYS, HOURS, RUNS = 90, 24, 5
HOUR = 3_600_000_000
START = 20_454 * rollups.DAY                    # 2026-01-01
SPEC = ModelSpec("bench", "binary_classification", favourable="1",
                 protected_attributes={"group": ProtectedAttribute()})  # fmt: skip
SIZES = (1_000_000, 100_000_000)


def report() -> dict[str, Any]:
    """The whole report with 1 M rows behind it, and where its time goes."""
    with tempfile.TemporaryDirectory() as folder:
        state = _State(Path(folder), SIZES[0])
        with_rollups = state.seconds()
        state.drop_rollups()
        line = _line(SIZES[0], with_rollups)
        return {**line, "seconds_from_hours": round(statistics.median(state.seconds()), 5), **state.sizes()}


def report_scaling() -> list[dict[str, Any]]:
    """The same with 1 M and with 100 M rows behind it: ``ratio`` is that of the two, whose runs alternate."""
    with tempfile.TemporaryDirectory() as folder:
        states = [_State(Path(folder), n) for n in SIZES]
        seconds = [[s for part in runs for s in part] for runs in zip(
            *([state.seconds(1) for state in states] for _ in range(3 * RUNS)), strict=True)]  # fmt: skip
        small, large = (statistics.median(s) for s in seconds)
        lines = [{**_line(n, s), **state.sizes()} for n, s, state in zip(SIZES, seconds, states, strict=True)]
        return [lines[0], {**lines[1], "ratio": round(large / small, 3), "limit": "within 1.2 times the first"}]


def _line(n: int, seconds: list[float]) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {
        "rows": n,
        "seconds": round(median, 5),
        "fastest": round(min(seconds), 5),
        "rate": round(1 / median, 1),
        "unit": "reports/s",
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "limit": "its cost is that of the cells and of the roll-ups read, whatever the number of rows",
        "runs": len(seconds),
    }


class _State:
    """A model with 90 days of hourly summaries of ``n`` rows in a file, and its report."""

    def __init__(self, folder: Path, n: int) -> None:
        self.n, self.file = n, folder / f"state-{n}.db"
        self.engine: Engine = open_database(f"sqlite:///{self.file}", durable=False)
        tables.metadata.create_all(self.engine)
        reference = _reference()
        with writing(self.engine) as db:
            self.model: ModelState = models.create(db, "bench", 1)
            self.model.reference = reference.to_bytes()
            self.model.clock = START + DAYS * rollups.DAY
            _fill(db, reference.space, n)
            while rollups.refresh(db, 1, self.model.clock, 100) == 100:
                pass
        with self.engine.connect() as db:
            db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        watch = queries.watch_of(SPEC, self.model)
        assert watch is not None
        self.watch = watch
        assert self._ask()["points"]

    def _ask(self) -> dict[str, Any]:
        with reading(self.engine) as db:
            return queries.report(db, self.model, self.watch, START, START + DAYS * rollups.DAY, None, None)

    def seconds(self, runs: int = RUNS) -> list[float]:
        found = []
        for _ in range(runs):
            began = time.perf_counter()
            self._ask()
            found.append(time.perf_counter() - began)
        return found

    def drop_rollups(self) -> None:
        with writing(self.engine) as db:
            rollups.forget(db, 1)

    def sizes(self) -> dict[str, Any]:
        """The state's megabytes on disk, and the bytes of a feature's bucket of an hour."""
        with self.engine.connect() as db:
            c = tables.summaries.c
            data = db.execute(select(func.length(c.data)).where(c.kind == "predictions")).scalars().all()
        columns = len(self.watch.reference.space.columns)
        return {"state_mb": round(self.file.stat().st_size / 2**20, 1),
                "bytes_a_feature_hour": round(statistics.mean(data) / columns)}  # fmt: skip


def _space(rows: Rows) -> Space:
    columns = [Column("feature", name, NumericGrid.fit(rows[name])) for name in workload.NUMERIC]
    words = {name: tuple(sorted(rows[name].unique().to_pylist())) for name in workload.CATEGORICAL}
    columns += [Column("feature", name, CategoryGrid(words[name])) for name in workload.CATEGORICAL]
    axes = (ALL, Axis("attribute", "group", CategoryGrid(workload.GROUPS)))
    return Space("binary_classification", (*columns, Column("output", "score", SCORES)), axes)


def _reference() -> Reference:
    rows = rows_of(100_000, 42)
    space = _space(rows)
    blocks = [_fold(space, rows, at) for at in np.array_split(np.arange(100_000), 64)]
    outcomes = Summary.merge([o for _, o in blocks], space.outcome_sums.size)
    return Reference.build("reference", space, [p for p, _ in blocks], outcomes)


def _fold(space: Space, rows: Rows, at: np.ndarray) -> tuple[Summary, Summary]:
    """The summaries of some rows: of their predictions, and of their outcomes."""
    taken = {name: v.take(pa.array(at)) if isinstance(v, pa.Array) else v[at] for name, v in rows.items()}
    cells = [c.grid.cells_in(taken[c.name]) if isinstance(c.grid, CategoryGrid) else c.grid.cells(taken[c.name])
             for c in space.columns]  # fmt: skip
    groups = [np.ones(len(at), np.int64), space.axes[1].grid.cells_in(taken["group"])]
    decisions, labels, scores = taken["prediction"], taken["label"], taken["score"]
    return (
        fold_predictions(space, cells, groups, decisions),
        fold_outcomes(space, SCORES.cells(scores), groups, decisions, labels, scores),
    )


def _fill(db: Connection, space: Space, n: int) -> None:
    each = n // (DAYS * HOURS)
    rows = rows_of(HOURS * each, 43)
    day = [_fold(space, rows, np.arange(h * each, (h + 1) * each)) for h in range(HOURS)]
    for number in range(DAYS):
        strata = [Stratum(START + number * rollups.DAY + h * HOUR, "1", "champion") for h in range(HOURS)]
        counted = dict.fromkeys(strata, each)
        summaries.merge(db, 1, "predictions", dict(zip(strata, (p for p, _ in day), strict=True)), counted)
        summaries.merge(db, 1, "outcomes", dict(zip(strata, (o for _, o in day), strict=True)), counted)
