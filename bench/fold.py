"""A million rows into counts, and the metrics of the counts: what the peers do with the rows themselves.

The rows are those of ``bench.workload``: numbers as float64, text as Arrow's. One core does all of it; a run is timed
from the columns to the measurements, the reference being there before.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from bench import workload
from detectors.drift import measure_drift
from detectors.estimation import Calibrator, estimate_binary
from detectors.fairness import measure_fairness
from detectors.reference import Reference
from detectors.summaries.counting import cross_count
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary

ROWS, REFERENCE_ROWS, RUNS, BLOCKS = 1_000_000, 100_000, 5, 32
METRICS = frozenset(("psi", "jensen_shannon", "hellinger", "total_variation", "kolmogorov_smirnov"))
ESTIMATES = frozenset(f"estimated_{m}" for m in ("roc_auc", "f1", "accuracy", "average_precision"))
GROUPS = CategoryGrid(workload.GROUPS)
SCORES = UniformGrid()

Rows = dict[str, Any]


def drift_fold(quick: bool = False) -> dict[str, Any]:
    """Fold 26 columns and compute PSI, JS, Hellinger, TVD and KS of each."""
    rows, reference = rows_of(_size(quick), 43), _reference()
    columns = reference.space.columns

    def work() -> Any:
        counts = np.concatenate([c.grid.count(rows[c.name]) for c in columns])
        window = np.zeros(reference.space.prediction_size, np.int64)
        window[: counts.size] = counts
        return measure_drift(reference, window, METRICS)

    read = sum(rows[c.name].nbytes for c in columns)
    return _line(work, _size(quick), f"{read / 1e6:.0f} MB of columns at {_bandwidth() / 1e9:.0f} GB/s", read)


def fairness(quick: bool = False) -> dict[str, Any]:
    """Count group x decision x label, and measure rates and disparities of 4 groups with their intervals."""
    rows = rows_of(_size(quick), 43)
    space = Space("binary_classification", (Column("output", "score", SCORES),),
                  (ALL, Axis("attribute", "group", GROUPS)))  # fmt: skip
    (group, decision, label) = (rows[name] for name in ("group", "prediction", "label"))

    def work() -> Any:
        counts = cross_count([GROUPS.cells_in(group), decision, label], (GROUPS.size, 2, 2))
        predictions, outcomes = np.zeros(space.prediction_size, np.int64), np.zeros(space.outcome_size, np.int64)
        space.decisions(predictions, 1)[:] = counts.sum(axis=2)
        space.confusion(outcomes, 1)[:] = counts
        return measure_fairness(space, predictions, outcomes, 1, 100)

    read = group.nbytes + decision.nbytes + label.nbytes
    return _line(work, _size(quick), f"{read / 1e6:.0f} MB of columns at {_bandwidth() / 1e9:.0f} GB/s", read)


def cbpe(quick: bool = False) -> dict[str, Any]:
    """Count the scores by decision, and estimate AUC, F1, accuracy and average precision without outcomes."""
    rows, reference = rows_of(_size(quick), 43), rows_of(REFERENCE_ROWS, 42)
    calibrator = Calibrator.fit(*SCORES.count_by(reference["score"], reference["label"], 2))
    scores, decisions = rows["score"], rows["prediction"]

    def work() -> Any:
        refused, chosen = SCORES.count_by(scores, decisions, 2)
        found = [e for e in estimate_binary(refused + chosen, chosen, calibrator) if e[0] in ESTIMATES]
        assert len(found) == len(ESTIMATES)
        return found

    read = scores.nbytes + decisions.nbytes
    return _line(work, _size(quick), f"{read / 1e6:.0f} MB of columns at {_bandwidth() / 1e9:.0f} GB/s", read)


def _line(work: Callable[[], Any], n: int, limit: str, read: int) -> dict[str, Any]:
    work()
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    return {
        "rows": n,
        "seconds": round(median, 5),
        "fastest": round(min(seconds), 5),
        "rate": round(n / median),
        "unit": "rows/s",
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "limit": f"{limit}: {read / _bandwidth():.4f} s",
        "runs": RUNS,
    }


def _size(quick: bool) -> int:
    return ROWS // 10 if quick else ROWS


@lru_cache(maxsize=4)
def rows_of(n: int, seed: int) -> Rows:
    """Columns as a decoded batch has them: numbers as float64, decisions and labels as int64, text in Arrow."""
    made = workload.make(n, seed, drift=seed != 42)
    text = {name: pa.array(made[name].astype(str)) for name in (*workload.CATEGORICAL, "group")}
    numbers = {name: made[name].astype(np.float64) for name in (*workload.NUMERIC, "score")}
    return {**numbers, **text, "prediction": made["prediction"], "label": made["label"]}


@lru_cache(maxsize=1)
def _reference() -> Reference:
    rows = rows_of(REFERENCE_ROWS, 42)
    columns = [Column("feature", name, NumericGrid.fit(rows[name])) for name in workload.NUMERIC]
    for name, k in zip(workload.CATEGORICAL, workload.CATEGORIES, strict=True):
        words = [str(i) if name == "cat_1" else f"v{i}" for i in range(k)]
        columns.append(Column("feature", name, CategoryGrid(tuple(words))))
    space = Space("binary_classification", (*columns, Column("output", "score", SCORES)))
    cells = [c.grid.cells_in(rows[c.name]) if isinstance(c.grid, CategoryGrid) else c.grid.cells(rows[c.name])
             for c in space.columns]  # fmt: skip
    blocks = np.array_split(np.stack(cells) + space.column_offsets[:-1, None], BLOCKS, axis=1)
    return Reference.build("reference", space, [Summary.of(b.ravel()) for b in blocks])


@lru_cache(maxsize=1)
def _bandwidth() -> float:
    """Bytes a second that one core reads from memory: the maximum of 128 MB of floats."""
    values = np.ones(16_000_000)
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        values.max()
        seconds.append(time.perf_counter() - began)
    return float(values.nbytes / min(seconds))


