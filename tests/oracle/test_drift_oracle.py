"""SciPy as the oracle of every drift metric, of what binning loses, and of the measurement by segments."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest
from examples import ORACLE
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from detectors.cells import places
from detectors.drift import METRICS, cumulative, distances, measure_drift
from detectors.drift.samples import compare_categories, compare_numbers, kolmogorov_smirnov_p_value
from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary

tied = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=30).map(np.array)
spread = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30).map(np.array)
samples = st.one_of(st.tuples(tied, tied), st.tuples(spread, spread))
tables = st.integers(1, 8).flatmap(
    lambda k: st.tuples(*[st.lists(st.integers(0, 400), min_size=k, max_size=k).map(np.array)] * 2)
).filter(lambda sides: all(side.sum() for side in sides))  # fmt: skip


def counted(r: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """A cell for each distinct value."""
    values = np.unique(np.r_[r, c])
    return values, [np.array([(side == v).sum() for v in values]) for side in (r, c)]


def anderson_darling(r: np.ndarray, c: np.ndarray) -> float:
    """SciPy's statistic before it is normalised: Scholz and Stephens (1987), eq. 4 and 7."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")         # p-values beyond its table, and parameters about to change
        normalised = stats.anderson_ksamp([r, c]).statistic
    n, sides = r.size + c.size, 1 / r.size + 1 / c.size
    inverse = 1 / np.arange(n - 1, 1, -1)
    h, g = inverse.sum() + 1, (inverse.cumsum() / np.arange(2, n)).sum()
    of_n = np.array([
        4 * g - 6 + (10 - 6 * g) * sides,
        (2 * g - 4) * 4 + 16 * h + (2 * g - 14 * h - 4) * sides - 8 * h + 4 * g - 6,
        (6 * h + 2 * g - 2) * 4 + (4 * h - 4 * g + 6) * 2 + (2 * h - 6) * sides + 4 * h,
        (2 * h + 6) * 4 - 8 * h,
    ])  # fmt: skip
    variance = np.polyval([*of_n], n) / ((n - 1) * (n - 2) * (n - 3))
    return normalised * np.sqrt(variance) + 1


def scipys_test(r: np.ndarray, c: np.ndarray, method: str):
    with np.errstate(divide="ignore", invalid="ignore"):       # asymptotically two samples of 1 row are none
        return stats.ks_2samp(r, c, method=method)


@ORACLE
@given(samples)
def test_distribution_functions_agree_with_scipy(sides):
    r, c = sides
    values, counts = counted(r, c)
    assert cumulative.kolmogorov_smirnov(*counts) == pytest.approx(scipys_test(r, c, "asymp").statistic)
    assert cumulative.wasserstein(*counts, values) == pytest.approx(stats.wasserstein_distance(r, c), abs=1e-9)
    assert cumulative.energy(*counts, values) == pytest.approx(stats.energy_distance(r, c), abs=1e-9)
    found = compare_numbers("normed_wasserstein", r, c)
    if np.ptp(r) > 1e-9:
        assert found.value == pytest.approx(stats.wasserstein_distance(r, c) / r.std(), rel=1e-6)
    elif np.ptp(r) == 0:
        assert found.reason == "constant_reference"

    n, m = r.size, c.size
    if n + m > 3 and values.size > 1:
        effect = cumulative.anderson_darling(*counts, weight=n / (n + m))
        statistic = effect * n * m / (n + m) * (n + m - 1) / (n + m)
        assert statistic == pytest.approx(anderson_darling(r, c), rel=1e-6, abs=1e-6)
    if values.size == n + m and min(n, m) > 1:                 # SciPy's is another with ties
        effect = cumulative.cramer_von_mises(*counts, weight=n / (n + m))
        theirs = stats.cramervonmises_2samp(r, c, method="asymptotic").statistic
        assert effect * n * m / (n + m) == pytest.approx(theirs)


@ORACLE
@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_p_values_of_kolmogorov_and_smirnov_agree_with_scipy(n, m, seed):
    r, c = np.split(np.random.default_rng(seed).permutation(n + m), [n])
    for exact, method in ((True, "exact"), (False, "asymp")):
        try:
            theirs = scipys_test(r, c, method)
        except RuntimeWarning:                      # SciPy's exact count is rounded to above 1, and it gives up
            theirs = scipys_test(r, c, "asymp")
            assert kolmogorov_smirnov_p_value(theirs.statistic, n, m, exact=True) > 0.999
            continue
        ours = kolmogorov_smirnov_p_value(theirs.statistic, n, m, exact=exact)
        assert (ours is None) == bool(np.isnan(theirs.pvalue))
        assert ours is None or ours == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)


