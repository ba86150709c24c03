"""What holds of drift for any counts: ranges, symmetry, zero, and that nothing but a number or a reason comes out."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.drift import (
    chi_square,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    measure_drift,
    psi,
    total_variation,
)
from detectors.quality import measure_quality
from detectors.reference import Reference
from detectors.summaries.space import example_space
from detectors.summaries.summary import Summary

SPACE = example_space()
BOUNDED = (jensen_shannon, hellinger, total_variation, kolmogorov_smirnov)

bin_counts = st.integers(1, 12).flatmap(
    lambda k: st.tuples(*[st.lists(st.integers(0, 10**6), min_size=k, max_size=k)] * 2)
).filter(lambda pair: all(sum(side) for side in pair))  # fmt: skip


@given(bin_counts)
def test_distances_are_symmetric_and_within_their_range(pair):
    r, c = (np.array(side) for side in pair)
    for distance in BOUNDED:
        assert 0 <= distance(r, c) <= 1 + 1e-12
        assert math.isclose(distance(r, c), distance(c, r), abs_tol=1e-12)
    assert psi(r, c) >= 0
    assert math.isclose(psi(r, c), psi(c, r), abs_tol=1e-9)
    assert 0 <= chi_square(r, c).p_value <= 1


@given(bin_counts, st.integers(1, 9))
def test_the_same_shares_are_no_distance_whatever_the_size(pair, times):
    r = np.array(pair[0])
    for distance in (*BOUNDED, psi):
        assert abs(distance(r, r * times)) < 1e-6
    assert abs(chi_square(r, r * times).statistic) < 1e-6


@given(bin_counts)
def test_le_cams_inequality_and_the_bound_of_the_cumulative_distance(pair):
    r, c = (np.array(side) for side in pair)
    h, tv = hellinger(r, c), total_variation(r, c)
    assert h**2 - 1e-12 <= tv <= math.sqrt(2) * h + 1e-9
    assert kolmogorov_smirnov(r, c) <= tv + 1e-12


@st.composite
def windows(draw) -> Summary:
    """Any few rows anywhere in the space of predictions, with the axis cells of the same number of rows."""
    n = draw(st.integers(0, 60))
    cells = []
    for i, column in enumerate(SPACE.columns):
        inner = draw(st.lists(st.integers(0, column.grid.size - 1), min_size=1, max_size=4))
        picks = draw(st.lists(st.sampled_from(inner), min_size=n, max_size=n))
        cells.append(np.array(picks, np.int64) + SPACE.column_offsets[i])
    cells.append(np.full(n, SPACE.axis_offsets[0] + SPACE.n_classes))
    return Summary.of(np.concatenate(cells))


@settings(max_examples=60, deadline=None)
@given(st.lists(windows(), max_size=12), windows())
def test_every_point_is_a_number_within_bounds_or_says_why_not(blocks, window):
    reference = Reference.build("r", SPACE, blocks, Summary.zero(2))
    dense = window.dense(SPACE.prediction_size)
    points = measure_drift(reference, dense) + measure_quality(reference, dense)
    assert len(points) == 9 + 1 + 3 + 1 + 1                     # 3 metrics of 3 columns; rows, missing, unseen, range
    for metric, _, m in points:
        assert (m.value is None) == (m.reason is not None)
        assert m.n >= 0
        if m.p_value is not None:
            assert 0 <= m.p_value <= 1
        if m.interval is not None:
            low, high = m.interval
            assert 0 <= low <= high < math.inf
            assert high <= 1 or metric == "psi"


@settings(max_examples=30, deadline=None)
@given(st.lists(windows(), min_size=1, max_size=12))
def test_the_reference_compared_with_itself_has_not_moved(blocks):
    reference = Reference.build("r", SPACE, blocks, Summary.zero(2))
    for _, _, m in measure_drift(reference, reference.predictions):
        if m.known:
            assert abs(m.value) < 1e-6
            assert m.p_value > 0.99
            assert m.interval is None or m.interval[0] == 0
