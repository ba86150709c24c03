"""Performance: what is undefined says why, and each metric carries its own denominator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from detectors.performance import (
    auc_bound,
    average_precision_bound,
    business_value,
    calibration_p_value,
    class_decisions,
    class_scope,
    decision_metrics,
    decision_metrics_by_group,
    measure_performance,
    multiclass_decisions,
    multiclass_scores,
    ranking_losses,
    ranking_metrics,
    regression_metrics,
    reliability_curve,
    score_metrics,
)
from detectors.point import Measurement, Reason
from detectors.scope import Scope
from detectors.summaries.fold import fold_outcomes
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, RANKING_SUMS, Axis, Column, Space, example_space

SUMS = np.zeros(2)


def regression_sums(actual: Sequence[float] | np.ndarray, predicted: Sequence[float] | np.ndarray) -> dict[str, float]:
    """All sums that a regression's metrics are made of."""
    a = np.asarray(actual, np.float64)
    e = np.asarray(predicted, np.float64) - a
    share = np.abs(e[a != 0] / a[a != 0])
    rows = {
        "error": e, "absolute_error": np.abs(e), "squared_error": e**2, "fourth_power_error": e**4,
        "signed_squared_error": e * np.abs(e), "actual": a, "squared_actual": a**2, "cubed_actual": a**3,
        "fourth_power_actual": a**4, "squared_error_actual": e**2 * a, "squared_error_squared_actual": e**2 * a**2,
        "percentage_error": share, "squared_percentage_error": share**2, "nonzero": a != 0,
    }  # fmt: skip
    return {name: float(row.sum()) for name, row in rows.items()}


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

    every = ("roc_auc", "average_precision", "log_loss", "brier", "expected_calibration_error")
    assert reasons(histogram({}, {})) == dict.fromkeys(every, Reason.NO_OUTCOMES)
    assert reasons(histogram({0: 4}, {0: 2})) == dict.fromkeys(every, Reason.ALL_MISSING)
    lacking = {"roc_auc": Reason.ONE_CLASS, "average_precision": Reason.ONE_CLASS}
    assert reasons(histogram({7: 4}, {})) == dict.fromkeys(every) | lacking
    assert reasons(histogram({}, {7: 4})) == dict.fromkeys(every) | lacking


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
    assert 0.0 < m.interval[0] < 0.2 * loss / 100


def test_a_loss_below_what_its_cells_say_has_a_finite_interval() -> None:
    """Taking rows back can leave a sum that is nothing but rounding, beside counts that still spread."""
    m = dict(score_metrics(histogram({1: 98, 1500: 1}, {2000: 1}), np.array([1e-12, 1e-12])))["log_loss"]
    assert m.value == pytest.approx(1e-14)
    assert m.interval is not None
    assert 0 < m.interval[0] < m.value < m.interval[1] < 1e-12


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
    nothing = dict(regression_metrics(0, regression_sums([], []), 0.5))
    assert {m.reason for m in nothing.values()} == {Reason.NO_OUTCOMES}
    one = dict(regression_metrics(1, regression_sums([3.0], [5.0]), 0.5))
    assert list(one) == list(nothing)
    assert (one["rmse"].value, one["rmse"].interval, one["r2"].reason) == (2.0, None, Reason.ZERO_DENOMINATOR)
    assert (one["mape"].value, one["quantile_loss"].value) == (pytest.approx(2 / 3), 1.0)


def test_metrics_of_which_a_sum_is_not_kept_are_not_told() -> None:
    sums = regression_sums([1.0, 2.0, 4.0], [1.5, 2.0, 3.0])
    del sums["nonzero"], sums["cubed_actual"]
    found = dict(regression_metrics(3, sums))
    assert list(found) == ["mae", "mse", "rmse", "bias", "r2"]
    assert found["r2"].known
    assert found["r2"].interval is None


def test_percentage_errors_leave_out_rows_whose_actual_value_is_0() -> None:
    found = dict(regression_metrics(4, regression_sums([0.0, 0.0, 2.0, -4.0], [7.0, 0.0, 3.0, -3.0])))
    assert (found["mape"].value, found["mape"].n, found["mae"].n) == (0.375, 2, 4)
    zeros = dict(regression_metrics(2, regression_sums([0.0, 0.0], [1.0, 2.0])))["mape"]
    assert (zeros.reason, zeros.n) == (Reason.ZERO_DENOMINATOR, 0)


