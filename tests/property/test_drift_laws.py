"""What holds of drift for any counts: ranges, symmetry, zero, and that nothing but a number or a reason comes out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.drift import ANY_COLUMN, CATEGORICAL, HEADLINE, METRICS, NUMERIC, measure_drift
from detectors.drift.cumulative import anderson_darling, cramer_von_mises, energy, kolmogorov_smirnov, wasserstein
from detectors.drift.distances import (
    chi_square,
    cramers_v,
    g_test,
    hellinger,
    jensen_shannon,
    kullback_leibler,
    l_infinity,
    psi,
    total_variation,
)
from detectors.drift.samples import compare_categories, compare_numbers
from detectors.quality import measure_quality
from detectors.reference import Reference
from detectors.summaries.space import example_space
from detectors.summaries.summary import Summary

SPACE = example_space()
OF_BINS = (jensen_shannon, hellinger, total_variation, l_infinity, cramers_v)
OF_CELLS = (kolmogorov_smirnov, cramer_von_mises, anderson_darling)
MOST = {cramer_von_mises: 0.5, anderson_darling: 4.0}

bin_counts = st.integers(1, 12).flatmap(
    lambda k: st.tuples(*[st.lists(st.integers(0, 10**6), min_size=k, max_size=k).map(np.array)] * 2)
).filter(lambda pair: all(side.sum() for side in pair))  # fmt: skip


@given(bin_counts)
def test_distances_are_symmetric_and_within_their_range(pair):
    r, c = pair
    x = np.arange(r.size) ** 2.0
    for distance in (*OF_BINS, *OF_CELLS):
        assert 0 <= distance(r, c) <= MOST.get(distance, 1.0) + 1e-12
        assert math.isclose(distance(r, c), distance(c, r), abs_tol=1e-12)
    for distance in (wasserstein, energy):
        assert distance(r, c, x) >= 0
        assert math.isclose(distance(r, c, x), distance(c, r, x), abs_tol=1e-9)
        assert math.isclose(distance(r, c, 3 * x + 5), distance(r, c, x) * (3 if distance is wasserstein else 3**0.5))
    assert math.isclose(psi(r, c), psi(c, r), abs_tol=1e-9)
    there, back = kullback_leibler(r, c), kullback_leibler(c, r)
    assert min(there, back) >= 0
    assert math.isclose(there + back, psi(r, c), abs_tol=1e-9)
    assert 0 <= chi_square(r, c).p_value <= 1
    assert 0 <= g_test(r, c).p_value <= 1


@given(bin_counts)
def test_the_order_of_bins_is_nothing_to_distances_and_its_reversal_nothing_to_distribution_functions(pair):
    r, c = pair
    turned = np.roll(np.arange(r.size), 3)
    for distance in (*OF_BINS, psi, kullback_leibler):
        assert math.isclose(distance(r, c), distance(r[turned], c[turned]), abs_tol=1e-7)
    for distance in OF_CELLS:
        assert math.isclose(distance(r, c), distance(r[::-1], c[::-1]), abs_tol=1e-12)


@given(bin_counts, st.integers(1, 9))
def test_effects_are_of_shares_whatever_the_sizes(pair, times):
    r, c = pair
    for distance in (*OF_BINS, *OF_CELLS, psi, kullback_leibler):
        assert abs(distance(r, r * times)) < 1e-6
        assert math.isclose(distance(r, c), distance(r, c * times), abs_tol=1e-7)
    for test in (chi_square, g_test):
        assert abs(test(r, r * times).statistic) < 1e-6
        assert test(r * times, c * times).statistic == pytest.approx(times * test(r, c).statistic, rel=1e-6, abs=1e-6)


@given(bin_counts)
def test_inequalities_between_distances(pair):
    r, c = pair
    h, tv, v = hellinger(r, c), total_variation(r, c), cramers_v(r, c)
    assert h**2 - 1e-12 <= tv <= math.sqrt(2) * h + 1e-9                # Le Cam
    assert tv**2 - 1e-12 <= v**2 <= tv + 1e-12                          # Cauchy and Schwarz; |p - q| <= p + q
    assert l_infinity(r, c) <= tv + 1e-12
    assert kolmogorov_smirnov(r, c) <= tv + 1e-12
    ks = kolmogorov_smirnov(r, c)
    assert cramer_von_mises(r, c) <= ks**2 + 1e-12
    x = np.cumsum(np.arange(1, r.size + 1.0))
    w, width = wasserstein(r, c, x), x[-1] - x[0]
    assert w <= ks * width + 1e-9
    assert energy(r, c, x) ** 2 <= 2 * ks * w + 1e-9
    assert w**2 <= energy(r, c, x) ** 2 / 2 * width + 1e-6


@given(bin_counts)
def test_merging_bins_never_adds_to_a_distance(pair):
    r, c = pair
    if r.size < 2:
        return
    merged = [np.r_[side[0] + side[1], side[2:]] for side in (r, c)]
    for distance in (jensen_shannon, hellinger, total_variation, kolmogorov_smirnov, cramers_v):
        assert distance(*merged) <= distance(r, c) + 1e-7
    assert chi_square(*merged).statistic <= chi_square(r, c).statistic * (1 + 1e-9) + 1e-9


def window_of(rows: list[list[tuple[int, int]]]) -> Summary:
    """Counts of any few cells of each column, as many rows in each as there happen to be."""
    cells = [o + c % size for o, size, some in zip(SPACE.column_offsets, SIZES, rows, strict=False) for c, _ in some]
    counts = [k for some in rows for _, k in some]
    return Summary.of(np.repeat(cells, counts) if cells else np.empty(0, np.int64))


SIZES = [column.grid.size for column in SPACE.columns]
column_rows = st.lists(st.tuples(st.integers(0, 2100), st.integers(1, 30)), max_size=4)
windows = st.tuples(column_rows, column_rows, column_rows).map(window_of)


@given(st.lists(windows, max_size=5), windows)
def test_every_point_is_a_number_within_bounds_or_says_why_not(blocks, window):
    reference = Reference.build("r", SPACE, blocks)
    dense = window.dense(SPACE.prediction_size)
    points = measure_drift(reference, dense, METRICS)
    assert len(points) == 3 * len(ANY_COLUMN) + 2 * len(NUMERIC) + len(CATEGORICAL)
    for metric, _, m in points + measure_quality(reference, dense):
        assert (m.value is None) == (m.reason is not None)
        assert m.n >= 0
        assert m.p_value is None or 0 <= m.p_value <= 1
        if m.interval is not None:
            low, high = m.interval
            assert 0 <= low <= high < math.inf
            assert high <= 1 or metric in ("psi", "kullback_leibler", *NUMERIC[2:])
    few = {(metric, scope): m for metric, scope, m in points if metric in HEADLINE}
    assert {(metric, scope): m for metric, scope, m in measure_drift(reference, dense)} == few


@given(st.lists(windows, min_size=1, max_size=5))
def test_the_reference_compared_with_itself_has_not_moved(blocks):
    reference = Reference.build("r", SPACE, blocks)
    for metric, _, m in measure_drift(reference, reference.predictions, METRICS):
        if m.known:
            assert abs(m.value) < 1e-6, metric
            assert m.p_value > 0.99
            assert m.interval is None or m.interval[0] == 0


numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20).map(np.array)
words = st.lists(st.none() | st.text(max_size=3), max_size=20)


@given(numbers, numbers, words, words)
def test_any_two_samples_compare_or_say_why_not(r, c, a, b):
    for metric in (*ANY_COLUMN, *NUMERIC):
        m = compare_numbers(metric, r, c)
        assert m.value is None or m.value >= 0
    for metric in (*ANY_COLUMN, *CATEGORICAL):
        m = compare_categories(metric, a, b)
        assert m.value is None or m.value >= 0
        assert m.n == sum(v is not None for v in b)


@pytest.mark.parametrize("metric", ["wasserstein", "normed_wasserstein", "energy"])
def test_the_largest_numbers_are_within_reach(metric):
    huge = np.array([-1.7e308, 1.7e308, np.inf])
    assert compare_numbers(metric, huge, -huge).known
    assert compare_numbers(metric, np.array([5e-324, 0.0]), np.array([1e-310])).known
