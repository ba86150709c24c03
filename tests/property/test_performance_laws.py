"""Laws that performance keeps on any counts: symmetry, additivity, and that nothing leaves its scale or interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.performance import auc_bound, decision_metrics, measure_performance, regression_metrics, score_metrics
from detectors.point import Measurement
from detectors.summaries.fold import fold_outcomes
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space

counts = st.integers(0, 40) | st.sampled_from([0, 1, 10**6])
tables = st.lists(counts, min_size=4, max_size=4).map(lambda c: np.array(c, np.int64).reshape(2, 2))
labels_and_scores = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


def within(m: Measurement, low: float, high: float) -> None:
    """A measurement lies within its scale, and its interval around it and within the scale."""
    if m.value is None:
        assert m.reason is not None
        assert m.interval is None
        return
    assert low <= m.value <= high
    if m.interval is not None:
        assert low <= m.interval[0] <= m.value + 1e-12
        assert m.value - 1e-12 <= m.interval[1] <= high


def histogram(pairs: list[tuple[int, float]]) -> np.ndarray:
    grid, out = UniformGrid(), np.zeros((2, 2001), np.int64)
    np.add.at(out, (np.array([y for y, _ in pairs]), grid.cells(np.array([s for _, s in pairs]))), 1)
    return out


@settings(max_examples=200)
@given(tables)
def test_decision_metrics_stay_within_scale_and_interval(table: np.ndarray) -> None:
    for metric, m in decision_metrics(table):
        within(m, -1.0 if metric == "mcc" else 0.0, 1.0)
        assert m.n <= table.sum()


@settings(max_examples=100)
@given(tables)
def test_swapping_the_labels_swaps_recall_and_specificity_and_nothing_else(table: np.ndarray) -> None:
    one, other = dict(decision_metrics(table)), dict(decision_metrics(table[::-1, ::-1]))
    assert (one["recall"].value, one["recall"].interval) == (other["specificity"].value, other["specificity"].interval)
    assert one["accuracy"] == other["accuracy"]
    for metric in ("balanced_accuracy", "mcc"):
        assert one[metric].value == pytest.approx(other[metric].value, abs=1e-12)


@settings(max_examples=100)
@given(tables)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(table: np.ndarray) -> None:
    found = dict(decision_metrics(table))
    p, r = found["precision"].value, found["recall"].value
    if p and r:
        assert found["f1"].value == pytest.approx(2 * p * r / (p + r))


@settings(max_examples=60)
@given(st.lists(tables, min_size=1, max_size=4))
def test_segments_add_up_to_the_whole(parts: list[np.ndarray]) -> None:
    names = tuple("abcd"[: len(parts)])
    axes = (ALL, Axis("segment", "s", CategoryGrid(names)))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    outcomes = np.zeros(space.outcome_size, np.int64)
    space.confusion(outcomes, 0)[1] = sum(parts)
    space.confusion(outcomes, 1)[1 : 1 + len(parts)] = parts
    points = measure_performance(space, outcomes, np.zeros(2))
    for metric in ("accuracy", "precision", "recall"):
        whole = next(m for name, s, m in points if name == metric and s.segment is None)
        each = [m for name, s, m in points if name == metric and s.segment is not None]
        assert len(each) == len(parts)
        assert whole.n == sum(m.n for m in each)
        if whole.known:
            assert whole.value * whole.n == pytest.approx(sum((m.value or 0.0) * m.n for m in each))


@settings(max_examples=100)
@given(labels_and_scores)
def test_score_metrics_stay_within_scale_and_interval(pairs: list[tuple[int, float]]) -> None:
    labels, scores = np.array([y for y, _ in pairs]), np.array([s for _, s in pairs])
    axes = (ALL,)
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    one, cells = np.ones(labels.size, np.int64), space.output.grid.cells(scores)
    folded = fold_outcomes(space, cells, [one], (scores >= 0.5).astype(int), labels, scores)
    found = dict(score_metrics(space.score_by_label(folded.dense(space.outcome_size)), folded.sums))
    within(found["log_loss"], 0.0, np.inf)
    for metric in ("roc_auc", "brier", "expected_calibration_error"):
        within(found[metric], 0.0, 1.0 if metric != "brier" else np.inf)


@settings(max_examples=100)
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


@settings(max_examples=60)
@given(labels_and_scores, st.integers(2, 50))
def test_more_of_the_same_narrows_the_interval_and_moves_nothing(pairs: list[tuple[int, float]], times: int) -> None:
    one = dict(score_metrics(histogram(pairs), np.zeros(2)))["roc_auc"]
    many = dict(score_metrics(histogram(pairs) * times, np.zeros(2)))["roc_auc"]
    if one.value is not None:
        assert many.value == pytest.approx(one.value)
        assert one.interval is not None
        assert many.interval is not None
        assert many.interval[1] - many.interval[0] < one.interval[1] - one.interval[0]


@settings(max_examples=100)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=50))
def test_errors_are_in_order(errors: list[float]) -> None:
    e = np.array(errors)
    sums = np.array([e.sum(), np.abs(e).sum(), (e**2).sum(), (e**4).sum(), 0.0, 0.0])
    found = dict(regression_metrics(e.size, sums))
    bias, mae, rmse, mse = (found[m].value for m in ("bias", "mae", "rmse", "mse"))
    assert abs(bias) <= mae + 1e-9
    assert mae <= rmse * (1 + 1e-9) + 1e-9
    assert mse == pytest.approx(rmse**2)
    for metric in ("mae", "mse", "rmse"):
        m = found[metric]
        assert (m.interval is None) == (e.size == 1)
        if m.interval is not None:
            assert 0 <= m.interval[0] <= m.value * (1 + 1e-9)
            assert m.value * (1 - 1e-9) <= m.interval[1]
