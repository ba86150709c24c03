"""Performance without outcomes: what a calibrator learns, what is unknown and why, and how far the intervals reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.estimation import Calibrator, ErrorModel, estimate_binary, estimate_multiclass
from detectors.point import Measurement
from detectors.summaries.grids import UniformGrid

GRID = UniformGrid()
NOTHING = np.zeros(5, np.int64)


def histogram(scores: np.ndarray) -> np.ndarray:
    return np.bincount(GRID.cells(scores), minlength=GRID.size)


def draw(rng: np.random.Generator, n: int, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and scores that are calibrated where ``slope`` is 1 and too sure of themselves above it."""
    chance = rng.beta(1.2, 1.0, n)
    odds = slope * np.log(chance / (1 - chance))
    return (rng.random(n) < chance).astype(np.int64), 1 / (1 + np.exp(-odds))


def fit(labels: np.ndarray, scores: np.ndarray) -> Calibrator:
    calibrator = Calibrator.fit(histogram(scores[labels == 0]), histogram(scores[labels == 1]))
    assert calibrator is not None
    return calibrator


def known_chances(*p: float) -> Calibrator:
    """A calibrator that is certain of its chances, a level to each cell."""
    return Calibrator(np.array(p), np.arange(len(p)), np.zeros(len(p)), True)


def binary(scored: list[int], decided: list[int], *p: float) -> dict[str, Measurement]:
    found = estimate_binary(np.array([0, *scored]), np.array([0, *decided]), known_chances(*p))
    return {metric.removeprefix("estimated_"): m for metric, m in found}


def reasons(found: dict[str, Measurement]) -> dict[str, Any]:
    return {metric: m.reason.value for metric, m in found.items() if m.reason}


def test_a_calibrated_score_is_left_alone_and_another_is_replaced() -> None:
    rng = np.random.default_rng(5)
    good, bad = fit(*draw(rng, 20_000)), fit(*draw(rng, 20_000, slope=3.0))
    assert not good.applied
    assert good.p[999] == pytest.approx(0.49975)                    # the centre of the cell
    assert bad.applied
    at = int(GRID.cells(np.array([1 / (1 + np.exp(-3 * np.log(0.7 / 0.3)))]))[0]) - 1
    assert bad.p[at] == pytest.approx(0.7, abs=0.03)


def test_cells_without_rows_lie_on_the_line_between_their_neighbours() -> None:
    negatives, positives = np.array([7, 0, 90, 0, 0, 0, 20, 0]), np.array([9, 0, 10, 0, 0, 0, 80, 0])
    calibrator = Calibrator.fit(negatives, positives)
    assert calibrator is not None
    assert calibrator.p.tolist() == pytest.approx([0.1, 0.1, 0.275, 0.45, 0.625, 0.8, 0.8])
    assert calibrator.starts.tolist() == [0, 5]


def test_a_level_of_one_label_is_not_known_for_certain() -> None:
    calibrator = Calibrator.fit(np.array([0, 8, 0, 0]), np.array([0, 0, 0, 8]))
    assert calibrator is not None
    assert calibrator.p.tolist() == [0.0, 0.5, 1.0]
    assert calibrator.noise.tolist() == pytest.approx([0.1 * 0.9 / 8] * 2)


@pytest.mark.parametrize("one_label", [[0, 3, 2, 1, 0], [5, 0, 0, 0, 0]])
def test_a_reference_of_one_label_teaches_nothing(one_label: list[int]) -> None:
    assert Calibrator.fit(np.array(one_label), NOTHING) is None
    assert Calibrator.fit(NOTHING, np.array(one_label)) is None
    assert Calibrator.fit(np.array([0, 1, 0, 0, 0]), np.array([5, 0, 0, 0, 0])) is None         # all missing


@pytest.mark.parametrize(
    ("scored", "reason"),
    [(NOTHING, "empty_window"), (np.array([9, 0, 0, 0, 0]), "all_missing"), (np.arange(5), "no_reference")],
)
def test_nothing_is_known_of_a_window_without_scores_or_a_reference(scored: np.ndarray, reason: str) -> None:
    calibrator = None if reason == "no_reference" else known_chances(0.1, 0.2, 0.3, 0.4)
    found = estimate_binary(scored, NOTHING, calibrator)
    assert len(found) == 11
    assert {m.reason for _, m in found} == {reason}
    several = estimate_multiclass(np.stack([scored] * 2), np.stack([NOTHING] * 2), [calibrator] * 2)
    assert len(several) == 8
    assert {m.reason for _, m in several} == {reason}


