"""What the default monitors find: shifts of one feature, and the drifts planted in the workload.

A run is ten windows in a row of which one feature has moved, by so many of its own deviations; the other columns of the
model, fifty in all, stay as they were. It is found by the first window in breach, and an incident opens by the second.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from bench import workload
from bench.alarms_streams import FEATURES, SPACE, dense, independent_counts, independent_reference
from bench.alarms_trial import Trial, breached
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.summary import Floats, Ints
from monitor.judge import defaults
from monitor.verdict import Verdict

SHIFTS = (0.1, 0.2, 0.5)
PLANTED = "planted"
SIZES = (200, 1_000, 20_000)
RUN = 10                                   # windows in a row; found later is not found
ALONE = 0.001                              # the peers have no correction: at this level a column is like theirs


@dataclass(frozen=True)
class Power:
    """Of feature-windows with drift: the share found, and by run the windows until the first was, or ``None``."""

    flagged: tuple[tuple[bool, ...], ...]

    @property
    def share(self) -> float:
        return float(np.mean([f for run in self.flagged for f in run]))

    @property
    def until(self) -> float | None:
        """The median of windows until found; ``None`` where more than half of the runs end before."""
        waits = [run.index(True) + 1 if any(run) else np.inf for run in self.flagged]
        median = float(np.median(waits))
        return median if np.isfinite(median) else None


@dataclass(frozen=True)
class Found:
    """What the default monitors find, and what they would with each column judged by itself at ``ALONE``."""

    default: Power
    alone: Power


Run = tuple[tuple[bool, ...], tuple[bool, ...]]


def found(quick: bool, workers: int) -> dict[tuple[str, int], Found]:
    """By what moved and the size of the window."""
    columns = list(enumerate(workload.NUMERIC))[:: 5 if quick else 1]
    jobs: list[tuple[float | None, int, str, int]] = [(s, n, c, i) for n in SIZES for s in SHIFTS for i, c in columns]
    jobs += [(None, n, PLANTED, i) for n in SIZES for i in range(1 if quick else 3)]
    with ProcessPoolExecutor(workers) as pool:
        runs = list(pool.map(one_run, *zip(*jobs, strict=True)))
    by_case: dict[tuple[str, int], list[Run]] = {}
    for (shift, n, _, _), flagged in zip(jobs, runs, strict=True):
        by_case.setdefault((PLANTED if shift is None else f"{shift:g}", n), []).extend(flagged)
    return {case: Found(*(Power(part) for part in zip(*flagged, strict=True))) for case, flagged in by_case.items()}


def one_run(shift: float | None, n: int, what: str, seed: int, windows: int = RUN) -> list[Run]:
    """By each column that moves, in which of the windows it was found. ``what`` is the column that is shifted, or
    ``PLANTED`` for all that the workload's drift moves."""
    rng = np.random.default_rng([seed, n, *what.encode(), int(100 * (shift or 0))])
    trial = Trial(independent_reference(seed))
    moving = (what,) if shift is not None else tuple(workload.PLANTED)
    seen = []
    for _ in range(windows):
        counts = independent_counts(rng, n)
        for name in moving:
            counts = _replaced(counts, name, _values(name, n, rng, shift), rng)
        verdicts = trial.window(dense(SPACE, counts), n)
        seen.append((breached(verdicts), {v.point.scope.text for v in verdicts if _beyond(v)}))
    return [
        (tuple(f"feature:{name}" in w for w, _ in seen), tuple(f"feature:{name}" in w for _, w in seen))
        for name in moving
    ]


def _beyond(verdict: Verdict) -> bool:
    m = verdict.point.measurement
    if m.p_value is None or m.interval is None:
        return False
    return m.interval[0] > defaults.DRIFT and m.p_value <= ALONE


def _values(name: str, n: int, rng: np.random.Generator, shift: float | None) -> Floats:
    if name in workload.CATEGORICAL:
        return workload.categorical(name, n, rng, drift=True).astype(np.float64)
    return workload.numeric(name, n, rng, shift or 0.0, drift=shift is None).astype(np.float64)


def _replaced(counts: Ints, name: str, values: Floats, rng: np.random.Generator) -> Ints:
    """The counts with one column's cells made of other values."""
    i = next(i for i, f in enumerate(FEATURES) if f.name == name)
    feature = FEATURES[i]
    values = np.where(rng.random(values.size) < feature.missing, np.nan, values)
    grid = feature.grid
    cells = values.astype(np.int64) + 1 if isinstance(grid, CategoryGrid) else grid.cells(values)
    out = counts.copy()
    out[SPACE.column_offsets[i] : SPACE.column_offsets[i + 1]] = np.bincount(cells, minlength=grid.size)
    return out
