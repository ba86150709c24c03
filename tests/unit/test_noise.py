"""The noise of a process whose rows depend on each other: p-values stay honest, and shifts are still found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.signal import lfilter

from detectors.drift import measure_drift
from detectors.noise import _noncentrality
from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary

N, BLOCKS = 64_000, 64
SHARES = np.cumsum([0.5, 0.3, 0.15, 0.04, 0.0095, 0.0005])           # the last is a rare category
SPACE = Space(
    "binary_classification",
    (
        Column("feature", "x", NumericGrid(0.0, 1.35)),
        Column("feature", "category", CategoryGrid(tuple("abcdef"))),
        Column("feature", "binary", CategoryGrid(("no", "yes"))),
        Column("output", "score", UniformGrid()),
    ),
)


def autoregressive(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Normal values of variance 1 whose correlation falls by 1/e in ``memory`` rows."""
    rho = np.exp(-1 / memory)
    burn = int(10 * memory)
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], rng.standard_normal(n + burn))[burn:]


def independent(n, rng):
    return rng.standard_normal(n)


def ar1(n, rng):
    return autoregressive(n, -1 / np.log(0.9), rng)


def wander(n, rng):
    """3 % of the variance drifts slowly, over some 3,000 rows: within the reference's range, beyond a window's."""
    return np.sqrt(0.97) * rng.standard_normal(n) + np.sqrt(0.03) * autoregressive(n, 3000, rng)


def season(n, rng):
    """A day of 1,000 rows, so that windows of less than a day differ by the hour."""
    phase = rng.random() * 6
    return np.sqrt(0.9) * rng.standard_normal(n) + np.sqrt(0.2) * np.sin(2 * np.pi * np.arange(n) / 1000 + phase)


def fold(z: np.ndarray) -> Summary:
    u = special.ndtr(z)
    o = SPACE.column_offsets
    category, binary = np.searchsorted(SHARES[:-1], u) + 1, (u > 0.3) + 1
    return Summary.of(np.r_[SPACE.columns[0].grid.cells(z) + o[0], category + o[1], binary + o[2],
                            SPACE.columns[3].grid.cells(u) + o[3]])  # fmt: skip


def build(z: np.ndarray, blocks: int = BLOCKS) -> Reference:
    return Reference.build("r", SPACE, [fold(b) for b in np.array_split(z, blocks)])


def distances(reference, z):
    points = measure_drift(reference, fold(z).dense(SPACE.prediction_size))
    return [m for metric, _, m in points if metric == "jensen_shannon"]


def run(process, n, runs, windows, shift=0.0, blocks=BLOCKS):
    """p-values and lower ends by window and column: ``windows`` of ``n`` rows follow each of ``runs`` references."""
    found = []
    for seed in range(runs):
        z = process(N + n * windows, np.random.default_rng(seed))
        reference = build(z[:N], blocks)
        found += [distances(reference, w + shift) for w in np.split(z[N:], windows)]
    p = np.array([[m.p_value for m in w] for w in found])
    low = np.array([[m.interval[0] for m in w] for w in found])
    return p, low


@pytest.mark.parametrize(
    ("process", "n", "blocks"),
    [
        (independent, 100, 64),
        (independent, 1000, 64),
        (independent, 12_000, 64),
        (ar1, 1000, 64),
        (ar1, 12_000, 64),
        (wander, 1000, 64),
        (wander, 4000, 64),
        (wander, 24_000, 64),
        (season, 300, 256),
    ],
)
def test_p_values_are_honest_when_nothing_changed(process, n, blocks):
    p, low = run(process, n, runs=25, windows=8, blocks=blocks)
    assert (p < 0.001).mean() <= 0.015               # dependent rows have up to 0.8 % in 480 windows
    assert (p < 0.05).mean() <= 0.10
    assert (low > 0.1).mean() <= 0.01


@pytest.mark.parametrize("process", [ar1, wander])
def test_without_the_blocks_they_would_not_be(process):
    p, _ = run(process, 4000, runs=6, windows=4, blocks=1)
    assert (p < 0.001).mean() > 0.2


