"""Laws that disparities keep: no order of groups, one scale, and that a comparison of more groups never shows less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detectors.disparities import disparity
from detectors.fairness import DISPARITIES, RATES, GroupRates, disparities, eligible, group_rates
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space

proportions = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
several = st.lists(proportions, min_size=2, max_size=9)
tables = st.lists(st.lists(st.integers(0, 60), min_size=4, max_size=4), min_size=1, max_size=5)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    k, n = np.array(pairs, np.int64).T
    return k, n


def groups_of(counts: list[list[int]], favourable: int = 1) -> list[GroupRates]:
    """Groups whose predictions all have an outcome, from (decision, label) tables."""
    names = tuple("abcde"[: len(counts)])
    axes = (ALL, Axis("attribute", "x", CategoryGrid(names)))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    predictions, outcomes = np.zeros(space.prediction_size, np.int64), np.zeros(space.outcome_size, np.int64)
    by_group = np.array(counts, np.int64).reshape(-1, 2, 2)
    space.confusion(outcomes, 1)[1 : 1 + len(counts)] = by_group
    space.decisions(predictions, 1)[1 : 1 + len(counts)] = by_group.sum(axis=2)
    return group_rates(space, predictions, outcomes, 1, favourable)  # type: ignore[arg-type]


@settings(max_examples=200)
@given(several, st.sampled_from(["difference", "ratio"]), st.booleans())
def test_a_disparity_lies_within_its_scale_and_its_interval(
    pairs: list[tuple[int, int]], kind: str, to_reference: bool
) -> None:
    k, n = arrays(pairs)
    m = disparity(kind, k, n, 0 if to_reference else None)  # type: ignore[arg-type]
    assert m.n == n.min()
    if m.value is None:
        assert kind == "ratio"
        assert not k.any()
        return
    assert m.interval is not None
    assert 0 <= m.interval[0] <= m.value + 1e-12
    assert m.value - 1e-12 <= m.interval[1] <= 1


@settings(max_examples=100)
@given(several)
def test_difference_and_ratio_tell_the_same_story(pairs: list[tuple[int, int]]) -> None:
    """No difference is a ratio of one, and the one is significant exactly where the other is."""
    k, n = arrays(pairs)
    assume(k.any())
    difference, ratio = disparity("difference", k, n), disparity("ratio", k, n)
    assert (difference.value == 0) == (ratio.value == 1)
    assert difference.interval is not None
    assert ratio.interval is not None
    assume(abs(difference.interval[0]) > 1e-9 or ratio.interval[1] > 1 - 1e-9)
    assert (difference.interval[0] > 0) == (ratio.interval[1] < 1)


@settings(max_examples=100)
@given(several, st.randoms(use_true_random=False))
def test_the_order_of_the_groups_does_not_matter(pairs: list[tuple[int, int]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for kind in ("difference", "ratio"):
        assert disparity(kind, *arrays(pairs)) == disparity(kind, *arrays(shuffled))  # type: ignore[arg-type]


@settings(max_examples=100)
@given(several, proportions)
def test_one_more_group_never_lessens_a_disparity(pairs: list[tuple[int, int]], more: tuple[int, int]) -> None:
    few, many = disparity("difference", *arrays(pairs)), disparity("difference", *arrays([*pairs, more]))
    assert few.value <= many.value
    if few.known and any(k for k, _ in pairs):
        few, many = disparity("ratio", *arrays(pairs)), disparity("ratio", *arrays([*pairs, more]))
        assert few.value >= many.value


@settings(max_examples=100)
@given(several, st.data())
def test_from_a_reference_group_is_at_most_between_groups(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(pairs) - 1))
    assert disparity("difference", *arrays(pairs), at).value <= disparity("difference", *arrays(pairs)).value


@settings(max_examples=100)
@given(tables)
def test_complementary_rates_add_up_to_one(counts: list[list[int]]) -> None:
    for g in groups_of(counts):
        for one, other in (("true_positive", "false_negative"), ("false_positive", "true_negative")):
            a, b = g.rate(f"{one}_rate"), g.rate(f"{other}_rate")
            assert (a.reason, a.n) == (b.reason, b.n)
            if a.value is not None:
                assert a.value + b.value == pytest.approx(1)


@settings(max_examples=100)
@given(tables)
def test_the_other_label_being_favourable_keeps_parity_and_accuracy(counts: list[list[int]]) -> None:
    one, other = dict(disparities(groups_of(counts, 1))), dict(disparities(groups_of(counts, 0)))
    for metric in ("demographic_parity_difference", "accuracy_difference", "equalized_odds_difference"):
        assert one[metric].value == pytest.approx(other[metric].value, abs=1e-12), metric
        assert one[metric].n == other[metric].n


@settings(max_examples=100)
@given(tables)
def test_equalized_odds_is_at_least_equal_opportunity(counts: list[list[int]]) -> None:
    found = dict(disparities(groups_of(counts)))
    odds, opportunity = found["equalized_odds_difference"].value, found["equal_opportunity_difference"].value
    if odds is not None:
        assert opportunity is not None
        assert odds >= opportunity


@settings(max_examples=100)
@given(tables, st.integers(1, 80))
def test_nothing_known_rests_on_fewer_rows_than_the_minimum(counts: list[list[int]], minimum: int) -> None:
    groups = groups_of(counts)
    kept, suppressed = eligible(groups, minimum)
    assert sorted(g.group for g in (*kept, *suppressed)) == [g.group for g in groups]
    for g in (*kept, *suppressed):
        assert set(g.rates) == set(RATES)
        assert all(m.n >= minimum for m in g.rates.values() if m.known)
    found = dict(disparities(kept))
    assert set(found) == set(DISPARITIES)
    assert all(m.n >= minimum for m in found.values() if m.known)
