"""The rows that the peers' alarms are tried on, by column: a reference, windows like it, and windows that moved."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bench import workload

REFERENCE = 100_000
SHIFTS = (0.1, 0.2, 0.5)


def frame(n: int, seed: int, shift: float = 0.0, drift: bool = False) -> pd.DataFrame:
    """``n`` rows of all features, all numeric ones moved by ``shift`` deviations: a peer looks at each column alone."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for name in workload.NUMERIC:
        values = workload.numeric(name, n, rng, shift, drift).astype(np.float64)
        values[rng.random(n) < workload.MISSING.get(name, 0.0)] = np.nan
        columns[name] = values
    for name in workload.CATEGORICAL:
        words = np.array([f"v{i}" for i in range(max(workload.CATEGORIES))], dtype=object)
        columns[name] = words[workload.categorical(name, n, rng, drift)]
    return pd.DataFrame(columns)


def cases(rows: int) -> Iterator[tuple[str, pd.DataFrame, tuple[str, ...]]]:
    """Each case with its rows and the columns that have moved in it. In ``null``, which is five times as long, none
    has, and all are looked at."""
    yield "null", frame(5 * rows, 1), (*workload.NUMERIC, *workload.CATEGORICAL)
    for i, shift in enumerate(SHIFTS):
        yield f"{shift:g}", frame(rows, 2 + i, shift), workload.NUMERIC
    yield "planted", frame(rows, 9, drift=True), tuple(workload.PLANTED)
