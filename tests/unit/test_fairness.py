"""Fairness: who is compared with whom, who is left out, and what is said when nobody can be compared."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.disparities import disparity
from detectors.fairness import DISPARITIES, RATES, GroupRates, disparities, eligible, group_rates, measure_fairness
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Ints


def space_of(*groups: str) -> Space:
    axes = (ALL, Axis("attribute", "sex", CategoryGrid(groups)), Axis("segment", "state", CategoryGrid(("MA",))))
    return Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)


def folded(space: Space, groups: list[int], decisions: list[int], labels: list[int]) -> tuple[Ints, Ints]:
    """Dense prediction and outcome counts; the first ``len(labels)`` rows have an outcome."""
    d, y, g = np.array(decisions), np.array(labels, np.int64), np.array(groups)
    n, m, scores = d.size, y.size, np.full(d.size, 0.5)
    cells, one = space.output.grid.cells(scores), np.ones(n, np.int64)
    seen = fold_predictions(space, [cells], [one, g, one], d)
    known = fold_outcomes(space, cells[:m], [one[:m], g[:m], one[:m]], d[:m], y, scores[:m])
    return seen.dense(space.prediction_size), known.dense(space.outcome_size)


def group(name: str, tn: int, fp: int, fn: int, tp: int) -> GroupRates:
    space = space_of(name)
    table = [(0, 0)] * tn + [(1, 0)] * fp + [(0, 1)] * fn + [(1, 1)] * tp
    counts = folded(space, [1] * len(table), [d for d, _ in table], [y for _, y in table])
    return group_rates(space, *counts, 1)[0]


def test_selection_counts_all_predictions_and_the_rest_outcomes() -> None:
    space = space_of("1", "2")
    groups = group_rates(space, *folded(space, [1, 1, 2, 2, 1, 1], [1, 0, 1, 0, 0, 0], [1, 1, 0, 1]), 1)
    first = groups[0].rates
    assert (first["selection_rate"].value, first["selection_rate"].n) == (0.25, 4)
    assert (first["accuracy"].value, first["accuracy"].n) == (0.5, 2)
    assert (groups[0].n_predictions, groups[0].n_outcomes) == (4, 2)


def test_rows_without_the_attribute_and_of_other_groups_belong_to_no_group() -> None:
    space = space_of("1", "2")
    groups = group_rates(space, *folded(space, [0, 0, 3, 1, 2], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0]), 1)
    assert [(g.group, g.n_predictions, g.n_outcomes) for g in groups] == [("1", 1, 1), ("2", 1, 1)]


def test_favourable_zero_turns_every_rate_to_the_other_label() -> None:
    space = space_of("1")
    counts = folded(space, [1] * 10, [0, 0, 0, 1, 1, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 1, 1, 1, 0, 1])
    positive, negative = (group_rates(space, *counts, 1, f)[0].rates for f in (1, 0))
    assert negative["selection_rate"].value == pytest.approx(1 - positive["selection_rate"].value)
    assert negative["true_positive_rate"].value == positive["true_negative_rate"].value
    assert negative["false_positive_rate"].value == positive["false_negative_rate"].value
    assert negative["accuracy"] == positive["accuracy"]
    assert negative["positive_predictive_value"].value == 0.5       # two of four predicted 0 are 0


def test_a_small_group_is_named_unknown_and_not_compared() -> None:
    large, other, small = group("a", 40, 10, 10, 40), group("b", 30, 20, 10, 40), group("c", 0, 0, 4, 0)
    kept, suppressed = eligible([large, small, other], 50)
    assert ([g.group for g in kept], [g.group for g in suppressed]) == (["a", "b"], ["c"])
    assert {m.reason for m in suppressed[0].rates.values()} == {Reason.TOO_FEW_SAMPLES}
    assert {m.n for m in suppressed[0].rates.values()} == {4}
    assert dict(disparities(kept))["demographic_parity_difference"].value == pytest.approx(0.1)


def test_a_rate_over_a_handful_of_a_large_group_is_suppressed_too() -> None:
    kept, _ = eligible([group("a", 90, 8, 1, 1), group("b", 50, 10, 10, 30), group("c", 40, 10, 10, 40)], 30)
    rates = kept[0].rates
    assert rates["selection_rate"].value == pytest.approx(9 / 100)
    for name in ("true_positive_rate", "false_positive_rate", "positive_predictive_value", "accuracy"):
        assert rates[name].reason is Reason.TOO_FEW_SAMPLES, "with the others known, the two positives could be told"
    found = dict(disparities(kept))
    assert found["equal_opportunity_difference"].value == pytest.approx(0.8 - 0.75)      # b and c alone
    assert found["demographic_parity_difference"].n == 100


@pytest.mark.parametrize(
    ("groups", "metric", "reason"),
    [
        ([], "demographic_parity_difference", Reason.FEWER_THAN_TWO_GROUPS),
        ([group("a", 1, 1, 1, 1)], "accuracy_difference", Reason.FEWER_THAN_TWO_GROUPS),
        ([group("a", 3, 1, 0, 0), group("b", 1, 0, 1, 2)], "equal_opportunity_difference", Reason.NO_POSITIVES),
        ([group("a", 0, 0, 1, 2), group("b", 1, 0, 1, 2)], "equalized_odds_difference", Reason.NO_NEGATIVES),
        ([group("a", 0, 0, 1, 2), group("b", 1, 0, 1, 2)], "equalized_odds_ratio", Reason.NO_NEGATIVES),
        ([group("a", 1, 0, 1, 0), group("b", 1, 0, 1, 2)], "predictive_parity_difference",
         Reason.NO_PREDICTED_POSITIVES),
        ([group("a", 1, 0, 1, 0), group("b", 1, 0, 1, 0)], "demographic_parity_ratio", Reason.ZERO_DENOMINATOR),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_says_why(groups: list[GroupRates], metric: str, reason: Reason) -> None:
    found = dict(disparities(groups))[metric]
    assert (found.value, found.reason) == (None, reason)


def test_groups_that_are_never_selected_are_equal_in_difference() -> None:
    m = dict(disparities([group("a", 40, 0, 10, 0), group("b", 20, 0, 30, 0)]))["demographic_parity_difference"]
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
    assert wide[0] < narrow[0] < narrow[1] < wide[1]        # two pairs to correct for, and not three


def test_without_its_reference_group_a_disparity_is_unknown() -> None:
    groups = [group("a", 4, 1, 1, 4), group("b", 3, 2, 0, 0)]
    assert {m.reason for m in dict(disparities(groups, "gone")).values()} == {Reason.TOO_FEW_SAMPLES}
    found = dict(disparities(groups, "b"))
    assert found["equal_opportunity_difference"].reason is Reason.NO_POSITIVES
    assert found["demographic_parity_difference"].value == pytest.approx(0.1)


def test_equalized_odds_is_the_worse_of_its_two_rates() -> None:
    groups = [group("a", 80, 20, 20, 80), group("b", 60, 40, 30, 70)]
    found = dict(disparities(groups))
    assert found["equalized_odds_difference"].value == pytest.approx(0.2)               # of the false positive rates
    assert found["equalized_odds_ratio"].value == pytest.approx(0.5)
    opportunity = found["equal_opportunity_difference"]
    assert opportunity.value == pytest.approx(0.1)


def test_every_attribute_is_measured_with_its_own_minimum_and_reference() -> None:
    named = (("sex", ("1", "2")), ("race", ("x", "y")))
    axes = tuple(Axis("attribute", name, CategoryGrid(groups)) for name, groups in named)
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), (ALL, *axes))
    rng = np.random.default_rng(4)
    d, y, sex, race = (rng.integers(low, 2 + low, 200) for low in (0, 0, 1, 1))
    race[:190] = 1
    one, scores = np.ones(200, np.int64), np.full(200, 0.5)
    cells = space.output.grid.cells(scores)
    seen = fold_predictions(space, [cells], [one, sex, race], d).dense(space.prediction_size)
    known = fold_outcomes(space, cells, [one, sex, race], d, y, scores).dense(space.outcome_size)
    points = measure_fairness(space, seen, known, 1, {"sex": 10, "race": 20}, {"sex": "2"})
    found: dict[tuple[str, Scope], Measurement] = {(name, scope): m for name, scope, m in points}
    assert len(found) == len(points) == 2 * (2 * len(RATES) + len(DISPARITIES))
    assert found["selection_rate", Scope(attribute="race", group="y")].reason is Reason.TOO_FEW_SAMPLES
    assert found["accuracy_difference", Scope(attribute="race")].reason is Reason.FEWER_THAN_TWO_GROUPS
    assert found["accuracy_difference", Scope(attribute="sex")].known


def test_an_empty_window_and_a_regression() -> None:
    space = space_of("1", "2")
    nothing = np.zeros(space.prediction_size, np.int64), np.zeros(space.outcome_size, np.int64)
    assert {m.reason for _, _, m in measure_fairness(space, *nothing, 1, 10)} == {
        Reason.TOO_FEW_SAMPLES, Reason.FEWER_THAN_TWO_GROUPS,
    }  # fmt: skip
    axes = (ALL, Axis("attribute", "sex", CategoryGrid(("1",))))
    regression = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),), axes)
    empty = np.zeros(regression.prediction_size, np.int64), np.zeros(regression.outcome_size, np.int64)
    assert measure_fairness(regression, *empty, 1, 10) == []
