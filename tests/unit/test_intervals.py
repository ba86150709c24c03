"""Intervals against published figures and against simulation: what they promise, they keep."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binom, studentized_range

from detectors.clusters import counted_design_effect, design_effect
from detectors.disparities import Against, Kind, Proportions, Spans, between, critical, disparity, from_overall
from detectors.intervals import (
    Limits,
    auc_interval,
    cautious_at,
    mean_interval,
    mover_difference,
    mover_mean,
    mover_ratio,
    normal_quantile,
    wilson,
    wilson_at,
    wilson_limits,
)
from detectors.simultaneous import all_pairs, many_to_one
from detectors.summaries.summary import Ints


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


def disparities(kind: Kind, k: Ints, n: Ints, reference: int | None = None, confidence: float = 0.95) -> Spans:
    """The disparities of many samples at once: ``k`` of shape (samples, groups)."""
    rows, known = Proportions(k, np.broadcast_to(n, k.shape)), np.ones(k.shape, bool)
    against: Against = "groups" if reference is None else "reference"
    z = critical(against, known[:1], np.array([1]), confidence)
    return between(kind, rows.at(normal_quantile(confidence)), rows.far(z), known, reference)


def test_a_disparity_is_one_row_of_many() -> None:
    n = np.array([40, 300, 100])
    k = np.random.default_rng(1).binomial(n, 0.3, (20, 3))
    for kind, reference in (("difference", None), ("ratio", None), ("difference", 1)):
        found = disparities(kind, k, n, reference)  # type: ignore[arg-type]
        for row, value, low, high in zip(k, *(x.tolist() for x in found), strict=True):
            one = disparity(kind, row, n, reference)  # type: ignore[arg-type]
            assert (one.value, one.interval) == (value, (low, high))


def test_a_plain_interval_of_the_two_extremes_of_nine_equal_groups_is_wrong_in_half_of_the_samples() -> None:
    k = np.random.default_rng(9).binomial(300, 0.3, (1_000, 9))
    largest, smallest = (wilson_limits(x, np.full(1_000, 300)) for x in (k.max(axis=1), k.min(axis=1)))
    assert np.mean(mover_difference(largest, smallest).lower > 0) > 0.5
    assert np.mean(disparities("difference", k, np.array(300)).lower > 0) <= 0.065


@pytest.mark.parametrize("groups", [2, 5, 9, 12])
@pytest.mark.parametrize("size", [30, 300, 30_000, (30, 30_000)])
@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_equal_groups_differ_in_at_most_one_of_twenty_samples(
    groups: int, size: int | tuple[int, int], rate: float
) -> None:
    """Of 2 to 12 groups of 30 to 30,000: 0.065 is three standard errors of 2,000 samples above 0.05."""
    n = np.geomspace(*size, groups).astype(int) if isinstance(size, tuple) else np.full(groups, size)
    k = np.random.default_rng(groups).binomial(n, rate, (2_000, groups))
    assert np.mean(disparities("difference", k, n).lower > 0) <= 0.065
    assert np.mean(disparities("ratio", k, n).upper < 1) <= 0.065
    for reference in (0, groups - 1):
        assert np.mean(disparities("difference", k, n, reference).lower > 0) <= 0.065


RATES = {"one out": [0.3, 0.3, 0.3, 0.45], "halves": [0.3, 0.3, 0.4, 0.4], "steps": [0.1, 0.15, 0.2, 0.25]}


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
@pytest.mark.parametrize("size", [100, 1_000, 10_000])
def test_disparity_intervals_cover_the_true_disparity(rates: list[float], size: int) -> None:
    p, n = np.array(rates), np.array([size, size // 2, 2 * size, size])
    k = np.random.default_rng(10).binomial(n, p, (2_000, 4))
    for kind, truth in (("difference", p.max() - p.min()), ("ratio", p.min() / p.max())):
        found = disparities(kind, k, n)  # type: ignore[arg-type]
        assert np.mean((found.lower <= truth) & (truth <= found.upper)) >= 0.935, kind
    found = disparities("difference", k, n, 1)
    truth = np.abs(p - p[1]).max()
    assert np.mean((found.lower <= truth) & (truth <= found.upper)) >= 0.935


def test_from_the_whole_covers_too_though_the_group_is_part_of_it() -> None:
    p, n = np.array([0.3, 0.35, 0.42]), np.array([200, 500, 900])
    k = np.random.default_rng(13).binomial(n, p, (2_000, 3))
    total, share = k.sum(axis=1, keepdims=True), np.broadcast_to(n / n.sum(), k.shape)
    group = Proportions(k, np.broadcast_to(n, k.shape))
    rest = Proportions(total - k, np.broadcast_to(n.sum() - n, k.shape))
    known = np.ones(k.shape, bool)
    z = critical("overall", known[:1], np.array([1]))
    near, far = (group.at(normal_quantile(0.95)), rest.at(normal_quantile(0.95))), (group.far(z), rest.far(z))
    whole = (n * p).sum() / n.sum()
    for kind, truth in (("difference", np.abs(p - whole).max()), ("ratio", min((p / whole).min(), (whole / p).min()))):
        found = from_overall(kind, near, far, share, known)  # type: ignore[arg-type]
        assert np.mean((found.lower <= truth) & (truth <= found.upper)) >= 0.935, kind


def test_cautious_limits_hold_in_the_tails_of_rare_counts() -> None:
    """At 3.1 standard errors one in 1,000: Wilson's lower limit fails twenty times as often, the cautious does not."""
    k = np.arange(31)
    chance = binom.pmf(k, 30, 0.02)
    for limits, bad in ((wilson_at, 0.02), (cautious_at, 0.0)):
        missed = chance[limits(k, np.full(31, 30), 3.1).lower > 0.02].sum()
        assert missed > bad if bad else missed < 0.004
    found, plain = cautious_at(k, np.full(31, 30), 3.1), wilson_at(k, np.full(31, 30), 3.1)
    assert (found.lower <= plain.lower).all()
    assert (found.upper >= plain.upper).all()
    assert found.lower == pytest.approx(1 - found.upper[::-1])


@pytest.mark.parametrize("groups", [2, 3, 9, 50])
def test_critical_values_are_those_of_the_studentised_range(groups: int) -> None:
    for families, level in ((1, 0.95), (2, 0.975)):
        theirs = studentized_range.ppf(level, groups, np.inf) / 2**0.5
        assert all_pairs(groups, families) == pytest.approx(theirs, abs=1e-6)
    bonferroni = normal_quantile(1 - 0.05 / (groups * (groups - 1) / 2))
    assert many_to_one(groups - 1) <= all_pairs(groups) + 1e-12 <= bonferroni + 1e-9


def test_a_design_effect_is_that_of_the_rows_of_each_subject() -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(1, 8, 5_000)
    cells, signs = rng.integers(0, 1_024, rows.size), rng.choice([-1, 1], rows.size)
    sketch = np.bincount(cells, weights=signs * rows, minlength=1_024).astype(np.int64)
    assert design_effect(sketch, int(rows.sum())) == pytest.approx(counted_design_effect(rows), rel=0.15)
    assert counted_design_effect(np.zeros(3, np.int64)) == 1.0


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