def test_quantile_loss_is_dearer_on_the_side_of_the_quantile() -> None:
    too_little, too_much = regression_sums([10.0] * 3, [9.0] * 3), regression_sums([9.0] * 3, [10.0] * 3)
    loss = [dict(regression_metrics(3, sums, 0.9))["quantile_loss"] for sums in (too_little, too_much)]
    assert [m.value for m in loss] == pytest.approx([0.9, 0.1])
    assert [m.interval for m in loss] == [pytest.approx((x, x)) for x in (0.9, 0.1)]


def test_r2_does_not_mind_the_origin_of_the_actual_values() -> None:
    rng = np.random.default_rng(11)
    actual = rng.gamma(2.0, 3.0, 400)
    predicted = actual + rng.normal(0, 2, 400)
    here, there = (dict(regression_metrics(400, regression_sums(actual - o, predicted - o)))["r2"] for o in (0, 250))
    assert here.value == pytest.approx(there.value, abs=1e-9)
    assert here.interval == pytest.approx(there.interval, abs=1e-6)
    perfect = dict(regression_metrics(400, regression_sums(actual, actual)))["r2"]
    assert (perfect.value, perfect.interval) == (1.0, (1.0, 1.0))


def test_outcomes_of_predictions_without_a_value_are_in_no_mean() -> None:
    space = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),))
    outcomes = np.zeros(space.outcome_size, np.int64)
    sums = np.zeros(space.outcome_sums.size)
    sums[:3] = 2.0, 4.0, 10.0                # error, |error|, error²
    space.score_by_label(outcomes)[0, [0, 700]] = 3, 2         # three without a value, two with
    found = {name: m for name, _, m in measure_performance(space, outcomes, sums)}
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


def test_segments_have_all_metrics_that_counts_give() -> None:
    axes = (ALL, Axis("segment", "state", CategoryGrid(("MA", "NY"))))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    decisions, labels = np.array([1, 1, 0, 0, 1]), np.array([1, 0, 0, 1, 1])
    states, scores = np.array([1, 1, 2, 2, 3]), decisions * 0.8 + 0.1       # the last is of a state not known here
    cells, one = space.output.grid.cells(scores), np.ones(5, np.int64)
    folded = fold_outcomes(space, cells, [one, states], decisions, labels, scores)
    points = measure_performance(space, folded.dense(space.outcome_size), folded.sums)
    by_segment = {(s.segment, name): m for name, s, m in points if s.segment}
    assert [name for segment, name in by_segment if segment == "state=NY"] == list(table(1, 1, 1, 1))
    assert {name: by_segment["state=MA", name] for name in table(1, 1, 1, 1)} == table(tn=0, fp=1, fn=0, tp=1)
    assert {name: by_segment["state=NY", name] for name in table(1, 1, 1, 1)} == table(tn=1, fp=0, fn=1, tp=0)
    assert next(m.n for name, s, m in points if name == "accuracy" and s == Scope()) == 5


def test_an_empty_window_is_unknown_throughout() -> None:
    space = example_space()
    points = measure_performance(space, np.zeros(space.outcome_size, np.int64), SUMS)
    assert points
    assert {m.reason for _, _, m in points} == {Reason.NO_OUTCOMES}


def test_average_precision_of_perfect_reversed_and_tied_scores() -> None:
    def of(counts: np.ndarray) -> Measurement:
        return dict(score_metrics(counts, SUMS))["average_precision"]

    perfect = of(histogram({10: 6}, {90: 4}))
    assert (perfect.value, perfect.n) == (1.0, 10)
    assert perfect.interval is not None
    assert perfect.interval[0] < 0.6                             # four positives are no proof
    assert of(histogram({90: 2}, {10: 2})).value == 0.5          # precision 2 / 4 at the only threshold
    assert of(histogram({50: 7}, {50: 3})).value == 0.3


def test_average_precision_bound_holds_in_the_worst_case() -> None:
    """One cell: the exact value is 1 where the positives lead, and far below the share where they trail."""
    counts = histogram({900: 4}, {900: 3})
    trailing = np.mean([1 / 5, 2 / 6, 3 / 7])
    assert average_precision_bound(counts) == pytest.approx(max(1 - 3 / 7, 3 / 7 - trailing))
    assert average_precision_bound(histogram({3: 1}, {})) == 0.0
    assert average_precision_bound(histogram({3: 5}, {9: 5})) == pytest.approx(0.0, abs=1e-12)