def test_each_metric_by_hand() -> None:
    found = binary([10, 20, 10], [0, 10, 10], 0.1, 0.5, 0.9)        # tn 14, fp 6, fn 6, tp 14
    expected = {
        "accuracy": 0.7, "balanced_accuracy": 0.7, "precision": 0.7, "recall": 0.7, "specificity": 0.7, "f1": 0.7,
        "mcc": 0.4, "brier": 10 * (0.1 * 25 / 36 + 0.9 / 36) / 20 + 0.125,
        "log_loss": -(10 * (0.1 * np.log(1 / 6) + 0.9 * np.log(5 / 6)) + 10 * np.log(0.5)) / 20,
    }  # fmt: skip
    assert {metric: found[metric].value for metric in expected} == pytest.approx(expected)
    variance = (10 * 0.09 + 20 * 0.25 + 10 * 0.09) / 40**2
    assert found["accuracy"].interval == pytest.approx((0.7 - 1.959964 * variance**0.5, 0.7 + 1.959964 * variance**0.5))
    assert {metric: m.n for metric, m in found.items() if m.n != 40} == {"precision": 20}


def test_what_the_window_leaves_undefined_is_unknown() -> None:
    assert reasons(binary([10, 10], [0, 0], 0.2, 0.4)) == dict.fromkeys(("precision", "mcc"), "no_predicted_positives")
    assert reasons(binary([10, 10], [10, 10], 0.2, 0.4)) == {"mcc": "no_predicted_negatives"}
    one_class = dict.fromkeys(("balanced_accuracy", "mcc", "roc_auc"), "one_class")
    assert reasons(binary([10, 10], [0, 10], 1.0, 1.0)) == {**one_class, "specificity": "no_negatives"}
    no_positives = dict.fromkeys(("recall", "average_precision"), "no_positives")
    assert reasons(binary([10, 10], [0, 10], 0.0, 0.0)) == {**one_class, **no_positives}
    nothing = {**one_class, **no_positives, "f1": "no_positives", "precision": "no_predicted_positives"}
    assert reasons(binary([10, 10], [0, 0], 0.0, 0.0)) == nothing


def test_a_single_row_has_an_estimate_and_a_wide_interval() -> None:
    m = binary([0, 1], [0, 1], 0.2, 0.7)["accuracy"]
    assert (m.value, m.n, m.interval) == (0.7, 1, (0.0, 1.0))


def test_a_smaller_reference_widens_the_interval_and_moves_nothing() -> None:
    negatives, positives = np.array([0, 90, 60, 10]), np.array([0, 10, 40, 90])
    scored, decided = np.array([0, 10**6, 10**6, 10**6]), np.array([0, 0, 0, 10**6])
    calibrators = [Calibrator.fit(negatives * k, positives * k) for k in (1, 100)]
    small, large = (dict(estimate_binary(scored, decided, c)) for c in calibrators)
    for metric, m in small.items():
        other = large[metric]
        assert m.value == pytest.approx(other.value)
        assert m.interval is not None
        assert other.interval is not None
        assert m.interval[1] - m.interval[0] > 5 * (other.interval[1] - other.interval[0])


