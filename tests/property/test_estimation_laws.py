"""Laws of estimates without outcomes: they add up, turn over with the labels, and stay within scale and interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.estimation import Calibrator, ErrorModel, estimate_binary, estimate_multiclass
from detectors.point import Measurement

CELLS = 12

counts = st.integers(0, 30) | st.sampled_from([0, 0, 1, 10**7])
by_cell = st.lists(counts, min_size=CELLS + 1, max_size=CELLS + 1).map(lambda c: np.array(c, np.int64))
windows = st.tuples(by_cell, by_cell).map(lambda w: (w[0] + w[1], w[1]))     # all rows, and the decided among them
chances = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), min_size=CELLS, max_size=CELLS)
LINEAR = ("accuracy", "brier", "log_loss")

rows_of_bins = st.lists(st.tuples(st.integers(0, 2), st.integers(3, 5)), min_size=2, max_size=30)
errors_of_rows = st.lists(st.integers(-10**6, 10**6).map(lambda e: e / 10**4), min_size=30, max_size=30)
BINS = 6


def calibrators(p: list[float]) -> Calibrator:
    return Calibrator(np.array(sorted(p)), np.arange(CELLS), np.full(CELLS, 1e-4), True)


def estimate(window: tuple[np.ndarray, np.ndarray], calibrator: Calibrator) -> dict[str, Measurement]:
    return {metric.removeprefix("estimated_"): m for metric, m in estimate_binary(*window, calibrator)}


def within(metric: str, m: Measurement) -> None:
    low, high = {"mcc": (-1.0, 1.0), "log_loss": (0.0, np.inf)}.get(metric, (0.0, 1.0))
    if m.value is None:
        assert m.reason is not None
        return
    assert m.interval is not None
    assert low <= m.interval[0] <= m.value <= m.interval[1] <= high


@given(by_cell, by_cell)
def test_calibration_rises_and_keeps_the_positives(negatives: np.ndarray, positives: np.ndarray) -> None:
    calibrator = Calibrator.fit(negatives, positives)
    if not (negatives[1:].any() and positives[1:].any()):
        assert calibrator is None
        return
    assert calibrator is not None
    p, starts = calibrator.p, calibrator.starts
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p) >= 0)
    assert starts[0] == 0
    assert np.all(np.diff(starts) > 0)
    assert np.all((calibrator.noise > 0) & (calibrator.noise <= 0.25))
    if calibrator.applied:
        assert (negatives + positives)[1:] @ p == pytest.approx(positives[1:].sum())
    else:
        assert p.tolist() == ((np.arange(CELLS) + 0.5) / CELLS).tolist()


@given(windows, chances)
def test_estimates_stay_within_scale_and_interval(window: tuple[np.ndarray, np.ndarray], p: list[float]) -> None:
    found = estimate(window, calibrators(p))
    for metric, m in found.items():
        within(metric, m)
        assert m.n <= window[0].sum()
    precision, recall, f1 = (found[metric].value for metric in ("precision", "recall", "f1"))
    if precision and recall:
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall))


@given(windows, windows, chances)
def test_the_estimate_of_a_union_is_that_of_the_merged_histograms(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], p: list[float]
) -> None:
    calibrator = calibrators(p)
    parts = [estimate(one, calibrator), estimate(other, calibrator)]
    merged = estimate((one[0] + other[0], one[1] + other[1]), calibrator)
    for metric in (*LINEAR, "precision"):
        total = sum((part[metric].value or 0.0) * part[metric].n for part in parts)
        assert merged[metric].n == sum(part[metric].n for part in parts)
        if merged[metric].value is not None:
            assert merged[metric].value * merged[metric].n == pytest.approx(total)
    backwards = estimate((other[0] + one[0], other[1] + one[1]), calibrator)
    assert merged == backwards


@given(windows, chances, st.integers(2, 1_000))
def test_more_of_the_same_moves_nothing_and_narrows_the_interval(
    window: tuple[np.ndarray, np.ndarray], p: list[float], times: int
) -> None:
    calibrator = calibrators(p)
    one, many = estimate(window, calibrator), estimate((window[0] * times, window[1] * times), calibrator)
    for metric, m in one.items():
        if m.value is None:
            assert many[metric].reason == m.reason
        else:
            assert many[metric].value == pytest.approx(m.value, abs=1e-9)
            assert np.ptp(many[metric].interval) <= np.ptp(m.interval) + 1e-9


@given(windows, chances)
def test_swapping_the_labels_turns_everything_over(window: tuple[np.ndarray, np.ndarray], p: list[float]) -> None:
    """The other label is positive: scores, chances and decisions are mirrored."""
    calibrator = calibrators(p)
    mirrored = Calibrator(1 - calibrator.p[::-1], calibrator.starts, calibrator.noise, True)
    scored, decided = (np.r_[counted[:1], counted[:0:-1]] for counted in (window[0], window[0] - window[1]))
    one, other = estimate(window, calibrator), estimate((scored, decided), mirrored)
    partner = {"recall": "specificity", "specificity": "recall"}
    for metric in ("accuracy", "balanced_accuracy", "recall", "specificity", "mcc", "roc_auc", "brier", "log_loss"):
        m, swapped = one[metric], other[partner.get(metric, metric)]
        assert m.known == swapped.known
        if m.value is not None:
            assert swapped.value == pytest.approx(m.value, abs=1e-7)
            assert swapped.interval == pytest.approx(m.interval, abs=1e-7)


@given(windows, chances)
def test_two_classes_are_a_binary_problem_seen_from_both_sides(
    window: tuple[np.ndarray, np.ndarray], p: list[float]
) -> None:
    calibrator = calibrators(p)
    mirrored = Calibrator(1 - calibrator.p[::-1], calibrator.starts, calibrator.noise, True)
    scored, refused = (np.r_[counted[:1], counted[:0:-1]] for counted in (window[0], window[0] - window[1]))
    both = np.stack([scored, window[0]]), np.stack([refused, window[1]])
    found = dict(estimate_multiclass(*both, [mirrored, calibrator]))
    binary = estimate(window, calibrator)
    for metric, m in found.items():
        within(metric.removeprefix("estimated_"), m)
    assert found["estimated_accuracy"].value == pytest.approx(binary["accuracy"].value)
    if binary["balanced_accuracy"].known:
        assert found["estimated_balanced_accuracy"].value == pytest.approx(binary["balanced_accuracy"].value)
        assert found["estimated_roc_auc"].value == pytest.approx(binary["roc_auc"].value, abs=1e-7)


def learnt(rows: list[tuple[int, int]], errors: list[float]) -> tuple[ErrorModel, np.ndarray, np.ndarray]:
    codes, of_rows = np.array(rows), np.array(errors[: len(rows)])
    model = ErrorModel.fit(codes, of_rows, BINS)
    assert model is not None
    return model, codes, of_rows


def values(model: ErrorModel, counts: np.ndarray) -> list[float]:
    return [m.value for _, m in model.estimate(counts) if m.value is not None]


@given(rows_of_bins, errors_of_rows, rows_of_bins)
def test_estimated_errors_keep_their_order_and_stay_within_their_interval(
    reference: list[tuple[int, int]], errors: list[float], window: list[tuple[int, int]]
) -> None:
    model, codes, of_rows = learnt(reference, errors)
    (_, mae), (_, rmse) = model.estimate(np.bincount(np.array(window).ravel(), minlength=BINS))
    assert 0 <= mae.interval[0] <= mae.value <= mae.interval[1]
    assert 0 <= rmse.interval[0] <= rmse.value * (1 + 1e-12)
    assert rmse.value <= rmse.interval[1] * (1 + 1e-12)
    assert mae.value <= rmse.value * (1 + 1e-9)
    assert mae.n == rmse.n == len(window)
    own = values(model, np.bincount(codes.ravel(), minlength=BINS) * 3)
    expected = [np.abs(of_rows).mean(), (of_rows**2).mean() ** 0.5]
    assert own == pytest.approx(expected, rel=1e-9, abs=1e-9)       # a window like the reference has its error


@given(rows_of_bins, errors_of_rows, rows_of_bins, rows_of_bins)
def test_estimated_errors_of_a_union_are_the_mean_of_the_parts(
    reference: list[tuple[int, int]], errors: list[float], one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    model, _, _ = learnt(reference, [100.0 + e / 10 for e in errors])      # far from 0, where estimates are cut off
    first, second = (np.bincount(np.array(part).ravel(), minlength=BINS) for part in (one, other))
    parts = np.array([values(model, first), values(model, second)])
    mean = (parts[:, 0] @ [len(one), len(other)]) / (len(one) + len(other))
    assert values(model, first + second)[0] == pytest.approx(mean)


@given(rows_of_bins, errors_of_rows, rows_of_bins, st.floats(0.1, 50))
def test_estimated_errors_ignore_the_sign_and_follow_the_unit(
    reference: list[tuple[int, int]], errors: list[float], window: list[tuple[int, int]], unit: float
) -> None:
    model, codes, of_rows = learnt(reference, errors)
    counted = np.bincount(np.array(window).ravel(), minlength=BINS)
    other = ErrorModel.fit(BINS - 1 - codes[:, ::-1], of_rows * -unit, BINS)    # columns and bins in another order
    assert other is not None
    expected = [v * unit for v in values(model, counted)]
    assert values(other, counted[::-1]) == pytest.approx(expected, rel=1e-6, abs=1e-5)