def calibrated(n: int, shift: float = 0.0) -> np.ndarray:
    """``n`` rows in each tenth cell from 200 to 1,800, positive as often as their score says, plus a shift."""
    out = np.zeros((2, 2001), np.int64)
    cells = np.arange(200, 1801, 10)
    out[1, cells] = np.rint(n * np.clip((cells - 0.5) / 2000 + shift, 0, 1))
    out[0, cells] = n - out[1, cells]
    return out


def test_calibration_that_holds_and_that_does_not() -> None:
    good, bad = (dict(score_metrics(calibrated(100, s), SUMS))["expected_calibration_error"] for s in (0.0, 0.1))
    assert good.value == pytest.approx(0.0, abs=0.003)
    assert good.interval is not None
    assert good.interval[0] == 0.0
    assert bad.value == pytest.approx(0.1, abs=0.003)
    assert bad.interval is not None
    assert 0.08 < bad.interval[0] < 0.1 < bad.interval[1] < 0.12
    assert calibration_p_value(calibrated(100)) > 0.9
    assert calibration_p_value(calibrated(100, 0.1)) < 1e-9


def test_what_a_cell_s_width_explains_is_no_evidence_against_calibration() -> None:
    """A hundred million rows with scores of 0.5004, in a cell whose centre is 0.50025, are calibrated."""
    n = 10**8
    counts = histogram({1001: round(n * 0.4996)}, {1001: round(n * 0.5004)})
    assert calibration_p_value(counts) > 0.05
    assert calibration_p_value(histogram({1001: round(n * 0.49)}, {1001: round(n * 0.51)})) < 1e-9
    assert calibration_p_value(histogram({}, {})) == 1.0


def test_reliability_curve_tells_the_bins_that_have_rows() -> None:
    curve = reliability_curve(histogram({0: 9, 1: 30, 1999: 1}, {0: 9, 2000: 3}))
    assert [(b.lower, b.upper, b.rate, b.n) for b in curve] == [(0.0, 0.1, 0.0, 30), (0.9, 1.0, 0.75, 4)]
    assert [b.mean_score for b in curve] == pytest.approx([0.00025, (0.99925 + 3 * 0.99975) / 4])
    assert [b.interval[0] <= b.rate <= b.interval[1] for b in curve] == [True, True]
    assert reliability_curve(histogram({}, {})) == []


def test_business_value_is_the_mean_of_what_each_row_is_worth() -> None:
    values = np.array([[0.0, -50.0], [-5.0, 20.0]])              # an overlooked positive costs most
    m = business_value(np.array([[60, 2], [10, 28]]), values)
    assert (m.value, m.n) == ((-100 - 50 + 560) / 100, 100)
    nothing_missed = business_value(np.array([[100, 0], [0, 0]]), values)
    assert nothing_missed.value == 0.0
    assert nothing_missed.interval is not None
    assert nothing_missed.interval[0] < -0.5                     # a dear mistake is not impossible for being unseen
    assert business_value(np.zeros((2, 2), np.int64), values).reason is Reason.NO_OUTCOMES
    assert business_value(np.array([[1, 0], [0, 0]]), values).interval is None


# Rows are decisions of a, b, c, and others; columns labels.
FOUR = np.array([[4, 1, 0, 0], [0, 2, 0, 1], [0, 0, 0, 0], [1, 0, 0, 9]])


def test_rows_beyond_the_declared_classes_are_wrong_and_left_out_where_nobody_knows() -> None:
    found = dict(multiclass_decisions(FOUR))
    assert (found["accuracy"].value, found["accuracy"].n) == (6 / 9, 9)
    assert (found["precision_micro"].value, found["recall_micro"].value) == (6 / 8, 6 / 8)
    assert found["precision"].value == pytest.approx((4 / 5 + 2 / 3) / 2)      # c is neither decided nor labelled
    assert found["recall"].value == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found["balanced_accuracy"] == found["recall"]
    by_class = {(name, s): m for name, s, m in class_decisions("abc", FOUR)}
    assert (by_class["recall", class_scope("a")].value, by_class["recall", class_scope("a")].n) == (0.8, 5)
    assert by_class["precision", class_scope("c")].reason is Reason.NO_PREDICTED_POSITIVES
    assert by_class["recall", class_scope("c")].reason is Reason.NO_POSITIVES
    assert by_class["specificity", class_scope("c")].value == 1.0
    assert FOUR[-1, -1] == 9                                     # the caller's table is as it was