def realised(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    chosen = scores >= 0.5
    tp, fp, fn = (int((a & b).sum()) for a, b in ((chosen, labels == 1), (chosen, labels == 0), (~chosen, labels == 1)))
    order = np.argsort(scores)
    ranks = np.flatnonzero(labels[order]) + 1
    p = labels.sum()
    return {
        "accuracy": float((chosen == labels).mean()),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": float((ranks.sum() - p * (p + 1) / 2) / (p * (labels.size - p))),
        "brier": float(((scores - labels) ** 2).mean()),
    }


@pytest.mark.parametrize(
    ("reference", "window", "slope"), [(5_000, 500, 2.0), (2_000, 20_000, 2.0), (5_000, 5_000, 1.0)]
)
def test_intervals_hold_the_realised_figures(reference: int, window: int, slope: float) -> None:
    rng = np.random.default_rng(reference + window)
    hits = []
    for _ in range(60):
        calibrator = fit(*draw(rng, reference, slope))
        labels, scores = draw(rng, window, slope)
        found = dict(estimate_binary(histogram(scores), histogram(scores[scores >= 0.5]), calibrator))
        for metric, value in realised(labels, scores).items():
            interval = found[f"estimated_{metric}"].interval
            assert interval is not None
            hits.append(interval[0] <= value <= interval[1])
    assert np.mean(hits) >= 0.9


def test_classes_without_a_calibrator_or_scores_are_left_out() -> None:
    scored = np.array([[0, 6, 4], [0, 7, 3], [10, 0, 0]])
    decided = np.array([[0, 1, 4], [0, 2, 3], [0, 0, 0]])
    of_one = known_chances(0.1, 0.8)
    found = dict(estimate_multiclass(scored, decided, [of_one, None, of_one]))
    alone = dict(estimate_binary(scored[0], decided[0], of_one))
    assert found["estimated_accuracy"].value == alone["estimated_precision"].value
    assert found["estimated_accuracy"].n == 5
    for metric in ("estimated_precision", "estimated_recall", "estimated_f1", "estimated_roc_auc"):
        assert found[metric].value == alone[metric].value
    assert found["estimated_balanced_accuracy"] == found["estimated_recall"]


def test_multiclass_metrics_are_unknown_where_no_class_has_them() -> None:
    scored, nobody = np.array([[0, 6, 4]] * 2), np.zeros((2, 3), np.int64)
    found = dict(estimate_multiclass(scored, nobody, [known_chances(0.1, 0.8)] * 2))
    assert found["estimated_precision"].reason == "no_predicted_positives"
    assert found["estimated_accuracy"].reason == "all_missing"
    assert found["estimated_recall"].value == 0.0
    decided = np.array([[0, 0, 0], [0, 6, 4]])                      # for the class that the reference does not know
    found = dict(estimate_multiclass(scored, decided, [known_chances(0.1, 0.8), None]))
    assert found["estimated_accuracy"].reason == "no_reference"


def estimated(model: ErrorModel | None, *counts: int) -> tuple[Measurement, Measurement]:
    assert model is not None
    (first, mae), (second, rmse) = model.estimate(np.array(counts))
    assert (first, second) == ("estimated_mae", "estimated_rmse")
    return mae, rmse


def test_errors_follow_the_bins_and_the_missing_are_one() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 3, 6_000)                               # bin 0 is "missing"
    model = ErrorModel.fit(codes[:, None], rng.normal(0, np.array([5.0, 1.0, 2.0])[codes]), 3)
    for counts, scale in (((1000, 0, 0), 5.0), ((0, 1000, 0), 1.0), ((0, 0, 1000), 2.0)):
        mae, rmse = estimated(model, *counts)
        assert mae.value == pytest.approx(scale * (2 / np.pi) ** 0.5, rel=0.06)
        assert rmse.value == pytest.approx(scale, rel=0.06)
        assert mae.n == 1000


def test_a_reference_of_less_than_two_rows_teaches_no_errors() -> None:
    assert ErrorModel.fit(np.zeros((0, 1), np.int64), np.zeros(0), 2) is None
    assert ErrorModel.fit(np.zeros((1, 1), np.int64), np.ones(1), 2) is None
    mae, rmse = estimated(ErrorModel.fit(np.array([[0], [1]]), np.array([1.0, -3.0]), 2), 5, 5)
    assert mae.value == pytest.approx(2.0)
    assert rmse.value == pytest.approx(5.0**0.5)


def test_rows_without_an_actual_value_are_left_out_and_infinite_errors_are_large_ones() -> None:
    codes = np.array([[0], [1], [0], [1], [1]])
    with_gaps = ErrorModel.fit(codes, np.array([1.0, 2.0, np.nan, np.nan, 3.0]), 2)
    without = ErrorModel.fit(codes[[0, 1, 4]], np.array([1.0, 2.0, 3.0]), 2)
    assert estimated(with_gaps, 2, 3) == estimated(without, 2, 3)
    mae, rmse = estimated(ErrorModel.fit(codes, np.array([1.0, 2.0, np.inf, -np.inf, 3.0]), 2), 2, 3)
    assert mae.value == pytest.approx(0.4e60)
    assert rmse.value == pytest.approx(0.4**0.5 * 1e60)


