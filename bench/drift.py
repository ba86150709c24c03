"""One window's drift, all columns and metrics at once, from stored summaries: what the worker does for each window."""

from __future__ import annotations

import resource
import statistics
import time
from typing import Any

import numpy as np

from detectors.drift import measure_drift
from detectors.reference import Reference
from detectors.summaries.fold import fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary

NUMERIC, CATEGORICAL, ROWS, RUNS = 20, 5, 100_000, 25


def drift_window() -> dict[str, Any]:
    """26 columns, the summary of a window of 100,000 rows: seconds to measure it against the reference."""
    rng = np.random.default_rng(1)
    words = tuple("abcdefgh")
    columns = [Column("feature", f"n{i}", NumericGrid(0.0, 1.35)) for i in range(NUMERIC)]
    columns += [Column("feature", f"c{i}", CategoryGrid(words)) for i in range(CATEGORICAL)]
    space = Space("binary_classification", (*columns, Column("output", "score", UniformGrid())))
    reference = Reference.build("reference", space, [_rows(rng, space, 2_000) for _ in range(64)])
    window = _rows(rng, space, ROWS).dense(space.prediction_size)
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        measure_drift(reference, window)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    return {
        "rows": ROWS,
        "seconds": round(median, 5),
        "rate": round(1 / median),
        "unit": "windows/s",
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "limit": "its cost is that of the cells, whatever the number of rows",
        "runs": RUNS,
    }


def _rows(rng: np.random.Generator, space: Space, n: int) -> Summary:
    cells = []
    for column in space.columns:
        if isinstance(column.grid, CategoryGrid):
            cells.append(rng.integers(1, 9, n))
        else:
            cells.append(column.grid.cells(rng.normal(size=n) if column.kind == "feature" else rng.random(n)))
    return fold_predictions(space, cells, [np.ones(n, np.int64)], rng.integers(0, 2, n))