def test_a_class_that_is_never_decided_has_no_precision_and_an_f1_of_0() -> None:
    table = np.array([[5, 3, 0], [0, 0, 0], [0, 0, 0]])
    found, by_class = dict(multiclass_decisions(table)), {(n, s): m for n, s, m in class_decisions("ab", table)}
    assert (found["precision"].value, found["recall"].value) == (5 / 8, 0.5)
    assert by_class["precision", class_scope("b")].reason is Reason.NO_PREDICTED_POSITIVES
    assert by_class["f1", class_scope("b")].value == 0.0
    assert found["f1"].value == pytest.approx((10 / 13 + 0) / 2)
    assert found["mcc"].reason is Reason.NO_PREDICTED_POSITIVES


def test_many_classes_without_outcomes_and_of_one_class() -> None:
    nothing = np.zeros((3, 3), np.int64)
    assert {m.reason for _, m in multiclass_decisions(nothing)} == {Reason.NO_OUTCOMES}
    assert {m.reason for _, _, m in class_decisions("ab", nothing)} == {Reason.NO_OUTCOMES}
    found = dict(multiclass_decisions(np.array([[7, 0, 0], [0, 0, 0], [0, 0, 0]])))
    assert found["mcc"].reason is Reason.ONE_CLASS
    assert (found["accuracy"].value, found["f1"].value, found["specificity"].value) == (1.0, 1.0, 1.0)
    empty = multiclass_scores("ab", np.zeros((2, 2, 11), np.int64), SUMS)
    assert {m.reason for _, _, m in empty} == {Reason.NO_OUTCOMES}
    missing = np.zeros((2, 2, 11), np.int64)
    missing[:, 1, 0] = 5
    assert {m.reason for _, _, m in multiclass_scores("ab", missing, SUMS)} == {Reason.ALL_MISSING}


def test_a_class_without_labels_is_in_no_average_of_the_scores() -> None:
    histograms = np.zeros((3, 2, 11), np.int64)
    histograms[:2, 0, 2] = histograms[:2, 1, 9] = 5              # a and b are told apart, c is never the label
    histograms[2, 0, 4] = 10
    found = {(name, s): m for name, s, m in multiclass_scores("abc", histograms, np.array([2.0, 1.0]))}
    assert found["roc_auc", Scope()].value == found["roc_auc_weighted", Scope()].value == 1.0
    assert found["roc_auc", class_scope("c")].reason is Reason.ONE_CLASS
    assert (found["log_loss", Scope()].value, found["log_loss", Scope()].n) == (0.2, 10)
    assert (found["brier", Scope()].value, found["brier", Scope()].n) == (0.1, 10)


def ranked(*queries: tuple[list[float], list[float]], k: int) -> dict[str, Measurement]:
    number = np.repeat(np.arange(len(queries)), [len(scores) for scores, _ in queries])
    scores, relevance = (np.array([x for query in queries for x in query[i]]) for i in (0, 1))
    losses = ranking_losses(number, scores, relevance, k).sum(axis=0)
    return dict(ranking_metrics(dict(zip(RANKING_SUMS, losses.tolist(), strict=True))))


def test_ranking_by_hand() -> None:
    found = ranked(([0.9, 0.8, 0.7, 0.6], [0, 3, 0, 1]), ([0.5, 0.4], [0, 0]), k=2)
    assert {m.n for m in found.values()} == {1}                  # the second query has nothing relevant
    best = 3 + 1 / math.log2(3)
    assert found["ndcg"].value == pytest.approx(3 / math.log2(3) / best)
    assert (found["mean_reciprocal_rank"].value, found["precision_at_k"].value) == (0.5, 0.5)
    assert found["recall_at_k"].value == 0.5


