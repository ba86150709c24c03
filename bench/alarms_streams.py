"""The streams without drift that the alarms are tried on: 50 features of the workload's shapes and a score.

A stream hands out the counts of one window after another, cell by cell. The rows of a window may be independent, or
hang together as production's do: every column has a hidden normal value of variance 1 that moves with time, and a row's
value is what has the same rank in the column's own distribution. All columns move on their own, which is the most that
a correction over columns has to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy import special
from scipy.signal import lfilter

from bench import workload
from detectors.reference import Reference
from detectors.summaries.fold import fold_predictions
from detectors.summaries.grids import CategoryGrid, Grid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Floats, Ints, Summary

REFERENCE_ROWS, REFERENCE_BLOCKS = 100_000, 64     # of independent rows, as the peers have it
REFERENCE_WINDOWS = 90                         # of rows that hang together: three months of days, a block each
COPIES = 2                                     # of the workload's 25 features make 50
ROWS_AT_ONCE = 2_000                           # up to here independent rows are drawn one by one, beyond as counts
RANKS = 1 << 18                                # the ranks by which a column's cells get their probabilities
SCORE_MEAN, SCORE_DEVIATION = -0.839, 1.036    # of the workload's logit


@dataclass(frozen=True)
class Feature:
    """A column: its shape, the shape's parameter, and the share of its values that is missing."""

    name: str
    shape: str
    parameter: float = 1.0
    missing: float = 0.0

    @cached_property
    def grid(self) -> Grid:
        if self.shape == "category":
            return CategoryGrid(tuple(f"v{i}" for i in range(int(self.parameter))))
        if self.shape == "score":
            return UniformGrid()
        low, centre, high = (float(x) for x in self.values(special.ndtri(np.array([0.25, 0.5, 0.75]))))
        return NumericGrid(centre, high - low)

    def values(self, z: Floats) -> Floats:
        """What hidden normal values of variance 1 stand for; a category by its number."""
        match self.shape:
            case "normal":
                return z
            case "lognormal":
                return np.asarray(np.exp(0.5 * z))
            case "exponential":
                return np.asarray(-self.parameter * special.log_ndtr(-z))
            case "poisson":
                return self._steps(np.asarray(special.pdtr(np.arange(40), self.parameter), np.float64), z)
            case "score":
                return np.asarray(special.expit(SCORE_MEAN + SCORE_DEVIATION * z))
            case _:
                return self._steps(np.asarray(np.cumsum(workload.shares(int(self.parameter)))[:-1], np.float64), z)

    def cells(self, z: Floats) -> Ints:
        values = self.values(z)
        return values.astype(np.int64) + 1 if isinstance(self.grid, CategoryGrid) else self.grid.cells(values)

    @cached_property
    def probabilities(self) -> Floats:
        """Of every cell, the missing one first: what ``RANKS`` evenly spaced ranks fall into."""
        found = _by_rank(self.shape, self.parameter) * (1 - self.missing)
        found[0] = self.missing
        return found

    @cached_property
    def cumulative(self) -> Floats:
        """The same, summed up, without the last cell."""
        return np.cumsum(self.probabilities)[:-1]

    @staticmethod
    def _steps(cumulative: Floats, z: Floats) -> Floats:
        return np.searchsorted(special.ndtri(cumulative), z).astype(np.float64)


@cache
def _by_rank(shape: str, parameter: float) -> Floats:
    feature = Feature("", shape, parameter)
    cells = feature.cells(special.ndtri((np.arange(RANKS) + 0.5) / RANKS))
    return np.asarray(np.bincount(cells, minlength=feature.grid.size) / RANKS)


def features() -> list[Feature]:
    """``COPIES`` of the workload's features, and the score.

    >>> len(features()), round(float(features()[3].probabilities[0]), 3)
    (51, 0.02)
    """
    parameters = {"exponential": 2.0, "poisson": 5.0}
    found = []
    for copy in range(COPIES):
        for i, (name, shape) in enumerate(zip(workload.NUMERIC, workload.SHAPES, strict=True)):
            missing = workload.MISSING.get(name, 0.0)
            found.append(Feature(f"num_{20 * copy + i:02d}", shape, parameters.get(shape, 1.0), missing))
        found += [Feature(f"cat_{5 * copy + j}", "category", float(k)) for j, k in enumerate(workload.CATEGORIES)]
    return [*found, Feature("score", "score")]


FEATURES = features()
SPACE = Space(
    "binary_classification",
    tuple(Column("output" if f.shape == "score" else "feature", f.name, f.grid) for f in FEATURES),
)
Hidden = Callable[[int], Floats]
"""The hidden values of the next ``n`` rows, shape (columns, n)."""


def independent_counts(rng: np.random.Generator, n: int) -> Ints:
    """The column cells of a window of ``n`` independent rows: by rows where they are few, else by the multinomial law,
    which gives the counts of a column the same distribution."""
    if n > ROWS_AT_ONCE:
        return np.concatenate([rng.multinomial(n, f.probabilities) for f in FEATURES]).astype(np.int64)
    out = np.empty((len(FEATURES), n), np.int64)
    for i, f in enumerate(FEATURES):
        out[i] = np.searchsorted(f.cumulative, rng.random(n), side="right")
    return counted(SPACE, out)


def counted(space: Space, cells: Ints) -> Ints:
    """The counts of cells given by column, shape (columns, rows)."""
    flat = cells + space.column_offsets[:-1, None]
    return np.bincount(flat.ravel(), minlength=int(space.column_offsets[-1])).astype(np.int64)