@ORACLE
@given(tables)
def test_distances_of_bins_agree_with_scipy(sides):
    r, c = sides
    p, q = r / r.sum(), c / c.sum()
    assert distances.jensen_shannon(r, c) == pytest.approx(distance.jensenshannon(p, q, base=2), abs=1e-7)
    assert distances.total_variation(r, c) == pytest.approx(distance.cityblock(p, q) / 2, abs=1e-12)
    assert distances.l_infinity(r, c) == pytest.approx(distance.chebyshev(p, q), abs=1e-12)
    assert distances.hellinger(r, c) == pytest.approx(distance.euclidean(p**0.5, q**0.5) / 2**0.5, abs=1e-7)
    if min(p.min(), q.min()) >= distances.SHARE_FLOOR:
        there, back = stats.entropy(q, p), stats.entropy(p, q)
        assert distances.kullback_leibler(r, c) == pytest.approx(there, abs=1e-12)
        assert distances.psi(r, c) == pytest.approx(there + back, abs=1e-12)

    table = np.array([r, c])[:, r + c > 0]
    for ours, name in ((distances.chi_square(r, c), "pearson"), (distances.g_test(r, c), "log-likelihood")):
        theirs = stats.chi2_contingency(table, correction=False, lambda_=name)
        assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-8)
        assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-6)          # steep near a statistic of 0
        assert ours.dof == theirs.dof
    if table.shape[1] > 1:
        even = np.array([table[0] * c.sum(), table[1] * r.sum()])
        for counts, weight in ((even, 0.5), (table, r.sum() / (r.sum() + c.sum()))):
            theirs = stats.contingency.association(counts, method="cramer", correction=False)
            assert distances.cramers_v(r, c, weight) == pytest.approx(theirs, abs=1e-7)


@ORACLE
@given(st.one_of(samples, st.tuples(spread, spread.map(lambda c: c / 100))))
def test_what_binning_loses_is_within_its_bound(sides):
    r, c = sides
    grid = NumericGrid.fit(r)
    counts = [np.bincount(grid.cells(side), minlength=grid.size)[1:] for side in (r, c)]
    _, exact = counted(r, c)
    gap = cumulative.kolmogorov_smirnov(*exact) - cumulative.kolmogorov_smirnov(*counts)
    assert -1e-12 <= gap <= cumulative.kolmogorov_smirnov_bound(*counts) + 1e-12
    for name in ("cramer_von_mises", "anderson_darling"):
        of, bound = getattr(cumulative, name), getattr(cumulative, f"{name}_bound")
        for weight in (0.5, r.size / (r.size + c.size)):
            assert abs(of(*exact, weight) - of(*counts, weight)) <= bound(*counts, weight) + 1e-9

    positions, halves = places(NumericGrid(0.0, 1.0))
    positions, halves = grid.scale * positions, grid.scale * halves
    ours, bound = cumulative.wasserstein(*counts, positions), cumulative.wasserstein_bound(*counts, halves)
    raw = stats.wasserstein_distance(r, c)
    assert ours <= raw + bound + 1e-9                                  # also where the window lies beyond the grid
    if any(side[[0, -1]].any() for side in counts):
        return
    assert ours == pytest.approx(raw, abs=bound + 1e-9)
    gap = cumulative.energy(*counts, positions) - stats.energy_distance(r, c)
    assert abs(gap) <= cumulative.energy_bound(*counts, halves) + 1e-7
    normed = cumulative.normed_wasserstein(*counts, positions)
    if normed is not None and r.std() > 0:
        bound = cumulative.normed_wasserstein_bound(*counts, positions, halves)
        assert abs(normed - raw / r.std()) <= bound + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_measured_by_segments_is_what_scipy_finds_on_the_raw_values(seed):
    rng = np.random.default_rng(seed)
    ages = rng.normal(40, 10, 5000).round(3), rng.normal(43, 12, 700).round(3)
    plans = rng.choice(list("abcde"), 5000), rng.choice(list("abcdez"), 700)
    scores = rng.beta(2, 5, 5000), rng.beta(2, 4, 700)
    columns = (
        Column("feature", "age", NumericGrid.fit(ages[0])),
        Column("feature", "plan", CategoryGrid.of(Counter(plans[0].tolist()))),
        Column("output", "score", UniformGrid()),
    )
    space = Space("binary_classification", columns)
    both = []
    for i in (0, 1):
        values = ages[i], plans[i].tolist(), scores[i]
        each = zip(columns, values, space.column_offsets, strict=False)
        both.append(Summary.of(np.concatenate([c.grid.cells(v) + o for c, v, o in each])))
    reference = Reference.build("r", space, both[:1])
    points = measure_drift(reference, both[1].dense(space.prediction_size), METRICS)
    found = {(m, s.feature or s.output): p.value for m, s, p in points}

    for i, values in ((0, ages), (2, scores)):
        name = columns[i].name
        for metric in ("psi", "jensen_shannon", "hellinger", "total_variation", "kullback_leibler"):
            exact = compare_numbers(metric, *values, reference.bins.edges(i)).value
            assert found[metric, name] == pytest.approx(exact, abs=1e-9)
        for metric, close in (
            ("kolmogorov_smirnov", 0.02), ("cramer_von_mises", 2e-3), ("anderson_darling", 0.01),
            ("normed_wasserstein", 2e-3),
        ):  # fmt: skip
            assert found[metric, name] == pytest.approx(compare_numbers(metric, *values).value, abs=close)
        assert found["wasserstein", name] == pytest.approx(stats.wasserstein_distance(*values), rel=0.01)
        assert found["energy", name] == pytest.approx(stats.energy_distance(*values), rel=0.01)
    for metric in ("chi_square", "g_test", "cramers_v", "l_infinity", "jensen_shannon", "total_variation", "psi"):
        exact = compare_categories(metric, *(side.tolist() for side in plans)).value
        assert found[metric, "plan"] == pytest.approx(exact, abs=1e-9)
