"""Laws that disparities keep: no order of groups, one scale, and that a comparison of more groups never shows less."""

from __future__ import annotations

import numpy as np
import pytest
from groups import measured
from hypothesis import assume, given
from hypothesis import strategies as st

from detectors.disparities import disparity
from detectors.fairness import DISPARITIES, RATES, equivalence, measure_errors
from detectors.fairness.attribute import Attribute
from detectors.fairness.suppression import complementary, lines_of
from detectors.point import Measurement

proportions = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
several = st.lists(proportions, min_size=2, max_size=9)
tables = st.lists(st.lists(st.integers(0, 60), min_size=4, max_size=4), min_size=1, max_size=5)
COMPARED = [f"{rate}_{kind}{to}" for rate in ("selection_rate", "true_positive_rate", "false_omission_rate")
            for kind in ("difference", "ratio") for to in ("", "_to_reference", "_to_overall")]  # fmt: skip


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    k, n = np.array(pairs, np.int64).T
    return k, n


def interval(m: Measurement) -> tuple[float, float]:
    assert m.interval is not None
    return m.interval


@given(several, st.booleans())
def test_a_disparity_lies_within_its_scale_and_its_interval(pairs: list[tuple[int, int]], to_reference: bool) -> None:
    k, n = arrays(pairs)
    for kind in ("difference", "ratio"):
        m = disparity(kind, k, n, 0 if to_reference else None)  # type: ignore[arg-type]
        assert m.n == n.min()
        if m.value is None:
            assert kind == "ratio"
            assert not k.any()
        else:
            low, high = interval(m)
            assert 0 <= low <= m.value + 1e-12
            assert m.value - 1e-12 <= high <= 1


@given(several)
def test_difference_and_ratio_tell_the_same_story(pairs: list[tuple[int, int]]) -> None:
    """No difference is a ratio of one, and the one is significant exactly where the other is."""
    k, n = arrays(pairs)
    assume(k.any())
    difference, ratio = disparity("difference", k, n), disparity("ratio", k, n)
    assert (difference.value == 0) == (ratio.value == 1)
    low, high = interval(difference)[0], interval(ratio)[1]
    assume(low > 1e-9 or high > 1 - 1e-9)
    assert (low > 0) == (high < 1)


