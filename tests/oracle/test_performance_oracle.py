"""Performance against scikit-learn and against the vectors: counts exactly, the binned within their stated bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from detectors.performance import auc_bound, calibration_error, measure_performance
from detectors.point import Measurement
from detectors.summaries.fold import fold_outcomes
from detectors.summaries.grids import NumericGrid
from detectors.summaries.space import Column, Space, example_space

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())["cases"]
SPACE = example_space()
HALF_CELL = 1 / 4000


def cases(metric: str) -> Any:
    found = [c for c in CASES if c["metric"] == metric]
    return pytest.mark.parametrize("case", found, ids=[f"{c['case']}-{c['variant']}" for c in found])


def rows(case: dict[str, Any], *columns: str) -> list[np.ndarray]:
    """The case's columns, rows with a missing value left out."""
    table = np.array([case["inputs"][c] for c in columns], np.float64)
    return list(table[:, ~np.isnan(table).any(axis=0)])


def classify(
    labels: np.ndarray, scores: np.ndarray, threshold: float = 0.5
) -> tuple[dict[str, Measurement], np.ndarray]:
    """All metrics of a classifier by name, and the score's histogram."""
    one = np.ones(scores.size, np.int64)
    decisions = (scores >= threshold).astype(np.int64)
    cells = SPACE.output.grid.cells(scores)
    folded = fold_outcomes(SPACE, cells, [one, one], decisions, labels.astype(np.int64), scores)
    counts = folded.dense(SPACE.outcome_size)
    found = measure_performance(SPACE, counts, folded.sums)
    return {metric: m for metric, _, m in found}, SPACE.score_by_label(counts)


def regress(actual: np.ndarray, predicted: np.ndarray) -> dict[str, Measurement]:
    space = Space("regression", (Column("output", "value", NumericGrid.fit(predicted)),))
    one = np.ones(actual.size, np.int64)
    folded = fold_outcomes(space, space.output.grid.cells(predicted), [one], None, None, predicted, actual)
    return {metric: m for metric, _, m in measure_performance(space, folded.dense(space.outcome_size), folded.sums)}


def exact_ece(labels: np.ndarray, scores: np.ndarray, bins: int) -> float:
    at = np.minimum((scores * bins).astype(int), bins - 1)
    return sum(abs(labels[at == b].sum() - scores[at == b].sum()) for b in range(bins)) / labels.size


@cases("confusion_metrics")
def test_confusion_vectors(case: dict[str, Any]) -> None:
    found, _ = classify(*rows(case, "y_true", "score"), case["inputs"]["threshold"])
    for metric, expected in case["expected"].items():
        if metric in ("tn", "fp", "fn", "tp"):
            continue
        m = found[metric]
        if metric == "mcc" and not m.known:                 # scikit-learn gives 0 where it is undefined
            assert expected == 0.0
            continue
        assert (m.value is None) == (expected is None), metric
        assert m.value == pytest.approx(expected, abs=case["tolerance_abs"]), metric
        assert (m.reason is None) == m.known


@cases("roc_auc")
def test_roc_auc_vectors(case: dict[str, Any]) -> None:
    found, histogram = classify(*rows(case, "y_true", "score"))
    m = found["roc_auc"]
    assert (m.value is None) == case["undefined"]
    if m.value is None:
        assert m.reason == "one_class"
    else:
        assert abs(m.value - case["expected"]) <= auc_bound(histogram) + case["tolerance_abs"]


@cases("log_loss")
def test_log_loss_vectors(case: dict[str, Any]) -> None:
    found, _ = classify(*rows(case, "y_true", "score"))
    assert found["log_loss"].value == pytest.approx(case["expected"], abs=case["tolerance_abs"])


@cases("brier")
def test_brier_vectors(case: dict[str, Any]) -> None:
    found, _ = classify(*rows(case, "y_true", "score"))
    assert found["brier"].value == pytest.approx(case["expected"], abs=case["tolerance_abs"])


