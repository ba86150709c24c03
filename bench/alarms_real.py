"""Real rows among which nothing can have happened: a shuffled census, and flights of the reference's own months."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from bench.alarms_streams import counted, dense, reference_of
from bench.alarms_trial import Tally, Trial
from detectors.summaries.grids import CategoryGrid, Grid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Ints

DATA = Path(__file__).parents[1] / "data"
CENSUS = "census, shuffled"
FLIGHTS = {"flights, by week": 7, "flights, by day": 1}
REAL = (CENSUS, *FLIGHTS)
LEAST_BLOCKS = 64
_DAY = 86_400_000_000


def real(name: str, seed: int = 0) -> Tally:
    """The windows of one real null."""
    return census(seed) if name == CENSUS else flights(FLIGHTS[name])


def census(seed: int) -> Tally:
    """All rows of 2015 to 2018 in a new order: as many as before are the reference, the rest fill the weeks."""
    space, cells, times, n = _read("census", "model.yaml", production=True)
    cells = cells[:, np.random.default_rng(seed).permutation(cells.shape[1])]
    blocks = [counted(space, part) for part in np.array_split(cells[:, :n], LEAST_BLOCKS, axis=1)]
    trial = Trial(reference_of(space, blocks))
    return trial.run(_weeks(space, cells[:, n:], times[n:]))


def flights(days: int) -> Tally:
    """Each ``days`` of the reference's months against all others of them."""
    space, cells, times, _ = _read("flights", "models/flights-delay.yaml", production=False)
    total = Tally()
    window = (times - times.min()) // (days * _DAY)
    trial = None
    for k in np.unique(window):
        others = cells[:, window != k]
        blocks = [counted(space, part) for part in np.array_split(others, LEAST_BLOCKS, axis=1)]
        following = Trial(reference_of(space, blocks))
        if trial is not None:
            following.states, following.live, following.windows = trial.states, trial.live, trial.windows
        trial = following
        rows = cells[:, window == k]
        total += trial.run([(dense(space, counted(space, rows)), rows.shape[1])])
    return total


def _weeks(space: Space, cells: Ints, times: Ints) -> list[tuple[Ints, int]]:
    week = (times - times.min()) // (7 * _DAY)
    return [
        (dense(space, counted(space, cells[:, week == k])), int((week == k).sum())) for k in np.unique(week)
    ]


def _read(folder: str, declaration: str, production: bool) -> tuple[Space, Ints, Ints, int]:
    """The space of a shipped model, the cells of its rows by column, their times, and how many are the reference's;
    in the order of time."""
    features = yaml.safe_load((DATA / folder / declaration).read_text())["features"]
    names = [*features, "score", "timestamp"]
    tables = [pq.read_table(DATA / folder / "reference.parquet", columns=names)]
    n = len(tables[0])
    if production:
        tables.append(pq.read_table(DATA / folder / "predictions.parquet", columns=names))
    table = pa.concat_tables(tables)
    columns = [Column("feature", f, _grid(kind, table[f][:n])) for f, kind in features.items()]
    space = Space("binary_classification", (*columns, Column("output", "score", UniformGrid())))
    times = pc.cast(table["timestamp"], pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    cells = np.stack([_cells(c.grid, table[c.name]) for c in space.columns])
    order = np.argsort(times, kind="stable")
    return space, cells[:, order], times[order], n


def _grid(kind: str, values: pa.ChunkedArray) -> Grid:
    if kind == "numeric":
        return NumericGrid.fit(pc.cast(values, pa.float64()).to_numpy())
    found = pc.value_counts(pc.drop_null(pc.cast(values, pa.string()))).to_pylist()
    return CategoryGrid.of({pair["values"]: pair["counts"] for pair in found})


def _cells(grid: Grid, values: pa.ChunkedArray) -> Ints:
    if not isinstance(grid, CategoryGrid):
        return grid.cells(pc.cast(values, pa.float64()).to_numpy())
    coded = pc.dictionary_encode(pc.cast(values, pa.string())).combine_chunks()
    indices = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return grid.cells_of(coded.dictionary.to_pylist(), indices.astype(np.int64))