@given(several, st.randoms(use_true_random=False))
def test_the_order_of_the_groups_does_not_matter(pairs: list[tuple[int, int]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for kind in ("difference", "ratio"):
        assert disparity(kind, *arrays(pairs)) == disparity(kind, *arrays(shuffled))  # type: ignore[arg-type]


@given(several, proportions)
def test_one_more_group_never_lessens_a_disparity(pairs: list[tuple[int, int]], more: tuple[int, int]) -> None:
    few, many = disparity("difference", *arrays(pairs)), disparity("difference", *arrays([*pairs, more]))
    assert few.value <= many.value
    assert interval(few)[1] <= interval(many)[1] + 1e-12
    if any(k for k, _ in pairs):
        few, many = disparity("ratio", *arrays(pairs)), disparity("ratio", *arrays([*pairs, more]))
        assert few.value >= many.value


@given(several, st.data())
def test_from_a_reference_group_is_at_most_between_groups(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(pairs) - 1))
    one, all_ = disparity("difference", *arrays(pairs), at), disparity("difference", *arrays(pairs))
    assert one.value <= all_.value
    assert interval(one)[1] <= interval(all_)[1] + 1e-12


@given(several, st.floats(1, 50))
def test_fewer_independent_rows_and_more_confidence_only_widen(pairs: list[tuple[int, int]], deff: float) -> None:
    k, n = arrays(pairs)
    narrow = interval(disparity("difference", k, n))
    for wide in (disparity("difference", k, n, deff=deff), disparity("difference", k, n, confidence=0.999)):
        low, high = interval(wide)
        assert low <= narrow[0] + 1e-12
        assert high >= narrow[1] - 1e-12


@given(several, st.floats(0.01, 0.9))
def test_more_is_never_less_equal_and_wider_margins_are_met_sooner(
    pairs: list[tuple[int, int]], margin: float
) -> None:
    k, n = arrays(pairs)
    found, wider = equivalence("difference", k, n, margin), equivalence("difference", k, n, margin + 0.05)
    assert found is not None
    assert wider is not None
    assert wider.p_value <= found.p_value + 1e-9
    assert found.equivalent == (found.interval[1] < margin) or abs(found.p_value - 0.05) < 1e-6
    if disparity("difference", k, n).value > margin:
        assert found.p_value >= 0.5 - 1e-9


@given(tables)
def test_complementary_rates_add_up_to_one(counts: list[list[int]]) -> None:
    found = measured(counts)
    pairs = (("true_positive", "false_negative"), ("false_positive", "true_negative"))
    named = [(f"{one}_rate", f"{other}_rate") for one, other in pairs]
    named.append(("positive_predictive_value", "false_discovery_rate"))
    named.append(("negative_predictive_value", "false_omission_rate"))
    for g in "abcde"[: len(counts)]:
        for one, other in named:
            a, b = found[one, g], found[other, g]
            assert (a.reason, a.n) == (b.reason, b.n)
            if a.value is not None:
                assert a.value + b.value == pytest.approx(1)


@given(tables)
def test_the_other_label_being_favourable_keeps_parity_and_accuracy(counts: list[list[int]]) -> None:
    one, other = measured(counts, favourable=1), measured(counts, favourable=0)
    for metric in ("demographic_parity_difference", "accuracy_difference", "equalized_odds_difference"):
        assert one[metric, None].value == pytest.approx(other[metric, None].value, abs=1e-12), metric
        assert one[metric, None].n == other[metric, None].n
    assert one["equal_opportunity_difference", None].known or not one["equalized_odds_difference", None].known


@given(tables)
def test_equalized_odds_is_at_least_equal_opportunity(counts: list[list[int]]) -> None:
    found = measured(counts)
    odds = found["equalized_odds_difference", None].value
    if odds is not None:
        assert odds >= found["equal_opportunity_difference", None].value


@given(tables, st.sampled_from("abcde"))
def test_every_comparison_lies_in_its_interval_and_on_its_scale(counts: list[list[int]], reference: str) -> None:
    """And from the whole no group is as far as from the rest, nor two groups from each other."""
    found = measured(counts, reference=reference, metrics=COMPARED)
    for metric in COMPARED:
        m = found[metric, None]
        if m.value is not None:
            low, high = interval(m)
            assert 0 <= low <= m.value + 1e-12
            assert m.value - 1e-12 <= high <= 1 + 1e-12
    for rate in ("selection_rate", "true_positive_rate"):
        between = measured(counts, metrics=[f"{rate}_difference", f"{rate}_difference_to_overall"])
        apart, whole = between[f"{rate}_difference", None], between[f"{rate}_difference_to_overall", None]
        assert apart.known == whole.known
        if apart.value is not None:
            assert whole.value <= apart.value + 1e-12


@given(tables, st.integers(1, 80))
def test_nothing_known_rests_on_fewer_rows_than_the_minimum(counts: list[list[int]], minimum: int) -> None:
    found = measured(counts, minimum)
    assert {name for name, g in found if g is not None} == set(RATES)
    assert {name for name, g in found if g is None} == set(DISPARITIES)
    assert all(m.n >= minimum for m in found.values() if m.known)


crossed = st.dictionaries(st.tuples(st.sampled_from("123"), st.sampled_from("123")), st.integers(0, 200), min_size=1)


@given(crossed, st.integers(0, 50), st.integers(1, 100))
def test_no_small_group_can_be_had_by_subtraction(sizes: dict[tuple[str, str], int], cover: int, least: int) -> None:
    """Neither from the whole nor from a row or a column, unless nothing is left that could hide it."""
    names = [f"{a}&{b}" for a, b in sizes]
    rows = np.array([[cover, *sizes.values(), 0]])
    few = rows[0, 1:-1] < least
    lines = lines_of("x&y", names)
    hidden = few | complementary(rows, few, least, lines)
    for line, covered in ((np.ones(len(names), bool), cover), *((line, 0) for line in lines)):
        lone, shown = rows[0, 1:-1][line & hidden].sum(), (line & ~hidden).any()
        assert lone == 0 or lone + covered >= least or not shown


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=8), min_size=2, max_size=5))
def test_errors_of_any_size_make_measurements(groups: list[list[float]]) -> None:
    n = np.array([0, *map(len, groups), 0])
    sums = np.array([[0.0] * 3, *([sum(e), sum(map(abs, e)), sum(x * x for x in e)] for e in groups), [0.0] * 3])
    found = measure_errors(Attribute("x", tuple("abcde"[: len(groups)])), n, sums)
    for name, _, m in found:
        if m.value is not None and m.interval is not None:
            slack = 1e-9 * (1 + abs(m.value))
            assert m.interval[0] - slack <= m.value <= m.interval[1] + slack, name
