"""Streams without drift through the default monitors: whatever is found is a false alarm."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bench.alarms_real import CENSUS, FLIGHTS, REAL, real
from bench.alarms_streams import (
    INDEPENDENT,
    PROCESSES,
    REFERENCE_WINDOWS,
    SPACE,
    dense,
    independent_reference,
    reference_of,
    stream,
)
from bench.alarms_trial import Tally, Trial
from detectors.summaries.summary import Ints

SIZES = (200, 1_000, 20_000, 1_000_000)
SEASON_WINDOWS = 360                # of quarters of a day: as long a reference as the others' 90 days


@dataclass(frozen=True)
class Null:
    """One kind of stream: ``references`` of it, each followed by ``windows`` of ``n`` rows (0: as the data have it)."""

    process: str
    n: int
    references: int
    windows: int


def nulls(quick: bool) -> list[Null]:
    """What is tried: 5,000 windows of independent rows of each size, and as many dependent ones as time allows."""
    if quick:
        found = [Null(INDEPENDENT, n, 2, 50) for n in SIZES] + [Null(p, 200, 2, 50) for p in PROCESSES]
        return [*found, *(Null(name, 0, 1, 0) for name in REAL)]
    dependent = ((200, 20, 50), (1_000, 20, 50), (20_000, 5, 20))
    found = [Null(INDEPENDENT, n, 50, 100) for n in SIZES] + [Null(p, *d) for p in PROCESSES for d in dependent]
    return [*found, Null(CENSUS, 0, 20, 0), *(Null(name, 0, 1, 0) for name in FLIGHTS)]


def tried(wanted: list[Null], workers: int) -> list[tuple[Null, Tally]]:
    """Each null with what came of it, the work shared among processes by the reference."""
    jobs = [(null, seed) for null in wanted for seed in range(null.references)]
    jobs.sort(key=lambda job: -job[0].n)           # the long ones first
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(one_reference, *zip(*jobs, strict=True)))
    return [
        (null, sum((tally for (n, _), tally in zip(jobs, found, strict=True) if n == null), Tally()))
        for null in wanted
    ]


def one_reference(null: Null, seed: int) -> Tally:
    """One reference of a null and its windows."""
    if null.process in REAL:
        return real(null.process, seed)
    windows = stream(null.process, null.n, np.random.default_rng([1, seed, null.n]))
    if null.process == INDEPENDENT:
        reference = independent_reference(seed)
    else:
        many = SEASON_WINDOWS if "season" in null.process else REFERENCE_WINDOWS
        reference = reference_of(SPACE, list(islice(windows, many)))
    return Trial(reference).run(_dense(windows, null))


def _dense(windows: Iterator[Ints], null: Null) -> Iterator[tuple[Ints, int]]:
    for counts in islice(windows, null.windows):
        yield dense(SPACE, counts), null.n
