"""The sums of a projection are a group: any split, order and tree of merges gives the same numbers, to the last bit."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.multivariate import METRICS, measure_multivariate
from detectors.multivariate.baseline import Baseline
from detectors.summaries.projection import Projection

RNG = np.random.default_rng(3)
NARROW = Projection.fit(RNG.standard_normal((300, 5)) @ RNG.standard_normal((5, 5)), tuple("abcde"), 6)
WIDE = Projection.fit(RNG.standard_normal((300, 40)), tuple(f"c{i}" for i in range(40)), 4)
AWKWARD = (math.nan, math.inf, -math.inf, 0.0, 2.0**60 + 1, 1e308, -1e308, 5e-324)
REFERENCE = RNG.standard_normal((320, 5))
BASELINES = [
    Baseline.learn(NARROW, NARROW.sums_by(REFERENCE, np.arange(320) * blocks // 320, blocks)) for blocks in (1, 2, 32)
]


def rows(rng: np.random.Generator, columns: int) -> np.ndarray:
    """Up to 40 rows of ordinary values of any scale, some of them awkward, in either order in memory."""
    n = int(rng.integers(41))
    x = rng.standard_normal((n, columns)) * 10.0 ** rng.integers(-3, 7)
    if n:
        k = int(rng.integers(6))
        x[rng.integers(n, size=k), rng.integers(columns, size=k)] = rng.choice(AWKWARD, k)
    return np.asfortranarray(x) if rng.integers(2) else x


seeds = st.integers(0, 2**32).map(np.random.default_rng)


@given(st.sampled_from((NARROW, WIDE)), seeds)
def test_every_split_order_and_tree_gives_the_same_sums(p, rng):
    x = rows(rng, len(p.names))
    whole = p.sums(x)
    cuts = np.sort(rng.integers(len(x) + 1, size=rng.integers(5)))
    parts = [p.sums(part) for part in np.split(rng.permutation(x), cuts)]
    while len(parts) > 1:                        # a tree of merges, in any shape
        i = int(rng.integers(len(parts) - 1))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    assert np.array_equal(parts[0], whole)
    assert np.array_equal(whole + whole - parts[0], whole)
    assert np.isfinite(whole).all()

    codes = rng.integers(4, size=len(x))
    by_stratum = p.sums_by(x, codes, 5)
    assert by_stratum.shape == (5, p.size)
    assert np.array_equal(by_stratum.sum(axis=0), whole)
    assert np.array_equal(by_stratum[2], p.sums(x[codes == 2]))


@given(seeds)
def test_moments_are_what_the_sums_say(rng):
    x = rows(rng, 5)
    m = NARROW.moments(NARROW.sums(x))
    assert m.n == len(x)
    assert m.missing == np.isnan(x).sum()
    assert (np.diagonal(m.covariance) >= -1e-9).all()
    assert (np.abs(m.wave) <= 1 + 1e-5).all()
    again = Projection.from_json(json.loads(json.dumps(NARROW.to_json())))
    assert np.array_equal(again.sums(x), NARROW.sums(x))


@given(st.sampled_from(BASELINES), seeds)
def test_every_metric_is_a_number_or_says_why_not(baseline, rng):
    x = rows(rng, 5)
    found = measure_multivariate(baseline, NARROW.sums(x))
    assert tuple(f.metric for f in found) == METRICS
    for f in found:
        m = f.measurement
        assert m.n == len(x)
        assert (m.value is None) == (m.reason is not None)
        if m.p_value is not None:
            assert 0 <= m.p_value <= 1
        if m.interval is not None:
            assert 0 <= m.interval[0] <= m.interval[1] < math.inf
        if f.metric != "mmd" and m.known:
            assert m.value >= 0


@given(seeds, st.integers(2, 30))
def test_a_projection_fits_any_reference(rng, n):
    x = rng.standard_normal((n, 4)) * 10.0 ** rng.integers(-200, 200)
    x[:, 1] = 7.0
    x[rng.integers(n, size=n // 2), rng.choice([0, 2, 3])] = rng.choice(AWKWARD)
    p = Projection.fit(x, tuple("abcd"), 3)
    assert 1 not in p.kept
    assert (p.scale > 0).all()
    assert np.isfinite(p.sums(x)).all()
    assert np.abs(p.standardise(x)).max(initial=0.0) <= 8