def test_fewer_items_than_k_ties_and_relevance_that_nobody_gave() -> None:
    short = ranked(([0.9], [1]), k=5)
    assert {name: m.value for name, m in short.items()} == {
        "ndcg": 1.0, "mean_reciprocal_rank": 1.0, "precision_at_k": 0.2, "recall_at_k": 1.0,
    }  # fmt: skip
    tied = ranked(([0.5, 0.5, 0.5], [0, 1, 0]), k=1)
    assert tied["mean_reciprocal_rank"].value == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert tied["precision_at_k"].value == pytest.approx(1 / 3)
    unjudged = ranked(([0.9, 0.8], [math.nan, 1]), k=1)
    assert (unjudged["recall_at_k"].value, unjudged["mean_reciprocal_rank"].value) == (0.0, 0.5)


def test_no_queries_and_none_with_a_relevant_item() -> None:
    assert {m.reason for m in ranked(k=3).values()} == {Reason.NO_OUTCOMES}
    assert {m.reason for m in ranked(([0.2, 0.1], [0, 0]), k=3).values()} == {Reason.NO_POSITIVES}
    assert ranking_losses(np.zeros(0, np.int64), np.zeros(0), np.zeros(0)).shape == (0, len(RANKING_SUMS))


Drawn = Callable[[np.random.Generator], dict[str, Measurement]]


def draw_decisions(rng: np.random.Generator) -> dict[str, Measurement]:
    table = rng.multinomial(200, [0.8, 0.05, 0.05, 0.1]).reshape(1, 2, 2)
    return dict(decision_metrics_by_group(table)[0])


def draw_classes(rng: np.random.Generator) -> dict[str, Measurement]:
    shares = np.array([[0.4, 0.05, 0.02, 0], [0.05, 0.25, 0.02, 0], [0.05, 0, 0.16, 0], [0, 0, 0, 0]])
    return dict(multiclass_decisions(rng.multinomial(300, shares.ravel()).reshape(4, 4)))


def draw_scores(rng: np.random.Generator) -> dict[str, Measurement]:
    cells = np.arange(2000)
    scores = np.r_[0, (cells + 0.5) / 2000]
    counts = rng.multinomial(400, np.r_[0, np.full(2000, 1 / 2000)])
    positives = rng.binomial(counts, 0.15 + 0.6 * scores)
    found = dict(score_metrics(np.stack([counts - positives, positives]), SUMS))
    return {metric: found[metric] for metric in ("roc_auc", "average_precision", "expected_calibration_error")}


def draw_errors(rng: np.random.Generator) -> dict[str, Measurement]:
    actual = rng.normal(20, 4, 200)
    return dict(regression_metrics(200, regression_sums(actual, actual + rng.normal(0.5, 2, 200)), 0.9))


def draw_value(rng: np.random.Generator) -> dict[str, Measurement]:
    table = rng.multinomial(300, [0.8, 0.05, 0.05, 0.1]).reshape(2, 2)
    return {"business_value": business_value(table, np.array([[0.0, -50.0], [-5.0, 20.0]]))}


def draw_rankings(rng: np.random.Generator) -> dict[str, Measurement]:
    query, relevance = np.repeat(np.arange(100), 8), (rng.random(800) < 0.25) * 1.0
    losses = ranking_losses(query, relevance + rng.normal(0, 1, 800), relevance, 3).sum(axis=0)
    return dict(ranking_metrics(dict(zip(RANKING_SUMS, losses.tolist(), strict=True))))


@pytest.mark.parametrize("draw", [draw_decisions, draw_classes, draw_scores, draw_errors, draw_value, draw_rankings])
def test_intervals_hold_what_they_promise(draw: Drawn) -> None:
    """Of 200 samples, at least 90 % of each metric's intervals have the mean of all samples in them: 95 % are promised,
    and 90 % lies three deviations below. The estimates' own mean stands for the truth, which is right to their bias."""
    rng = np.random.default_rng(20261124)
    samples = [draw(rng) for _ in range(200)]
    for metric in samples[0]:
        values = [(m.value, m.interval) for found in samples if (m := found[metric]).value is not None]
        truth = np.mean([value for value, _ in values])
        if metric == "expected_calibration_error":               # it is biased, and its interval is not centred
            truth = 0.4 * np.abs((np.arange(10) + 0.5) / 10 - 0.375).mean()
        inside = np.mean([interval[0] <= truth <= interval[1] for _, interval in values if interval])
        assert inside >= 0.9, (metric, inside)
