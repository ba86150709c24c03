"""Intervals against published figures and against simulation: what they promise, they keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from detectors.disparities import disparity
from detectors.intervals import (
    Limits,
    auc_interval,
    mean_interval,
    mover_difference,
    mover_mean,
    mover_ratio,
    wilson,
    wilson_limits,
)


def limits(k: int, n: int, confidence: float = 0.95) -> Limits:
    return wilson_limits(np.array([k]), np.array([n]), confidence)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_has_the_published_figures(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("k", "n"), [(1, 0), (0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_what_is_no_proportion(k: int, n: int) -> None:
    with pytest.raises(ValueError) as error:
        wilson(k, n)
    assert f"{k} of {n}" in str(error.value)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_difference_has_the_published_figures(a: tuple[int, int], b: tuple[int, int], low: float, high: float) -> None:
    found = mover_difference(limits(*a), limits(*b))
    assert (float(found.lower[0]), float(found.upper[0])) == pytest.approx((low, high), abs=5e-5)


def test_ratio_excludes_one_exactly_where_the_difference_excludes_zero() -> None:
    ks = np.arange(21)
    rows = Limits(*(x[:, None] for x in wilson_limits(ks, np.full(21, 20))))
    columns = Limits(*(x[None, :] for x in wilson_limits(ks, np.full(21, 20))))
    difference, ratio = mover_difference(rows, columns), mover_ratio(rows, columns)
    assert np.array_equal(difference.lower > 1e-12, ratio.lower > 1 + 1e-12)
    assert np.array_equal(difference.upper < -1e-12, ratio.upper < 1 - 1e-12)


def test_ratio_of_zeros_needs_no_correction() -> None:
    nothing, some = limits(0, 50), limits(5, 50)
    assert [float(x[0]) for x in mover_ratio(nothing, some)][:2] == [0.0, 0.0]
    assert [float(x[0]) for x in mover_ratio(some, nothing)][::2] == [np.inf, np.inf]
    both = mover_ratio(nothing, nothing)
    assert np.isnan(both.value[0])
    assert (both.lower[0], both.upper[0]) == (0.0, np.inf)


def test_no_interval_of_a_mean_from_one_row_and_a_point_from_equal_rows() -> None:
    assert mean_interval(3.0, 9.0, 1) is None
    assert mean_interval(6.0, 12.0, 3) == (2.0, 2.0)


def test_largest_minus_smallest_of_equal_groups_is_significant_in_at_most_one_of_twenty() -> None:
    """Nine equal groups: a plain interval of the two extremes excludes zero in more than half of the samples."""
    rng = np.random.default_rng(9)
    n = np.full(9, 300)
    samples = rng.binomial(300, 0.3, (600, 9))
    plain = [
        mover_difference(limits(int(k.max()), 300), limits(int(k.min()), 300)).lower[0] > 0 for k in samples
    ]
    differences = [disparity("difference", k, n).interval for k in samples]
    ratios = [disparity("ratio", k, n).interval for k in samples]
    assert np.mean(plain) > 0.5
    assert np.mean([i is not None and i[0] > 0 for i in differences]) <= 0.06
    assert np.mean([i is not None and i[1] < 1 for i in ratios]) <= 0.06


def test_disparity_intervals_cover_the_true_disparity() -> None:
    rng = np.random.default_rng(10)
    rates, n = np.array([0.30, 0.32, 0.36, 0.40]), np.array([400, 150, 800, 300])
    samples = rng.binomial(n, rates, (400, 4))
    for kind, truth, reference in (("difference", 0.1, None), ("ratio", 0.75, None), ("difference", 0.08, 1)):
        found = [disparity(kind, k, n, reference).interval for k in samples]  # type: ignore[arg-type]
        assert np.mean([i is not None and i[0] <= truth <= i[1] for i in found]) >= 0.94, kind


@pytest.mark.parametrize(
    ("negatives", "positives", "shift"), [(400, 400, 1.8), (2000, 5, 1.8), (50, 10, 1.0), (500, 2, 2.5)]
)
def test_auc_interval_covers_the_true_area_at_any_size(negatives: int, positives: int, shift: float) -> None:
    """Two normal distributions one apart by ``shift``: the area is Φ(shift / √2)."""
    rng, truth, runs = np.random.default_rng(11), float(ndtr(shift / 2**0.5)), 400
    covered = 0
    for _ in range(runs):
        scores = [ndtr(rng.normal(s, 1, n) - shift / 2) for s, n in ((0.0, negatives), (shift, positives))]
        counts = [np.bincount((s * 2000).astype(int), minlength=2000) for s in scores]
        _, (low, high) = auc_interval(counts[0], counts[1])
        covered += low <= truth <= high
    assert covered / runs > 0.91


def test_auc_interval_is_open_where_the_classes_part_perfectly() -> None:
    area, (low, high) = auc_interval(np.array([40, 0]), np.array([0, 3]))
    assert (area, high) == (1.0, 1.0)
    assert low == pytest.approx(wilson(3, 3)[0])


def test_mean_of_two_rates_covers_their_mean() -> None:
    rng = np.random.default_rng(12)
    a, b = rng.binomial(40, 0.9, 500), rng.binomial(200, 0.7, 500)
    found = mover_mean(wilson_limits(a, np.full(500, 40)), wilson_limits(b, np.full(500, 200)))
    assert np.mean((found.lower <= 0.8) & (found.upper >= 0.8)) > 0.93
