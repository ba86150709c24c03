"""What carries a change adds up to it, and points at the group that fell and not at the one that merely grew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.decomposition import carriers, decompose, stand_in
from detectors.reference import Reference
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, RANKING_SUMS, Axis, Column, Space

AXES = (ALL, Axis("segment", "state", CategoryGrid(("ma", "ny"))), Axis("feature", "f", CategoryGrid(("a", "b", "c"))))
BINARY = Space("binary_classification", (Column("output", "score", UniformGrid()),), AXES)
RANKING = Space("ranking", (Column("output", "score", NumericGrid(0.0, 1.0)),), AXES)
REGRESSION = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),), AXES)

counts = st.lists(st.integers(0, 50), min_size=4, max_size=4)


@given(counts, counts, st.lists(st.floats(-10, 10), min_size=8, max_size=8))
def test_the_parts_add_up_to_the_change(n0, n1, means):
    before, after = np.array(n0, float), np.array(n1, float)
    if not before.sum() or not after.sum():
        return
    total0, total1 = before * means[:4], after * means[4:]
    by_mean, by_share = decompose(total0, before, total1, after)
    change = total1.sum() / after.sum() - total0.sum() / before.sum()
    assert float((by_mean + by_share).sum()) == pytest.approx(change, abs=1e-9)
    assert (by_mean[(before == 0) | (after == 0)] == 0).all()


def classified(seed: int, bad: int | None, n: int = 4000) -> tuple[Space, np.ndarray, np.ndarray]:
    """Outcomes of a model that is right in 9 of 10, and in ``bad`` (a group of the feature) in 4 of 10."""
    rng = np.random.default_rng(seed)
    state, feature, labels = rng.integers(1, 3, n), rng.integers(1, 4, n), rng.integers(0, 2, n)
    right = rng.random(n) < np.where(feature == bad, 0.4, 0.9)
    decisions = np.where(right, labels, 1 - labels)
    scores = np.where(decisions == 1, 0.8, 0.2)
    groups = [np.ones(n, np.int64), state, feature]
    found = fold_outcomes(BINARY, BINARY.output.grid.cells(scores), groups, decisions, labels, scores)
    return BINARY, found, scores


@pytest.mark.parametrize("metric", ["accuracy", "recall", "precision", "f1", "specificity", "roc_auc", "brier"])
def test_the_bin_that_fell_comes_first_and_every_axis_adds_up(metric):
    space, before, scores = classified(1, None)
    cells = space.output.grid.cells(scores)
    block = fold_predictions(space, [cells], [np.ones(cells.size, np.int64)] * 3, np.ones(cells.size, np.int64))
    reference = Reference.build("may", space, [block], before)
    _, after, _ = classified(2, 3)
    mean, parts = carriers(metric, reference, after.dense(space.outcome_size), after.sums)
    assert mean == stand_in(metric, space)
    first = parts[0]
    assert (first.axis, first.group) == ("f", "c")
    assert first.by_mean == pytest.approx(first.carried, abs=0.02), "its share has hardly changed"
    by_axis = [sum(p.carried for p in parts if p.axis == name) for name in ("state", "f")]
    assert by_axis[0] == pytest.approx(by_axis[1], abs=1e-9)
    assert abs(by_axis[0]) > 0.05


@pytest.mark.parametrize(("metric", "mean"), [("mae", "mae"), ("rmse", "mse"), ("bias", "bias"), ("r2", "mae")])
def test_a_regression_is_carried_by_its_errors(metric, mean):
    def fold(seed, worse):
        rng = np.random.default_rng(seed)
        feature = rng.integers(1, 4, 3000)
        actual = rng.normal(size=3000)
        predicted = actual + rng.normal(0.2, 0.3, 3000) * np.where(feature == worse, 5.0, 1.0)
        groups = [np.ones(3000, np.int64), np.ones(3000, np.int64), feature]
        return fold_outcomes(REGRESSION, REGRESSION.output.grid.cells(predicted), groups, None, None, predicted, actual)

    one = np.ones(1, np.int64)
    reference = Reference.build("may", REGRESSION, [fold_predictions(REGRESSION, [one], [one] * 3)], fold(1, None))
    after = fold(2, 2)
    named, parts = carriers(metric, reference, after.dense(REGRESSION.outcome_size), after.sums)
    assert (named, parts[0].axis, parts[0].group) == (mean, "f", "b")


def test_nothing_is_carried_where_there_are_no_outcomes():
    one = np.ones(1, np.int64)
    reference = Reference.build("may", BINARY, [fold_predictions(BINARY, [one], [one] * 3, one)])
    zeros = np.zeros(BINARY.outcome_size, np.int64), np.zeros(BINARY.outcome_sums.size)
    assert carriers("accuracy", reference, *zeros)[1] == []


@pytest.mark.parametrize(("metric", "mean"), [("ndcg", "ndcg"), ("recall_at_k", "recall_at_k"), ("roc_auc", "ndcg")])
def test_a_ranking_is_broken_down_over_the_lists_that_have_a_relevant_item(metric, mean):
    lists = np.zeros((6, len(RANKING_SUMS)))
    lists[:5, 0], lists[5, 1] = 1, 1                            # the last has no relevant item
    lists[:5, RANKING_SUMS.index(mean)] = [1.0, 1.0, 0.5, 0.0, 0.5]
    groups = [np.ones(6, np.int64), np.array([1, 1, 2, 2, 2, 2]), np.array([1, 2, 3, 1, 2, 3])]
    cells = RANKING.output.grid.cells(np.linspace(0, 1, 6))
    block = fold_predictions(RANKING, [cells], groups)
    before = fold_outcomes(RANKING, cells, groups, None, None, np.zeros(6), np.where(lists > 0, 1.0, 0.0))
    reference = Reference.build("may", RANKING, [block], before)
    after = fold_outcomes(RANKING, cells, groups, None, None, np.zeros(6), lists)
    named, parts = carriers(metric, reference, after.dense(RANKING.outcome_size), after.sums)
    assert named == mean
    for axis in ("state", "f"):
        mine = [p for p in parts if p.axis == axis]
        assert sum(p.carried for p in mine) == pytest.approx(3 / 5 - 4 / 5)
        assert sum(p.share_after for p in mine) == pytest.approx(1)


def test_a_protected_attribute_is_no_carrier_and_two_axes_of_one_name_change_no_order():
    names = [("segment", "state"), ("feature", "state"), ("attribute", "sex"), ("feature", "sex"), ("segment", "sex")]
    axes = (ALL, *(Axis(kind, name, CategoryGrid(("a", "b"))) for kind, name in names))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)

    def fold(wrong):
        n = 1000
        state, feature = np.repeat([1, 2], n // 2), np.where(np.arange(n) % 10 < 9, 1, 2)
        labels = np.arange(n) % 2
        decisions = np.where(np.arange(n) % 10 >= wrong, labels, 1 - labels)
        groups = [np.ones(n, np.int64), state, feature, state, state, state]
        cells = space.output.grid.cells(np.full(n, 0.5))
        return cells, groups, decisions, fold_outcomes(space, cells, groups, decisions, labels, np.full(n, 0.5))

    cells, groups, decisions, before = fold(0)
    reference = Reference.build("may", space, [fold_predictions(space, [cells], groups, decisions)], before)
    after = fold(9)[3]
    _, parts = carriers("accuracy", reference, after.dense(space.outcome_size), after.sums)
    assert {p.axis for p in parts} == {"state"}
    # All rows but the feature's b are wrong now, and its a, nine tenths of the rows, carries all of it.
    assert (parts[0].group, round(parts[0].share_after, 2), round(parts[0].carried, 2)) == ("a", 0.9, -0.9)
