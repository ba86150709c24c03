"""Laws that performance keeps on any counts: symmetry, additivity, and that nothing leaves its scale or interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.performance import (
    auc_bound,
    average_precision_bound,
    business_value,
    calibration_p_value,
    class_decisions,
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
from detectors.performance.delta import _correlation, correlations, padded
from detectors.performance.multiclass import RATES, _with_gradient, average
from detectors.point import Measurement
from detectors.summaries.fold import fold_outcomes
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, RANKING_SUMS, Axis, Column, Space

counts = st.integers(0, 40) | st.sampled_from([0, 1, 10**6])
tables = st.lists(counts, min_size=4, max_size=4).map(lambda c: np.array(c, np.int64).reshape(2, 2))
many = st.lists(counts, min_size=16, max_size=16).map(lambda c: np.array(c, np.int64).reshape(4, 4))
labels_and_scores = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


def within(m: Measurement, low: float, high: float) -> None:
    """A measurement lies within its scale, and its interval around it and within the scale."""
    if m.value is None:
        assert m.reason is not None
        assert m.interval is None
        return
    assert low - 1e-12 <= m.value <= high + 1e-12
    if m.interval is not None:
        assert low - 1e-12 <= m.interval[0] <= m.value + 1e-12
        assert m.value - 1e-12 <= m.interval[1] <= high + 1e-12


def histogram(pairs: list[tuple[int, float]]) -> np.ndarray:
    grid, out = UniformGrid(), np.zeros((2, 2001), np.int64)
    np.add.at(out, (np.array([y for y, _ in pairs]), grid.cells(np.array([s for _, s in pairs]))), 1)
    return out


@given(tables)
def test_decision_metrics_stay_within_scale_and_interval(table: np.ndarray) -> None:
    for metric, m in decision_metrics(table):
        within(m, -1.0 if metric == "mcc" else 0.0, 1.0)
        assert m.n <= table.sum()
        assert (m.interval is None) == (m.value is None)


@given(st.lists(tables, min_size=1, max_size=4))
def test_a_group_is_measured_as_if_it_were_alone(parts: list[np.ndarray]) -> None:
    for alone, among in zip(parts, decision_metrics_by_group(np.array(parts)), strict=True):
        assert list(decision_metrics(alone)) == among


@given(tables)
def test_swapping_the_labels_swaps_recall_and_specificity_and_nothing_else(table: np.ndarray) -> None:
    one, other = dict(decision_metrics(table)), dict(decision_metrics(table[::-1, ::-1]))
    assert (one["recall"].value, one["recall"].interval) == (other["specificity"].value, other["specificity"].interval)
    assert one["accuracy"] == other["accuracy"]
    for metric in ("balanced_accuracy", "mcc"):
        assert one[metric].value == pytest.approx(other[metric].value, abs=1e-12)


@given(tables)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(table: np.ndarray) -> None:
    found = dict(decision_metrics(table))
    p, r = found["precision"].value, found["recall"].value
    if p and r:
        assert found["f1"].value == pytest.approx(2 * p * r / (p + r))


@given(tables)
def test_two_classes_are_many_with_two(table: np.ndarray) -> None:
    """Accuracy, the correlation, and each class's own rates are those of the binary table and of its reverse."""
    wide = np.zeros((3, 3), np.int64)
    wide[:2, :2] = table
    binary, several = dict(decision_metrics(table)), dict(multiclass_decisions(wide))
    assert several["accuracy"] == binary["accuracy"]
    assert several["mcc"].value == pytest.approx(binary["mcc"].value, abs=1e-12)
    by_class = {metric: m for metric, scope, m in class_decisions(("no", "yes"), wide) if scope.output == "label=yes"}
    for metric in ("precision", "recall", "specificity", "f1"):
        assert (by_class[metric].value, by_class[metric].interval) == (binary[metric].value, binary[metric].interval)


