"""Fairness: who is compared with whom, who is left out, and what is said when nobody can be compared."""

from __future__ import annotations

import numpy as np
import pytest
from groups import cells, measured

from detectors.disparities import disparity
from detectors.fairness import DISPARITIES, RATES, Attribute, measure_attribute, measure_fairness, resolve
from detectors.intervals import wilson
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space

Table = tuple[int, int, int, int]         # tn, fp, fn, tp


def test_selection_counts_all_predictions_and_the_rest_outcomes() -> None:
    decisions, outcomes = np.zeros((4, 2), int), np.zeros((4, 2, 2), int)
    decisions[1], outcomes[1] = [3, 1], [[0, 1], [0, 1]]
    found = {n: m for n, s, m in measure_attribute(Attribute("x", ("1", "2")), decisions, outcomes) if s.group == "1"}
    assert (found["selection_rate"].value, found["selection_rate"].n) == (0.25, 4)
    assert (found["accuracy"].value, found["accuracy"].n) == (0.5, 2)
    assert found["true_negative_rate"].reason is Reason.NO_NEGATIVES


def test_rows_without_the_attribute_and_of_other_groups_belong_to_no_group() -> None:
    decisions, outcomes = cells([(1, 1, 1, 1), (0, 2, 0, 2)])
    alone = measure_attribute(Attribute("x", ("1", "2")), decisions, outcomes)
    decisions[[0, 3]], outcomes[[0, 3]] = 500, 250
    assert measure_attribute(Attribute("x", ("1", "2")), decisions, outcomes) == alone


def test_favourable_zero_turns_every_rate_to_the_other_label() -> None:
    table = (2, 2, 1, 5)
    positive, negative = ({n: m for (n, g), m in measured([table], favourable=f).items() if g} for f in (1, 0))
    assert negative["selection_rate"].value == pytest.approx(1 - positive["selection_rate"].value)
    assert negative["true_positive_rate"].value == positive["true_negative_rate"].value
    assert negative["false_positive_rate"].value == positive["false_negative_rate"].value
    assert negative["positive_predictive_value"].value == positive["negative_predictive_value"].value
    assert negative["false_discovery_rate"].value == positive["false_omission_rate"].value
    assert negative["favourable_rate"].value == pytest.approx(1 - positive["favourable_rate"].value)
    assert negative["accuracy"] == positive["accuracy"]


def test_one_class_of_many_is_the_favourable_one_against_all_others() -> None:
    outcomes = np.zeros((3, 3, 3), int)
    outcomes[1] = [[5, 1, 1], [2, 6, 1], [0, 1, 7]]                       # decided, true
    found = {n: m for n, _, m in measure_attribute(Attribute("x", ("1",)), outcomes.sum(axis=2), outcomes, 2)}
    assert found["true_positive_rate"].value == pytest.approx(7 / 9)
    assert found["false_positive_rate"].value == pytest.approx(1 / 15)
    assert found["accuracy"].value == pytest.approx(18 / 24)              # right in all classes


def test_a_small_group_is_named_unknown_and_not_compared() -> None:
    found = measured([(40, 10, 10, 40), (0, 0, 40, 0), (0, 0, 40, 0), (30, 20, 10, 40)], 50)
    small = [found[rate, g] for rate in RATES for g in "bc"]
    assert {m.reason for m in small} == {Reason.TOO_FEW_SAMPLES}
    assert {m.n for m in small} == {40}
    assert found["demographic_parity_difference", None].value == pytest.approx(0.1)


def test_a_rate_over_a_handful_of_a_large_group_is_suppressed_too() -> None:
    large = [(50, 10, 10, 30), (40, 10, 10, 40), (400, 10, 10, 400), (400, 10, 10, 400)]
    found = measured([(90, 8, 1, 1), *large], 30)
    assert found["selection_rate", "a"].value == pytest.approx(9 / 100)
    for name in RATES:
        if name != "selection_rate":
            assert found[name, "a"].reason is Reason.TOO_FEW_SAMPLES, "the others would tell of its two positives"
            assert found[name, "b"].reason is Reason.COMPLEMENTARY_SUPPRESSION, "and by subtraction from the whole"
    assert found["equal_opportunity_difference", None].value == pytest.approx(400 / 410 - 0.8)       # c, d and e
    assert found["demographic_parity_difference", None].n == 100