@cases("ece")
def test_ece_vectors(case: dict[str, Any]) -> None:
    found, histogram = classify(*rows(case, "y_true", "score"))
    bins = case["inputs"]["bins"]
    assert calibration_error(histogram, bins) == pytest.approx(case["expected"], abs=HALF_CELL + case["tolerance_abs"])
    if bins == 10:
        assert found["expected_calibration_error"].value == calibration_error(histogram, bins)


@cases("regression")
def test_regression_vectors(case: dict[str, Any]) -> None:
    actual, predicted = rows(case, "y_true", "y_pred")
    found = regress(actual, predicted)
    for metric, named in (("mae", "mae"), ("mse", "mse"), ("rmse", "rmse"), ("bias", "mean_error")):
        assert found[metric].value == pytest.approx(case["expected"][named], abs=case["tolerance_abs"])
        assert found[metric].n == case["expected"]["n"]
    if np.ptp(actual) == 0:             # scikit-learn gives 1 or 0 where the actual values do not differ
        assert found["r2"].reason == "zero_denominator"
    else:
        assert found["r2"].value == pytest.approx(case["expected"]["r2"], abs=case["tolerance_abs"])


scored = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10**6)), min_size=1, max_size=80)


@settings(max_examples=100, deadline=None)
@given(scored, st.sampled_from([0.1, 0.35, 0.5, 0.9]))
def test_classification_agrees_with_scikit_learn(pairs: list[tuple[int, int]], threshold: float) -> None:
    labels, scores = np.array([y for y, _ in pairs]), np.array([s / 10**6 for _, s in pairs])
    found, histogram = classify(labels, scores, threshold)
    decisions = scores >= threshold
    nan = {"zero_division": np.nan}
    expected = {
        "accuracy": sk.accuracy_score(labels, decisions),
        "precision": sk.precision_score(labels, decisions, **nan),
        "recall": sk.recall_score(labels, decisions, **nan),
        "specificity": sk.recall_score(labels, decisions, pos_label=0, **nan),
        "f1": sk.f1_score(labels, decisions, **nan),
        "log_loss": sk.log_loss(labels, np.clip(scores, 1e-15, 1 - 1e-15), labels=[0, 1]),
        "brier": np.mean((scores - labels) ** 2),
    }
    for metric, value in expected.items():
        ours = found[metric].value
        assert (ours is None) == bool(np.isnan(value)), metric
        assert ours is None or ours == pytest.approx(value, abs=1e-9), metric
    ece = found["expected_calibration_error"].value
    assert ece == pytest.approx(exact_ece(labels, scores, 10), abs=HALF_CELL + 1e-9)
    if len(set(labels)) == 1:
        assert {found[metric].reason for metric in ("roc_auc", "balanced_accuracy", "mcc")} == {"one_class"}
        return
    assert found["balanced_accuracy"].value == pytest.approx(sk.balanced_accuracy_score(labels, decisions))
    assert (found["mcc"].value or 0.0) == pytest.approx(sk.matthews_corrcoef(labels, decisions), abs=1e-12)
    assert abs(found["roc_auc"].value - sk.roc_auc_score(labels, scores)) <= auc_bound(histogram) + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1999)), min_size=2, max_size=80))
def test_roc_auc_is_exact_on_scores_of_the_grid(pairs: list[tuple[int, int]]) -> None:
    labels, scores = np.array([y for y, _ in pairs]), np.array([(s + 0.5) / 2000 for _, s in pairs])
    found, _ = classify(labels, scores)
    if len(set(labels)) == 2:
        assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)


values = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(values, values), min_size=2, max_size=60))
def test_regression_agrees_with_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    found = regress(actual, predicted)
    assert found["mae"].value == pytest.approx(sk.mean_absolute_error(actual, predicted), abs=1e-9)
    assert found["mse"].value == pytest.approx(sk.mean_squared_error(actual, predicted), abs=1e-9)
    assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(actual, predicted), abs=1e-4)
    assert found["bias"].value == pytest.approx(np.mean(predicted - actual), abs=1e-9)
    if np.ptp(actual) > 0.01:
        assert found["r2"].value == pytest.approx(sk.r2_score(actual, predicted), rel=1e-4, abs=1e-6)
    elif np.ptp(actual) == 0:
        assert not found["r2"].known