@given(many)
def test_many_classes_stay_within_scale_and_interval(table: np.ndarray) -> None:
    found = dict(multiclass_decisions(table))
    for metric, m in found.items():
        within(m, -1.0 if metric == "mcc" else 0.0, 1.0)
        assert (m.interval is None) == (m.value is None)
    for _, _, m in class_decisions("abc", table):
        within(m, 0.0, 1.0)


@given(many, st.permutations(range(3)))
def test_the_order_of_the_classes_does_not_matter(table: np.ndarray, order: list[int]) -> None:
    turned = table[np.ix_([*order, 3], [*order, 3])]
    one, other = dict(multiclass_decisions(table)), dict(multiclass_decisions(turned))
    for metric, m in one.items():
        assert (m.n, m.reason) == (other[metric].n, other[metric].reason)
        assert m.value == pytest.approx(other[metric].value, abs=1e-9)
        assert m.interval == pytest.approx(other[metric].interval, abs=1e-9)


@given(many)
def test_without_other_classes_the_micro_averages_are_the_accuracy(table: np.ndarray) -> None:
    table[-1], table[:, -1] = 0, 0
    found = dict(multiclass_decisions(table))
    for metric in ("precision_micro", "recall_micro", "f1_micro", "recall_weighted"):
        assert found[metric].value == pytest.approx(found["accuracy"].value, abs=1e-12)
    assert found["precision_micro"].interval == found["recall_micro"].interval == found["accuracy"].interval


@given(st.lists(st.integers(1, 40), min_size=9, max_size=9), st.integers(0, 8))
def test_gradients_are_those_of_small_differences(cells: list[int], cell: int) -> None:
    """Every average's gradient, and the correlation's, against the change that a thousandth of a row makes."""
    table = padded(np.array(cells, np.int64).reshape(3, 3))
    step, defined, at = np.zeros((3, 3)), np.ones(2, bool), (cell // 3, cell % 3)
    step[at] = 1e-3
    for metric in RATES:
        for how in ("macro", "micro", "weighted"):
            up, down = (_with_gradient(table + s * step, metric, how, defined)[0] for s in (1, -1))
            gradient = _with_gradient(table, metric, how, defined)[1]
            assert gradient[at] == pytest.approx((up - down) / 2e-3, rel=1e-4, abs=1e-8), (metric, how)
    up, down = (_correlation((table + s * step)[None])[0][0] for s in (1, -1))
    assert _correlation(table[None])[1][0][at] == pytest.approx((up - down) / 2e-3, rel=1e-4, abs=1e-8)


@given(st.lists(tables, min_size=1, max_size=4))
def test_segments_add_up_to_the_whole(parts: list[np.ndarray]) -> None:
    names = tuple("abcd"[: len(parts)])
    axes = (ALL, Axis("segment", "s", CategoryGrid(names)))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    outcomes = np.zeros(space.outcome_size, np.int64)
    space.confusion(outcomes, 0)[1] = sum(parts)
    space.confusion(outcomes, 1)[1 : 1 + len(parts)] = parts
    points = measure_performance(space, outcomes, np.zeros(2))
    for metric in ("accuracy", "precision", "recall", "specificity"):
        whole = next(m for name, s, m in points if name == metric and s.segment is None)
        each = [m for name, s, m in points if name == metric and s.segment is not None]
        assert len(each) == len(parts)
        assert whole.n == sum(m.n for m in each)
        if whole.known:
            assert whole.value * whole.n == pytest.approx(sum((m.value or 0.0) * m.n for m in each))


@given(tables, st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4), st.floats(-100, 100))
def test_business_value_moves_with_what_every_row_earns(
    table: np.ndarray, values: list[float], fee: float
) -> None:
    matrix = np.array(values).reshape(2, 2)
    m, more = business_value(table, matrix), business_value(table, matrix + fee)
    within(m, matrix.min() - 1e-9, matrix.max() + 1e-9)
    assert m.n == table.sum()
    if m.value is not None:
        assert more.value == pytest.approx(m.value + fee, abs=1e-6)
        if m.n > 1:
            assert more.interval == pytest.approx((m.interval[0] + fee, m.interval[1] + fee), abs=1e-6)