def test_a_lone_small_group_hides_the_next_smallest_unless_others_cover_it() -> None:
    tables = [(40, 10, 10, 40), (3, 1, 1, 2), (30, 20, 10, 60), (60, 20, 10, 80)]
    found = measured(tables, 50)
    assert found["selection_rate", "b"].reason is Reason.TOO_FEW_SAMPLES
    assert (found["selection_rate", "a"].reason, found["selection_rate", "a"].n) == ("complementary_suppression", 100)
    assert found["selection_rate", "c"].known
    decisions, outcomes = cells(tables)
    decisions[0] = 100                                                  # rows of which nobody knows the group
    names = Attribute("x", tuple("abcd"), 50)
    covered = {(n, s.group): m for n, s, m in measure_attribute(names, decisions, outcomes)}
    assert covered["selection_rate", "a"].known
    assert covered["accuracy", "a"].reason is Reason.COMPLEMENTARY_SUPPRESSION, "they have no outcomes, and cover none"


def test_the_hidden_cannot_be_had_from_the_whole_and_the_shown() -> None:
    """What is hidden of an axis is nothing, or at least the minimum in each part; drawn at random."""
    rng, least, seen = np.random.default_rng(8), 40, 0
    for _ in range(200):
        tables = rng.integers(0, 60, (rng.integers(2, 7), 4)) * rng.integers(0, 2, 4)
        found = measured(tables.tolist(), least)
        names = "abcdef"[: len(tables)]
        hidden = np.array([found["selection_rate", g].reason is not None for g in names])
        untold = np.array([found["accuracy", g].reason is not None for g in names])
        rows, classes = tables.sum(axis=1), np.stack([tables[:, :2].sum(axis=1), tables[:, 2:].sum(axis=1)])
        if not hidden.all():
            seen += 1
            assert rows[hidden].sum() == 0 or rows[hidden].sum() >= least
        if not untold.all():
            parts = classes[:, untold].sum(axis=1)
            assert ((parts == 0) | (parts >= least)).all()
    assert seen > 50


def test_an_intersection_is_protected_within_each_group_of_each_attribute() -> None:
    """The whole has enough small groups to cover each other, but within their row and their column each is alone."""
    names = [f"{i}&{j}" for i in "123" for j in "123"]
    tables = [(100 + 10 * i, 50, 50, 100) for i in range(9)]
    for small in (1, 5, 6):                                             # 1&2, 2&3, 3&1
        tables[small] = (10, 10, 10, 10)
    plain, crossed = (
        {s.group: m for n, s, m in measure_attribute(Attribute(a, tuple(names), 100), *cells(tables))
         if n == "selection_rate"}
        for a in ("x", "SEX&RACE")
    )  # fmt: skip
    assert [g for g, m in plain.items() if not m.known] == ["1&2", "2&3", "3&1"]
    hidden = [g for g, m in crossed.items() if not m.known]
    for i in (0, 1):
        for value in "123":
            alone = [g for g in hidden if g.split("&")[i] == value]
            assert len(alone) > 1, "the figures of that row or column, less what is shown of it, would be the group's"
    assert {m.reason for g, m in crossed.items() if g not in plain or (g in hidden and plain[g].known)} == {
        Reason.COMPLEMENTARY_SUPPRESSION
    }