def dependent_counts(rng: np.random.Generator, hidden: Hidden, n: int) -> Ints:
    """The same for the next ``n`` rows of a process of hidden values."""
    cells = np.stack([f.cells(z) for f, z in zip(FEATURES, hidden(n), strict=True)])
    for i, f in enumerate(FEATURES):
        if f.missing:
            cells[i, rng.random(n) < f.missing] = 0
    return counted(SPACE, cells)


def autoregressive(rng: np.random.Generator, phi: float) -> Hidden:
    """AR(1) from row to row."""
    state = rng.standard_normal((len(FEATURES), 1)) * phi

    def following(n: int) -> Floats:
        nonlocal state
        noise = rng.standard_normal((len(FEATURES), n)) * np.sqrt(1 - phi**2)
        z, state = lfilter([1.0], [1.0, -phi], noise, axis=1, zi=state)
        return np.asarray(z)

    return following


def clustered(rng: np.random.Generator, rows_each: int = 10, correlation: float = 0.5) -> Hidden:
    """Persons with ten rows on end, half of whose variance is the person's own."""

    def following(n: int) -> Floats:
        people = np.repeat(rng.standard_normal((len(FEATURES), -(-n // rows_each))), rows_each, axis=1)[:, :n]
        own = rng.standard_normal((len(FEATURES), n))
        return np.asarray(np.sqrt(correlation) * people + np.sqrt(1 - correlation) * own)

    return following


def seasonal(rng: np.random.Generator, daily: float = 0.5, weekly: float = 0.2) -> Hidden:
    """Windows of a quarter of a day: an hour of the day moves the mean by up to ``daily`` deviations, a weekday by
    ``weekly`` deviations on average; when and how is each column's own."""
    phase = rng.random((len(FEATURES), 1))
    weekday = weekly * rng.standard_normal((len(FEATURES), 7))
    spread = np.sqrt(1 - daily**2 / 2 - weekly**2)
    window = 0

    def following(n: int) -> Floats:
        nonlocal window
        day = (window + np.arange(n) / n) / 4
        window += 1
        mean = daily * np.sin(2 * np.pi * (day + phase)) + weekday[:, [int(day[0]) % 7]]
        return np.asarray(mean + spread * rng.standard_normal((len(FEATURES), n)))

    return following


def wandering(rng: np.random.Generator, step: float, confined: bool = True, reach: float = 0.3) -> Hidden:
    """A mean that walks slowly, ``step`` deviations a window, between walls at ``reach`` deviations on either side; if
    ``confined``, between the lowest and highest that a reference of ``REFERENCE_WINDOWS`` has seen, once it is over."""
    low, high = np.full((len(FEATURES), 1), -reach), np.full((len(FEATURES), 1), reach)
    mean = rng.uniform(-reach, reach, low.shape)
    seen: list[Floats] = []

    def following(n: int) -> Floats:
        nonlocal mean, low, high
        if confined and len(seen) == REFERENCE_WINDOWS:
            low, high = np.minimum.reduce(seen), np.maximum.reduce(seen)
        mean = mean + step * rng.standard_normal(mean.shape)
        mean = np.clip(np.where(mean > high, 2 * high - mean, np.where(mean < low, 2 * low - mean, mean)), low, high)
        seen.append(mean)
        return np.asarray(mean + np.sqrt(1 - reach**2 / 3) * rng.standard_normal((len(FEATURES), n)))

    return following


PROCESSES: dict[str, Callable[[np.random.Generator], Hidden]] = {
    "daily and weekly season": seasonal,
    "autocorrelated, 0.5": lambda rng: autoregressive(rng, 0.5),
    "autocorrelated, 0.9": lambda rng: autoregressive(rng, 0.9),
    "clustered by person": clustered,
    "slow wander": lambda rng: wandering(rng, 0.12),
    "slower wander": lambda rng: wandering(rng, 0.06),
    "slow wander, not confined": lambda rng: wandering(rng, 0.12, confined=False),
    "slower wander, not confined": lambda rng: wandering(rng, 0.06, confined=False),
}
INDEPENDENT = "independent"


def stream(process: str, n: int, rng: np.random.Generator) -> Iterator[Ints]:
    """The column cells of windows of ``n`` rows without end, all of one process."""
    hidden = None if process == INDEPENDENT else PROCESSES[process](rng)
    while True:
        yield independent_counts(rng, n) if hidden is None else dependent_counts(rng, hidden, n)


def reference_of(space: Space, blocks: Sequence[Ints]) -> Reference:
    """A reference from the column cells of its blocks, in the order of time, without outcomes."""
    summaries = [_summary(dense(space, counts)) for counts in blocks]
    return Reference.build("reference", space, summaries)


@cache
def independent_reference(seed: int) -> Reference:
    """A reference of ``REFERENCE_ROWS`` independent rows in ``REFERENCE_BLOCKS`` blocks, as the peers have it."""
    rng = np.random.default_rng(seed)
    rows = REFERENCE_ROWS // REFERENCE_BLOCKS
    return reference_of(SPACE, [independent_counts(rng, rows) for _ in range(REFERENCE_BLOCKS)])


def dense(space: Space, counts: Ints) -> Ints:
    """A dense prediction summary with the given column cells, all rows decided 0 and in no group."""
    columns = int(space.column_offsets[-1])
    rows = int(counts[: space.column_offsets[1]].sum())
    none = np.zeros(1, np.int64)
    out = fold_predictions(space, [none] * len(space.columns), [none + 1] * len(space.axes), none)
    found = out.dense(space.prediction_size) * rows
    found[:columns] = counts
    return found


def _summary(counts: Ints) -> Summary:
    cells = np.flatnonzero(counts)
    return Summary(cells, counts[cells], np.zeros(0))