def test_an_empty_window_has_no_estimated_errors() -> None:
    model = ErrorModel.fit(np.array([[0], [1], [1]]), np.array([1.0, 2.0, 3.0]), 2)
    assert {m.reason for m in estimated(model, 0, 0)} == {"empty_window"}


def test_a_model_without_errors_is_expected_to_make_none() -> None:
    mae, rmse = estimated(ErrorModel.fit(np.array([[0], [1], [1]]), np.zeros(3), 2), 7, 0)
    assert (mae.value, mae.interval, rmse.value, rmse.interval) == (0.0, (0.0, 0.0), 0.0, (0.0, 0.0))


@pytest.mark.parametrize("unit", [1e-60, 1e58])
def test_errors_of_any_size_are_no_exception(unit: float) -> None:
    codes, errors = np.arange(40)[:, None] % 2, np.arange(1.0, 41.0)
    plain, scaled = (estimated(ErrorModel.fit(codes, errors * u, 2), 9, 1) for u in (1.0, unit))
    for one, other in zip(plain, scaled, strict=True):
        assert other.value == pytest.approx(one.value * unit, rel=1e-9)
        assert other.interval == pytest.approx(tuple(x * unit for x in one.interval), rel=1e-6)


def test_an_estimate_is_never_negative_nor_the_root_below_the_mean() -> None:
    """Two features that each halve the error: together they would take off more than there is."""
    codes = np.array([[0, 2]] * 50 + [[1, 2]] * 25 + [[0, 3]] * 25)
    model = ErrorModel.fit(codes, np.r_[np.full(50, 10.0), np.full(50, 1.0)], 4)
    mae, rmse = estimated(model, 0, 100, 0, 100)
    assert mae.value == 0.0
    assert rmse.value == 0.0
    assert mae.interval is not None
    assert mae.interval[1] > 1.0


def test_a_bin_that_the_reference_never_saw_adds_nothing() -> None:
    model = ErrorModel.fit(np.array([[0, 2], [1, 2]] * 20), np.array([1.0, 3.0] * 20), 4)
    seen, unseen = estimated(model, 10, 10, 20, 0), estimated(model, 10, 10, 0, 20)
    assert [m.value for m in seen] == pytest.approx([m.value for m in unseen])
    assert unseen[0].interval[1] > seen[0].interval[1] + 0.05       # and is less certain


def test_errors_that_wander_in_the_reference_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    codes, errors = rng.integers(0, 2, 5_000)[:, None], rng.normal(0, np.repeat(np.tile([1.0, 2.0], 5), 500))
    order = rng.permutation(5_000)
    (wandering, _), (mixed, _) = (
        estimated(ErrorModel.fit(codes[i], errors[i], 2), 500, 500) for i in (np.arange(5_000), order)
    )
    assert wandering.value == pytest.approx(mixed.value)
    assert np.ptp(wandering.interval) > 5 * np.ptp(mixed.interval)


def test_intervals_of_errors_hold_the_realised_figures() -> None:
    rng = np.random.default_rng(4)

    def rows(n: int, wet: float) -> tuple[np.ndarray, np.ndarray]:
        bins = (rng.random((n, 2)) < [wet, 0.3]).astype(np.int64)
        return bins + np.array([0, 2]), rng.normal(0, 1 + bins @ [1.0, 0.5])

    hits = []
    for _ in range(60):
        model = ErrorModel.fit(*rows(2_000, 0.3), 4)
        codes, errors = rows(1_000, 0.6)
        estimates = estimated(model, *np.bincount(codes.ravel(), minlength=4))
        for m, value in zip(estimates, (np.abs(errors).mean(), (errors**2).mean() ** 0.5), strict=True):
            hits.append(m.interval[0] <= value <= m.interval[1])
    assert np.mean(hits) >= 0.9