@pytest.mark.parametrize(
    ("groups", "metric", "reason"),
    [
        ([], "demographic_parity_difference", Reason.FEWER_THAN_TWO_GROUPS),
        ([(1, 1, 1, 1)], "accuracy_difference", Reason.FEWER_THAN_TWO_GROUPS),
        ([(3, 1, 0, 0), (1, 0, 1, 2)], "equal_opportunity_difference", Reason.NO_POSITIVES),
        ([(0, 0, 1, 2), (1, 0, 1, 2)], "equalized_odds_difference", Reason.NO_NEGATIVES),
        ([(0, 0, 1, 2), (1, 0, 1, 2)], "equalized_odds_ratio", Reason.NO_NEGATIVES),
        ([(1, 0, 1, 0), (1, 0, 1, 2)], "predictive_parity_difference", Reason.NO_PREDICTED_POSITIVES),
        ([(0, 1, 0, 1), (1, 0, 1, 2)], "false_omission_rate_difference", Reason.NO_PREDICTED_NEGATIVES),
        ([(1, 0, 1, 0), (1, 0, 1, 0)], "demographic_parity_ratio", Reason.ZERO_DENOMINATOR),
        ([(1, 0, 1, 0), (1, 0, 1, 0)], "selection_rate_ratio_to_overall", Reason.ZERO_DENOMINATOR),
        ([(1, 0, 1, 0), (1, 0, 1, 0)], "accuracy_difference_to_reference", Reason.NO_REFERENCE),
    ],
)
def test_what_cannot_be_compared_says_why(groups: list[Table], metric: str, reason: Reason) -> None:
    found = measured(groups, metrics=[metric])[metric, None]
    assert (found.value, found.reason) == (None, reason)


def test_groups_that_are_never_selected_are_equal_in_difference() -> None:
    m = measured([(40, 0, 10, 0), (20, 0, 30, 0)])["demographic_parity_difference", None]
    assert (m.value, m.n) == (0.0, 50)
    assert m.interval is not None
    assert 0.0 == m.interval[0] < m.interval[1] < 0.1


def test_with_a_reference_group_others_are_compared_with_it_alone() -> None:
    k, n = np.array([50, 30, 80]), np.array([100, 100, 100])
    assert disparity("difference", k, n).value == pytest.approx(0.5)
    assert disparity("difference", k, n, reference=0).value == pytest.approx(0.3)       # 80 against 50
    assert disparity("ratio", k, n).value == pytest.approx(30 / 80)
    assert disparity("ratio", k, n, reference=0).value == pytest.approx(30 / 50)        # 50 / 80 is nearer to one
    narrow, wide = disparity("difference", k, n, 2).interval, disparity("difference", k, n).interval
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < narrow[1] == wide[1]       # two pairs to correct for, and not three


def test_without_its_reference_group_a_disparity_is_unknown() -> None:
    groups = [(4, 1, 1, 4), (3, 2, 0, 0)]
    gone = measured(groups, reference="gone")
    assert {m.reason for (_, g), m in gone.items() if g is None} == {Reason.TOO_FEW_SAMPLES}
    found = measured(groups, reference="b")
    assert found["equal_opportunity_difference", None].reason is Reason.NO_POSITIVES
    assert found["demographic_parity_difference", None].value == pytest.approx(0.1)


def test_from_the_whole_is_from_the_rest_in_the_measure_of_its_share() -> None:
    """0.3 in a third of the rows and 0.6 in two thirds make 0.5: the first is 0.2 below it, the second 0.1 above."""
    tables = [(70, 30, 0, 0), (80, 120, 0, 0)]
    metrics = ["selection_rate_difference_to_overall", "selection_rate_ratio_to_overall", "selection_rate_difference"]
    found = {n: measured(tables, metrics=metrics)[n, None] for n in metrics}
    difference, ratio, between = (found[n] for n in metrics)
    assert difference.value == pytest.approx(0.2)
    assert ratio.value == pytest.approx(0.6)
    assert difference.interval is not None
    assert between.interval is not None
    assert difference.interval[1] == pytest.approx(between.interval[1] * 2 / 3), "group - rest times what the rest is"
    assert difference.interval[0] < difference.value < difference.interval[1]


def test_rows_of_no_group_are_part_of_the_whole() -> None:
    decisions, outcomes = cells([(50, 50, 0, 0), (50, 50, 0, 0)])
    decisions[0] = [200, 0]
    metrics = ["selection_rate_difference_to_overall", "selection_rate_difference"]
    found = {n: m.value for n, s, m in
             measure_attribute(Attribute("x", ("a", "b")), decisions, outcomes, metrics=metrics) if s.group is None}
    assert found == {"selection_rate_difference_to_overall": pytest.approx(0.25), "selection_rate_difference": 0.0}


def test_equalized_odds_is_the_worse_of_its_two_rates() -> None:
    found = measured([(80, 20, 20, 80), (60, 40, 30, 70)])
    assert found["equalized_odds_difference", None].value == pytest.approx(0.2)         # of the false positive rates
    assert found["equalized_odds_ratio", None].value == pytest.approx(0.5)
    assert found["equal_opportunity_difference", None].value == pytest.approx(0.1)


