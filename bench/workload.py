"""The workload that the peers are measured on: 20 numeric and 5 categorical features, score, decision, label and group.

The shapes and the planted drifts are those of the figures published for the peers: 10 normal, 4 lognormal, 3
exponential and 3 Poisson features, two of them with 2 % missing, and categories of 3, 5, 10, 20 and 50 values whose
shares fall as 1 / rank. The planted drift moves the first three normals by 0.2, 0.4 and 0.6, scales a lognormal by
1.15, raises a Poisson's mean from 5 to 5.5, turns the shares of the smallest category column about, and flips 15 % of
the labels of the smallest group. Nothing but NumPy and Arrow is needed, so that the peers' environments can make it.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SHAPES = ("normal",) * 10 + ("lognormal",) * 4 + ("exponential",) * 3 + ("poisson",) * 3
CATEGORIES = (3, 5, 10, 20, 50)
NUMERIC = tuple(f"num_{i:02d}" for i in range(len(SHAPES)))
CATEGORICAL = tuple(f"cat_{j}" for j in range(len(CATEGORIES)))
DEVIATIONS = {"normal": 1.0, "lognormal": float(np.sqrt(np.expm1(0.25) * np.exp(0.25))), "exponential": 2.0,
              "poisson": float(np.sqrt(5.0))}  # fmt: skip
MISSING = {"num_03": 0.02, "num_11": 0.02}
GROUPS = ("A", "B", "C", "D")
GROUP_SHARES = (0.55, 0.30, 0.13, 0.02)

PLANTED = {"num_00": 0.2, "num_01": 0.4, "num_02": 0.6, "num_10": 1.15, "num_17": 5.5, "cat_0": None}
"""The columns that the planted drift changes; a shift, a factor and a mean. The score moves with them."""

_FLIPPED_GROUP, _FLIPPED = 3, 0.15
_SPAN = 2_000_000                                   # seconds from the first row to the last


def shares(k: int) -> np.ndarray:
    """The shares of ``k`` categories, falling as 1 / rank.

    >>> shares(2).round(3).tolist()
    [0.667, 0.333]
    """
    weights = 1.0 / np.arange(1, k + 1)
    return np.asarray(weights / weights.sum())


def numeric(name: str, n: int, rng: np.random.Generator, shift: float = 0.0, drift: bool = False) -> np.ndarray:
    """``n`` values of a numeric feature without the missing, moved by ``shift`` of its deviations.

    >>> float(numeric("num_14", 4, np.random.default_rng(1)).min() > 0)
    1.0
    """
    shape = SHAPES[NUMERIC.index(name)]
    moved, planted = shift * DEVIATIONS[shape], PLANTED.get(name) if drift else None
    match shape:
        case "normal":
            return rng.normal(moved + (planted or 0.0), 1.0, n)
        case "lognormal":
            return np.asarray(rng.lognormal(0.0, 0.5, n) * (planted or 1.0) + moved)
        case "exponential":
            return np.asarray(rng.exponential(2.0, n) + moved)
        case _:
            return rng.poisson((planted or 5.0) + moved, n)


def categorical(name: str, n: int, rng: np.random.Generator, drift: bool = False) -> np.ndarray:
    """``n`` codes of a categorical feature, from 0."""
    k = CATEGORIES[CATEGORICAL.index(name)]
    p = shares(k)
    return np.asarray(rng.choice(k, n, p=p[::-1] if drift and name in PLANTED else p))


def make(n: int, seed: int, drift: bool = False) -> dict[str, Any]:
    """``n`` rows by column: floats with NaN for missing, whole numbers, and arrays of text for categories.

    >>> rows = make(1_000, 1)
    >>> len(rows), rows["num_00"].dtype.name, bool(np.isnan(rows["num_03"]).any()), rows["cat_0"][0][0]
    (30, 'float64', True, 'v')
    """
    rng = np.random.default_rng(seed)
    rows: dict[str, Any] = {name: numeric(name, n, rng, drift=drift) for name in NUMERIC}
    logit = 0.8 * rows["num_00"] - 0.6 * rows["num_01"] + 0.5 * np.log(rows["num_10"]) - 0.8
    for name, rate in MISSING.items():
        rows[name][rng.random(n) < rate] = np.nan
    for name, k in zip(CATEGORICAL, CATEGORIES, strict=True):
        codes = categorical(name, n, rng, drift)
        rows[name] = codes if name == "cat_1" else np.array([f"v{i}" for i in range(k)], dtype=object)[codes]
    group = rng.choice(len(GROUPS), n, p=GROUP_SHARES)
    score = 1 / (1 + np.exp(0.3 * (group == 2) - logit))
    label = (rng.random(n) < score).astype(np.int64)
    if drift:
        flip = (group == _FLIPPED_GROUP) & (rng.random(n) < _FLIPPED)
        label[flip] = 1 - label[flip]
    rows["group"] = np.array(GROUPS, dtype=object)[group]
    rows |= {"score": score, "prediction": (score >= 0.5).astype(np.int64), "label": label}
    start = dt.datetime(2026, 2 if drift else 1, 1)  # noqa: DTZ001  # the peers read times without a zone
    rows["timestamp"] = np.datetime64(start, "us") + (np.arange(n) * (_SPAN / n)).astype("timedelta64[s]")
    return rows


def write(folder: Path, n_reference: int = 100_000, n_current: int = 1_000_000) -> tuple[Path, Path]:
    """Files of rows without and with drift, for the peers to read; they are kept where they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"reference-{n_reference}.parquet", folder / f"current-{n_current}.parquet"
    for path, n, seed, drift in zip(paths, (n_reference, n_current), (42, 43), (False, True), strict=True):
        if not path.exists():
            rows = make(n, seed, drift)
            pq.write_table(pa.table({k: pa.array(v, from_pandas=True) for k, v in rows.items()}), path)
    return paths
