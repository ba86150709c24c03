"""Performance: what is undefined says why, and each metric carries its own denominator."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.performance import auc_bound, decision_metrics, measure_performance, regression_metrics, score_metrics
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.fold import fold_outcomes
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space, example_space

SUMS = np.zeros(2)


def table(tn: int, fp: int, fn: int, tp: int) -> dict[str, Measurement]:
    return dict(decision_metrics(np.array([[tn, fn], [fp, tp]])))


def histogram(negatives: dict[int, int], positives: dict[int, int]) -> np.ndarray:
    out = np.zeros((2, 2001), np.int64)
    for label, cells in enumerate((negatives, positives)):
        for cell, count in cells.items():
            out[label, cell] = count
    return out


def test_each_metric_has_its_own_denominator() -> None:
    found = table(tn=50, fp=5, fn=10, tp=35)
    assert {name: m.n for name, m in found.items()} == {
        "accuracy": 100, "precision": 40, "recall": 45, "specificity": 55,
        "balanced_accuracy": 100, "f1": 50, "mcc": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "reasons"),
    [
        ((0, 0, 0, 0), dict.fromkeys(
            ("accuracy", "precision", "recall", "specificity", "balanced_accuracy", "f1", "mcc"), Reason.NO_OUTCOMES)),
        ((3, 2, 0, 0), {"recall": Reason.NO_POSITIVES, "balanced_accuracy": Reason.ONE_CLASS, "mcc": Reason.ONE_CLASS}),
        ((0, 0, 3, 2), {
            "specificity": Reason.NO_NEGATIVES, "balanced_accuracy": Reason.ONE_CLASS, "mcc": Reason.ONE_CLASS}),
        ((3, 0, 2, 0), {"precision": Reason.NO_PREDICTED_POSITIVES, "mcc": Reason.NO_PREDICTED_POSITIVES}),
        ((0, 3, 0, 2), {"mcc": Reason.NO_PREDICTED_NEGATIVES}),
        ((4, 0, 0, 0), {
            "precision": Reason.NO_PREDICTED_POSITIVES, "recall": Reason.NO_POSITIVES, "f1": Reason.NO_POSITIVES,
            "balanced_accuracy": Reason.ONE_CLASS, "mcc": Reason.ONE_CLASS}),
    ],
)  # fmt: skip
def test_undefined_is_unknown_with_its_reason(counts: tuple[int, int, int, int], reasons: dict[str, Reason]) -> None:
    found = table(*counts)
    assert {name: m.reason for name, m in found.items() if not m.known} == reasons


def test_scores_without_a_class_without_outcomes_and_all_missing() -> None:
    def reasons(counts: np.ndarray) -> dict[str, Reason | None]:
        return {name: m.reason for name, m in score_metrics(counts, SUMS)}

    every = ("roc_auc", "log_loss", "brier", "expected_calibration_error")
    assert reasons(histogram({}, {})) == dict.fromkeys(every, Reason.NO_OUTCOMES)
    assert reasons(histogram({0: 4}, {0: 2})) == dict.fromkeys(every, Reason.ALL_MISSING)
    assert reasons(histogram({7: 4}, {})) == {**dict.fromkeys(every), "roc_auc": Reason.ONE_CLASS}


def test_missing_scores_count_in_decisions_and_not_in_the_score_s_metrics() -> None:
    found = dict(score_metrics(histogram({0: 5, 200: 1}, {0: 3, 1800: 1}), np.array([0.2, 0.02])))
    assert {m.n for m in found.values()} == {2}
    assert found["roc_auc"].value == 1.0
    assert found["log_loss"].value == pytest.approx(0.1)


def test_interval_of_log_loss_allows_for_a_certain_score_that_was_wrong() -> None:
    """Scores of exactly 1: two right ones and one wrong among a hundred; the grid alone knows only a loss of 8.3."""
    counts, loss = histogram({1: 98, 2000: 1}, {2000: 1}), -math.log(1e-15)
    m = dict(score_metrics(counts, np.array([loss, 1.0])))["log_loss"]
    assert m.value == pytest.approx(loss / 100)
    assert m.interval is not None
    assert m.interval[1] > 2.5 * loss / 100                  # the spread of one loss of 34.5 in a hundred rows
    assert m.interval[0] == 0.0


def test_auc_bound_holds_in_the_worst_case() -> None:
    """All scores in one cell, though they part perfectly: the cells say 0.5, the truth is 1, the bound 0.5."""
    counts = histogram({900: 4}, {900: 3})
    assert dict(score_metrics(counts, SUMS))["roc_auc"].value == 0.5
    assert auc_bound(counts) == 0.5
    assert auc_bound(histogram({3: 1}, {})) == 0.0


def test_bias_is_predicted_minus_actual() -> None:
    predicted, actual = np.array([10.0, 12.0]), np.array([9.0, 9.0])
    space = Space("regression", (Column("output", "value", NumericGrid(10.0, 1.0)),))
    one = np.ones(2, np.int64)
    folded = fold_outcomes(space, space.output.grid.cells(predicted), [one], None, None, predicted, actual)
    found = {name: m for name, _, m in measure_performance(space, folded.dense(space.outcome_size), folded.sums)}
    assert found["bias"].value == 2.0
    assert found["mae"].value == 2.0
    assert found["mse"].value == 5.0
    assert found["rmse"].value == pytest.approx(5.0**0.5)
    assert found["r2"].reason is Reason.ZERO_DENOMINATOR      # the actual values do not differ


def test_regression_without_outcomes_and_with_one() -> None:
    assert {m.reason for _, m in regression_metrics(0, np.zeros(6))} == {Reason.NO_OUTCOMES}
    one = dict(regression_metrics(1, np.array([2.0, 2.0, 4.0, 16.0, 3.0, 9.0])))
    assert (one["rmse"].value, one["rmse"].interval, one["r2"].reason) == (2.0, None, Reason.ZERO_DENOMINATOR)


def test_outcomes_of_predictions_without_a_value_are_in_no_mean() -> None:
    space = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),))
    outcomes = np.zeros(space.outcome_size, np.int64)
    space.score_by_label(outcomes)[0, [0, 700]] = 3, 2         # three without a value, two with
    found = {name: m for name, _, m in measure_performance(space, outcomes, np.array([2.0, 4.0, 10.0, 82.0, 0.0, 8.0]))}
    assert (found["mae"].value, found["mae"].n) == (2.0, 2)


def test_constant_actual_values_have_no_r2_whatever_the_rounding() -> None:
    rng = np.random.default_rng(3)
    space = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),))
    for level in (0.1, 1 / 3, 1234.567, 1e6 / 7):
        actual, predicted = np.full(5000, level), rng.normal(level, 1, 5000)
        one = np.ones(5000, np.int64)
        folded = fold_outcomes(space, space.output.grid.cells(predicted), [one], None, None, predicted, actual)
        found = {name: m for name, _, m in measure_performance(space, folded.dense(space.outcome_size), folded.sums)}
        assert found["r2"].reason is Reason.ZERO_DENOMINATOR, level


def test_segments_have_their_own_accuracy_precision_and_recall() -> None:
    axes = (ALL, Axis("segment", "state", CategoryGrid(("MA", "NY"))))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    decisions, labels = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 0, 1, 1])
    states, scores = np.array([1, 1, 2, 2, 3]), decisions * 0.8 + 0.1       # the last is of a state not known here
    cells, one = space.output.grid.cells(scores), np.ones(5, np.int64)
    folded = fold_outcomes(space, cells, [one, states], decisions, labels, scores)
    points = measure_performance(space, folded.dense(space.outcome_size), folded.sums)
    by_segment = {(s.segment, name): m.value for name, s, m in points if s.segment}
    assert by_segment == {
        ("state=MA", "accuracy"): 0.5, ("state=MA", "precision"): 0.5, ("state=MA", "recall"): 1.0,
        ("state=NY", "accuracy"): 0.5, ("state=NY", "precision"): None, ("state=NY", "recall"): 0.0,
    }  # fmt: skip
    assert next(m.n for name, s, m in points if name == "accuracy" and s == Scope()) == 5


def test_an_empty_window_is_unknown_throughout() -> None:
    space = example_space()
    points = measure_performance(space, np.zeros(space.outcome_size, np.int64), SUMS)
    assert points
    assert {m.reason for _, _, m in points} == {Reason.NO_OUTCOMES}