def test_any_rate_goes_by_its_own_name_as_a_difference_or_a_ratio() -> None:
    tables = [(80, 20, 20, 80), (60, 40, 30, 70)]
    named = [f"{rate}_{kind}{to}" for rate in RATES for kind in ("difference", "ratio") for to in ("", "_to_overall")]
    found = measured(tables, metrics=[*named, "disparate_impact", "demographic_parity_ratio"])
    for name in named:
        assert found[name, None].known, name
    assert found["disparate_impact", None] == found["demographic_parity_ratio", None]
    assert found["selection_rate_ratio", None] == found["demographic_parity_ratio", None]


@pytest.mark.parametrize("name", ["psi", "accuracy", "bias_ratio", "calibration_gap_ratio", "mae_difference_to_all"])
def test_what_is_no_disparity_is_refused_with_the_nearest_name(name: str) -> None:
    with pytest.raises(ValueError) as error:
        resolve(name)
    assert f"'{name}' is no disparity; did you mean '" in str(error.value)


def test_rows_of_one_person_count_as_one() -> None:
    """Ten rows of each of 100 people: the intervals are those of 100 rows, the values and numbers those of all."""
    once, often = measured([(30, 20, 20, 30), (40, 10, 20, 30)]), measured([(300, 200, 200, 300), (400, 100, 200, 300)])
    shrunk = measured([(300, 200, 200, 300), (400, 100, 200, 300)], deff=10.0)
    for key, m in shrunk.items():
        assert m.interval == pytest.approx(once[key].interval), key
        assert (m.value, m.n) == (pytest.approx(often[key].value), often[key].n)


def test_every_attribute_is_measured_with_its_own_minimum_and_reference() -> None:
    named = (("sex", ("1", "2")), ("race", ("x", "y")))
    axes = tuple(Axis("attribute", name, CategoryGrid(groups)) for name, groups in named)
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), (ALL, *axes))
    rng = np.random.default_rng(4)
    d, y, sex, race = (rng.integers(low, 2 + low, 200) for low in (0, 0, 1, 1))
    race[:190] = 1
    one, scores = np.ones(200, np.int64), np.full(200, 0.5)
    at = space.output.grid.cells(scores)
    seen = fold_predictions(space, [at], [one, sex, race], d).dense(space.prediction_size)
    known = fold_outcomes(space, at, [one, sex, race], d, y, scores).dense(space.outcome_size)
    points = measure_fairness(space, seen, known, 1, {"sex": 10, "race": 20}, {"sex": "2"})
    found: dict[tuple[str, Scope], Measurement] = {(name, scope): m for name, scope, m in points}
    assert len(found) == len(points) == 2 * (2 * len(RATES) + len(DISPARITIES))
    assert found["selection_rate", Scope(attribute="race", group="y")].reason is Reason.TOO_FEW_SAMPLES
    assert found["accuracy_difference", Scope(attribute="race")].reason is Reason.FEWER_THAN_TWO_GROUPS
    assert found["accuracy_difference", Scope(attribute="sex")].known
    rate = found["true_positive_rate", Scope(attribute="sex", group="1")]
    assert rate.interval == pytest.approx(wilson(int(((sex == 1) & (d == 1) & (y == 1)).sum()), rate.n))


def test_an_empty_window_and_a_regression() -> None:
    axes = (ALL, Axis("attribute", "sex", CategoryGrid(("1", "2"))))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    nothing = np.zeros(space.prediction_size, np.int64), np.zeros(space.outcome_size, np.int64)
    for options in ({}, {"observed": 1}):
        assert {m.reason for _, _, m in measure_fairness(space, *nothing, 1, 10, **options)} == {
            Reason.TOO_FEW_SAMPLES, Reason.FEWER_THAN_TWO_GROUPS,
        }  # fmt: skip
    regression = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),), axes)
    empty = np.zeros(regression.prediction_size, np.int64), np.zeros(regression.outcome_size, np.int64)
    assert measure_fairness(regression, *empty, 1, 10) == []