@pytest.mark.parametrize(
    ("process", "n", "shift", "least"),
    [(independent, 1000, 0.3, 1.0), (ar1, 4000, 0.5, 0.95), (wander, 4000, 1.0, 0.85), (season, 4000, 0.3, 1.0)],
)
def test_shifts_are_found(process, n, shift, least):
    p, _ = run(process, n, runs=5, windows=2, shift=shift)
    assert (p < 0.001).mean() >= least


def test_overdispersion_is_what_theory_says():
    noise = build(independent(N, np.random.default_rng(1))).noise
    assert noise.phi.max() < 2
    assert noise.phi.min() == 1

    z = ar1(N, np.random.default_rng(1))
    yes = z > special.ndtri(0.3)
    r = [np.corrcoef(yes[:-k], yes[k:])[0, 1] for k in range(1, 60)]
    found = noise_of(z, "binary")[:3]                            # 64, 32 and 16 blocks; of 8 the variance is too vague
    assert found == pytest.approx([1 + 2 * sum(r)] * 3, rel=0.5)     # the variance of a mean of dependent rows


def noise_of(z, name):
    reference = build(z)
    return reference.noise.phi[:, [c.name for c in SPACE.columns].index(name)]


def test_a_slow_wander_grows_with_the_window_and_on_beyond_what_was_measured():
    noise = build(wander(N, np.random.default_rng(2))).noise
    assert (np.diff(noise.phi[:, 0]) > 0).all()
    longest = noise.lengths[-1]
    at, far = noise.at(longest)[0], noise.at(4 * longest)[0]
    assert at == pytest.approx(noise.phi[-1])
    assert (far >= at).all()
    assert far[0] > 1.5 * at[0]


def test_between_lengths_it_lies_between_and_below_the_shortest_it_stays():
    noise = build(wander(N, np.random.default_rng(2))).noise
    between = noise.at(np.full(4, 1500.0))[0]
    assert (np.sort(noise.phi[:2], axis=0)[0] <= between).all()
    assert (between <= np.sort(noise.phi[:2], axis=0)[1]).all()
    assert noise.at(np.full(4, 10.0))[0] == pytest.approx(noise.phi[0])


def test_few_blocks_teach_nothing_and_four_teach_one_length():
    z = independent(2000, np.random.default_rng(5))
    assert build(z, 3).noise.blocks.size == 0
    assert build(z, 4).noise.blocks.tolist() == [4]
    assert build(z, 70).noise.blocks.tolist() == [70, 35, 17, 8]


def test_fewer_blocks_ask_for_more_evidence():
    rng = np.random.default_rng(6)
    z, window = independent(N, rng), independent(500, rng) + 0.35
    few, many = (distances(build(z, b), window)[2].p_value for b in (4, 256))
    assert few > 10 * many


def test_one_row_of_an_unseen_category_is_no_event_and_many_are():
    z = independent(N, np.random.default_rng(7))
    reference = build(z)

    def p_value(unseen: int) -> float:
        window = fold(z[:500])
        seen = window - Summary.of(np.repeat(SPACE.column_offsets[1] + 1, unseen))
        changed = seen + Summary.of(np.repeat(SPACE.column_offsets[1] + 7, unseen))
        points = measure_drift(reference, changed.dense(SPACE.prediction_size))
        return next(m.p_value for _, s, m in points if s.feature == "category")

    assert p_value(1) > 0.5 * p_value(0)
    assert p_value(50) < 1e-6


@pytest.mark.parametrize("df", [1.0, 2.5, 9.0, 50.0, 300.0])
def test_the_bounds_of_the_noncentrality_are_scipys_within_0_6(df):
    statistic = df * np.geomspace(1, 200, 50)
    each, z = np.full_like(statistic, df), np.full_like(statistic, special.ndtri(0.975))
    assert _noncentrality(statistic, each, z) == pytest.approx(special.chndtrinc(statistic, df, 0.025), abs=0.6)
    shown = special.chdtrc(df, statistic) < 0.025                # below that the lower bound is 0
    exact = special.chndtrinc(statistic[shown], df, 0.975)
    assert _noncentrality(statistic, each, -z)[shown] == pytest.approx(exact, abs=0.6)
