"""Data quality of a window: missing, unseen, out of range, and how many."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.intervals import wilson
from detectors.point import Reason
from detectors.quality import duplicate_rate, measure_quality
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import CONTENTS, Column, Space
from detectors.summaries.summary import Summary

AGE, PLAN, SCORE = Scope(feature="age"), Scope(feature="plan"), Scope(output="score")


def space_with(plan: CategoryGrid) -> Space:
    return Space(
        "binary_classification",
        (
            Column("feature", "age", NumericGrid(40.0, 20.0)),
            Column("feature", "plan", plan),
            Column("output", "score", UniformGrid()),
        ),
    )


SPACE = space_with(CategoryGrid(("basic", "plus")))


def rows(age, plan, score, space=SPACE) -> Summary:
    values = np.asarray(age, float), plan, np.asarray(score, float)
    cells = [c.grid.cells(v) + o for c, v, o in zip(space.columns, values, space.column_offsets, strict=False)]
    return Summary.of(np.concatenate([*cells, np.full(len(plan), space.predictions.start("axis") + 2)]))


def points_of(window, space=SPACE, ages=(20.0, 60.0)) -> dict:
    reference = Reference.build("r", space, [rows(ages, ["basic", "plus"], [0.1, 0.9], space)])
    return {(m, s): p for m, s, p in measure_quality(reference, window.dense(space.prediction_size))}


def test_rates_are_counts_over_the_right_rows():
    window = rows([np.nan, 19.0, 60.0, 90.0, 45.0], ["basic", None, None, "gold", "plus"], [0.5] * 5)
    points = points_of(window)
    assert points["row_count", Scope()].value == points["row_count", Scope()].n == 5
    assert points["missing_rate", AGE].value == 1 / 5
    assert points["missing_rate", AGE].interval == wilson(1, 5)
    assert points["missing_rate", PLAN].value == 2 / 5
    assert points["missing_rate", SCORE].value == 0
    assert (points["unseen_category_rate", PLAN].value, points["unseen_category_rate", PLAN].n) == (1 / 3, 3)
    assert (points["out_of_range_rate", AGE].value, points["out_of_range_rate", AGE].n) == (2 / 4, 4)
    assert points["out_of_range_rate", AGE].interval == wilson(2, 4)
    assert points["mode_share", AGE].value == 1 / 4
    assert (points["distinct_count", PLAN].value, points["vanished_category_rate", PLAN].value) == (2.0, 0.0)
    assert len(points) == 15


def test_infinities_are_out_of_range():
    points = points_of(rows([np.inf, -np.inf, 30.0], ["plus"] * 3, [0.5] * 3))
    assert points["out_of_range_rate", AGE].value == pytest.approx(2 / 3)


def test_an_empty_window_has_no_rows_and_no_rates():
    points = points_of(Summary.zero())
    assert points.pop(("row_count", Scope())).value == 0
    assert {p.reason for p in points.values()} == {Reason.EMPTY_WINDOW}


def test_a_column_of_missing_values_has_no_other_rates():
    points = points_of(rows([np.nan] * 3, [None] * 3, [np.nan] * 3))
    assert points["missing_rate", SCORE].value == 1
    assert points["unseen_category_rate", PLAN].reason is Reason.ALL_MISSING
    assert points["out_of_range_rate", AGE].reason is Reason.ALL_MISSING


def test_other_is_not_unseen_where_the_list_of_categories_was_cut():
    space = space_with(CategoryGrid(("basic",), complete=False))
    point = points_of(rows([30.0], ["plus"], [0.5], space), space)["unseen_category_rate", PLAN]
    assert (point.value, point.reason) == (None, Reason.HIGH_CARDINALITY)


def test_no_range_where_the_reference_has_no_values():
    points = points_of(rows([30.0], ["plus"], [0.5]), ages=(np.nan, np.nan))
    assert points["out_of_range_rate", AGE].reason is Reason.NO_REFERENCE


def test_a_category_that_is_gone_is_told_from_one_that_was_not_drawn():
    common = ["basic"] * 50 + ["plus"] * 50
    reference = Reference.build("r", SPACE, [rows([20.0] * 100, common, [0.5] * 100)])

    def vanished(n):
        window = rows([20.0] * n, ["basic"] * n, [0.5] * n).dense(SPACE.prediction_size)
        return {(m, s): p for m, s, p in measure_quality(reference, window)}["vanished_category_rate", PLAN]

    assert (vanished(2).value, vanished(2).interval) == (0.5, (0.0, 0.5)), "two rows may well be of one category"
    assert vanished(40).interval == (0.5, 0.5)


def test_rows_that_are_alike_are_counted_and_too_many_to_count_are_unknown():
    rng = np.random.default_rng(1)
    for distinct, copies in ((2000, 1), (2000, 3), (20_000, 2)):
        hashed = np.bincount(rng.integers(0, CONTENTS, distinct), minlength=CONTENTS) * copies
        m = duplicate_rate(hashed, distinct * copies)
        assert m.value == pytest.approx(1 - 1 / copies, abs=0.02)
        assert m.interval[0] <= 1 - 1 / copies <= m.interval[1]
    crowd = np.bincount(rng.integers(0, CONTENTS, 100_000), minlength=CONTENTS)
    assert duplicate_rate(crowd, 100_000).reason is Reason.HIGH_CARDINALITY