@given(labels_and_scores)
def test_score_metrics_stay_within_scale_and_interval(pairs: list[tuple[int, float]]) -> None:
    labels, scores = np.array([y for y, _ in pairs]), np.array([s for _, s in pairs])
    axes = (ALL,)
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    one, cells = np.ones(labels.size, np.int64), space.output.grid.cells(scores)
    folded = fold_outcomes(space, cells, [one], (scores >= 0.5).astype(int), labels, scores)
    counted = space.score_by_label(folded.dense(space.outcome_size))
    found = dict(score_metrics(counted, folded.sums))
    within(found["log_loss"], 0.0, np.inf)
    within(found["brier"], 0.0, np.inf)                      # the interval's upper limit may pass 1
    for metric in ("roc_auc", "average_precision", "expected_calibration_error"):
        within(found[metric], 0.0, 1.0)
    assert 0 <= calibration_p_value(counted) <= 1
    curve = reliability_curve(counted)
    assert sum(b.n for b in curve) == labels.size
    assert all(b.lower <= b.mean_score <= b.upper and b.interval[0] <= b.rate <= b.interval[1] for b in curve)
    gap = sum(abs(b.rate - b.mean_score) * b.n for b in curve) / labels.size
    assert found["expected_calibration_error"].value == pytest.approx(gap, abs=1e-9)


@given(labels_and_scores)
def test_roc_auc_turns_over_with_the_labels_and_with_the_scores(pairs: list[tuple[int, float]]) -> None:
    counted = histogram(pairs)
    area = dict(score_metrics(counted, np.zeros(2)))["roc_auc"]
    swapped = dict(score_metrics(counted[::-1], np.zeros(2)))["roc_auc"]
    backwards = np.concatenate([counted[:, :1], counted[:, :0:-1]], axis=1)
    turned = dict(score_metrics(backwards, np.zeros(2)))["roc_auc"]
    assert (area.reason, area.n) == (swapped.reason, swapped.n) == (turned.reason, turned.n)
    if area.value is not None:
        assert swapped.value == pytest.approx(1 - area.value)
        assert turned.value == pytest.approx(1 - area.value)
        assert 0 <= auc_bound(counted) <= 0.5
    assert 0 <= average_precision_bound(counted) <= 1


@given(labels_and_scores, st.integers(2, 50))
def test_more_of_the_same_narrows_the_interval_and_moves_nothing(pairs: list[tuple[int, float]], times: int) -> None:
    one = dict(score_metrics(histogram(pairs), np.zeros(2)))
    many = dict(score_metrics(histogram(pairs) * times, np.zeros(2)))
    for metric in ("roc_auc", "average_precision", "expected_calibration_error"):
        few, more = one[metric], many[metric]
        assert (few.value is None) == (more.value is None)
        if few.value is not None:
            assert more.value == pytest.approx(few.value)
            assert few.interval is not None
            assert more.interval is not None
            widths = [high - low for low, high in (more.interval, few.interval)]
            assert widths[0] < widths[1] or few.interval == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_scores_of_many_classes_stay_within_scale_and_interval(drawn: list[tuple[int, float, float]]) -> None:
    labels, *scores = (np.array(column) for column in zip(*drawn, strict=True))
    histograms = np.zeros((2, 2, 101), np.int64)
    for c, score in enumerate(scores):
        np.add.at(histograms[c], ((labels == c).astype(int), UniformGrid(100).cells(score)), 1)
    for metric, _, m in multiclass_scores("ab", histograms, np.array([1.0, 1.0])):
        within(m, 0.0, np.inf if metric in ("log_loss", "brier") else 1.0)
        assert m.n <= labels.size
        assert m.interval is None or np.isfinite(m.interval).all()


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_errors_are_in_order(errors: list[float], quantile: float) -> None:
    e = np.array(errors)
    sums = {
        "error": e.sum(), "absolute_error": np.abs(e).sum(), "squared_error": (e**2).sum(),
        "fourth_power_error": (e**4).sum(), "actual": 0.0, "squared_actual": 0.0,
        "signed_squared_error": (e * np.abs(e)).sum(),
    }  # fmt: skip
    found = dict(regression_metrics(e.size, sums, quantile))
    bias, mae, rmse, mse = (found[m].value for m in ("bias", "mae", "rmse", "mse"))
    assert abs(bias) <= mae + 1e-9
    assert mae <= rmse * (1 + 1e-9) + 1e-9
    assert mse == pytest.approx(rmse**2)
    assert 0 <= found["quantile_loss"].value <= max(quantile, 1 - quantile) * mae + 1e-9
    for metric in ("mae", "mse", "rmse", "quantile_loss"):
        m = found[metric]
        assert (m.interval is None) == (e.size == 1)
        if m.interval is not None:
            assert 0 <= m.interval[0] <= m.value * (1 + 1e-9)
            assert m.value * (1 - 1e-9) <= m.interval[1]


items = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=25)


@given(items, st.integers(1, 6), st.randoms(use_true_random=False))
def test_rankings_add_up_and_the_order_of_rows_does_not_matter(drawn: list, k: int, random: object) -> None:
    def sums(rows: list[tuple[int, int, int]]) -> np.ndarray:
        query, score, relevance = np.array(rows, np.int64).reshape(-1, 3).T
        return ranking_losses(query, score.astype(float), relevance.astype(float), k).sum(axis=0)

    whole = sums(drawn)
    shuffled = drawn.copy()
    random.shuffle(shuffled)
    assert sums(shuffled) == pytest.approx(whole, abs=1e-9)
    odd, even = ([row for row in drawn if row[0] % 2 == rest] for rest in (1, 0))
    assert sums(odd) + sums(even) == pytest.approx(whole, abs=1e-9)
    assert whole[:2].sum() == len({row[0] for row in drawn})
    for _, m in ranking_metrics(dict(zip(RANKING_SUMS, whole.tolist(), strict=True))):
        within(m, 0.0, 1.0)
        assert (m.interval is None) == (m.value is None)


@given(items, st.integers(1, 6))
def test_the_best_order_is_worth_one_and_turning_it_round_is_worth_less(drawn: list, k: int) -> None:
    query, _, relevance = np.array(drawn, np.int64).T
    best = ranking_losses(query, relevance.astype(float), relevance.astype(float), k)
    worst = ranking_losses(query, -relevance.astype(float), relevance.astype(float), k)
    assert best[:, 2:4] == pytest.approx(np.repeat(best[:, :1], 2, axis=1), abs=1e-9)
    assert (worst[:, 2:6] <= best[:, 2:6] + 1e-9).all()


@given(st.lists(tables, min_size=1, max_size=3))
def test_the_correlation_of_one_more_row_of_each_kind_is_known(parts: list[np.ndarray]) -> None:
    known, limits = correlations(np.array(parts) + 1)
    assert known.all()
    assert (limits.lower <= limits.value).all()
    assert (limits.value <= limits.upper).all()


@given(many)
def test_weighted_averages_lie_between_the_classes(table: np.ndarray) -> None:
    table[-1, -1] = 0
    for metric in ("precision", "recall", "specificity", "f1"):
        each = [m.value for name, _, m in class_decisions("abc", table) if name == metric and m.value is not None]
        for how in ("macro", "weighted", "micro"):
            m = average(table, metric, how)
            if m.value is not None:
                assert min(each) - 1e-12 <= m.value <= max(each) + 1e-12
