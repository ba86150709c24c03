"""Estimates without outcomes against sums over the rows, scikit-learn, and NannyML's figures on real data."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from examples import ORACLE
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import Ridge

from detectors.bins import decile_starts
from detectors.estimation import Calibrator, ErrorModel, estimate_binary
from detectors.point import Measurement
from detectors.summaries.grids import NumericGrid, UniformGrid

DATA = Path(__file__).parents[2] / "data"
GRID = UniformGrid()
CELLS = 40
CENTRES = (np.arange(CELLS) + 0.5) / CELLS

by_cell = st.lists(st.integers(0, 9) | st.just(0), min_size=CELLS, max_size=CELLS).map(lambda c: np.array(c, np.int64))
chances = st.lists(st.integers(1, 99), min_size=CELLS, max_size=CELLS).map(lambda c: np.sort(np.array(c)) / 100)


def estimate(scored: np.ndarray, decided: np.ndarray, p: np.ndarray) -> dict[str, Measurement]:
    calibrator = Calibrator(p, np.arange(p.size), np.zeros(p.size), True)
    found = estimate_binary(np.r_[0, scored], np.r_[0, decided], calibrator)
    return {metric.removeprefix("estimated_"): m for metric, m in found}


@ORACLE
@given(by_cell, by_cell)
def test_calibration_is_the_isotonic_regression_of_the_rows(negatives: np.ndarray, positives: np.ndarray) -> None:
    calibrator = Calibrator.fit(np.r_[0, negatives], np.r_[0, positives])
    if calibrator is None or not calibrator.applied:
        return
    x = np.r_[np.repeat(CENTRES, negatives), np.repeat(CENTRES, positives)]
    y = np.r_[np.zeros(negatives.sum()), np.ones(positives.sum())]
    expected = IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(CENTRES)
    assert calibrator.p == pytest.approx(expected, abs=1e-9)


def of_table(tn: Any, fn: Any, fp: Any, tp: Any) -> dict[str, Any]:
    """The textbook's metrics of a confusion table, or of an array of them."""
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    return {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": tp / (tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
    }


@ORACLE
@given(by_cell, by_cell, chances)
def test_estimates_are_the_metrics_of_weighted_rows(refused: np.ndarray, decided: np.ndarray, p: np.ndarray) -> None:
    """Each row once as a positive of weight p and once as a negative of weight 1 - p, given to scikit-learn."""
    if not (refused.any() and decided.any()):
        return
    found = estimate(refused + decided, decided, p)
    at = np.r_[np.repeat(np.arange(CELLS), refused), np.repeat(np.arange(CELLS), decided)]
    chosen = np.tile(np.repeat([0, 1], [refused.sum(), decided.sum()]), 2)
    labels, scores = np.repeat([1, 0], at.size), np.tile(CENTRES[at], 2)
    weights = np.r_[p[at], 1 - p[at]]
    expected = of_table(*(float(weights[(chosen == d) & (labels == y)].sum()) for d in (0, 1) for y in (0, 1))) | {
        "roc_auc": sk.roc_auc_score(labels, scores, sample_weight=weights),
        "average_precision": sk.average_precision_score(labels, scores, sample_weight=weights),
        "brier": np.average((scores - labels) ** 2, weights=weights),
        "log_loss": np.average(-np.log(np.where(labels == 1, scores, 1 - scores)), weights=weights),
    }
    assert {metric: m.value for metric, m in found.items()} == pytest.approx(expected, abs=1e-9)


METRICS_OF_LABELS = {
    "accuracy": lambda y, chosen, scores: float((y == chosen).mean()),
    "precision": lambda y, chosen, scores: float(y[chosen == 1].mean()),
    "brier": lambda y, chosen, scores: float(((y - scores) ** 2).mean()),
    "log_loss": lambda y, chosen, scores: float(-np.log(np.where(y == 1, scores, 1 - scores)).mean()),
}


@ORACLE
@given(st.lists(st.tuples(st.integers(0, CELLS - 1), st.booleans()), min_size=1, max_size=5), chances)
def test_linear_estimates_are_the_exact_expectation_and_variance(
    rows: list[tuple[int, bool]], p: np.ndarray
) -> None:
    """Over all labels that the rows could turn out to have, each with its probability."""
    at, chosen = np.array([cell for cell, _ in rows]), np.array([int(d) for _, d in rows])
    found = estimate(np.bincount(at, minlength=CELLS), np.bincount(at[chosen == 1], minlength=CELLS), p)
    outcomes = np.array(list(itertools.product([0, 1], repeat=len(rows))))
    weights = np.prod(np.where(outcomes == 1, p[at], 1 - p[at]), axis=1)
    for metric, of_labels in METRICS_OF_LABELS.items():
        m = found[metric]
        if m.value is None:
            assert not chosen.any()
            continue
        values = np.array([of_labels(y, chosen, CENTRES[at]) for y in outcomes])
        mean = float(weights @ values)
        half = 1.959964 * float(weights @ (values - mean) ** 2) ** 0.5
        top = np.inf if metric == "log_loss" else 1.0
        assert m.value == pytest.approx(mean)
        assert m.interval == pytest.approx((max(mean - half, 0.0), min(mean + half, top)), abs=1e-6)


def test_intervals_have_the_spread_of_labels_drawn_at_random() -> None:
    """For what is no sum over the rows: the delta method against 200 draws of the labels."""
    rng = np.random.default_rng(11)
    at = rng.integers(0, CELLS, 1_500)
    chosen, p = at >= 25, CENTRES**2
    found = estimate(np.bincount(at, minlength=CELLS), np.bincount(at[chosen], minlength=CELLS), p)
    drawn = (rng.random((200, at.size)) < p[at]).astype(int)
    tables = ((drawn[:, chosen == d] == y).sum(axis=1) for d in (False, True) for y in (0, 1))
    realised = of_table(*tables) | {
        "roc_auc": [sk.roc_auc_score(y, at) for y in drawn],
        "average_precision": [sk.average_precision_score(y, at) for y in drawn],
    }
    for metric, values in realised.items():
        m = found[metric]
        assert m.interval is not None
        deviation = (m.interval[1] - m.interval[0]) / 2 / 1.959964
        assert np.std(values) == pytest.approx(deviation, rel=0.15), metric
        assert np.mean(values) == pytest.approx(m.value, abs=deviation / 4), metric


def counts(scores: np.ndarray) -> np.ndarray:
    return np.bincount(GRID.cells(scores), minlength=GRID.size)


def test_census_gives_the_figures_of_nannyml() -> None:
    """CBPE of 42 chunks of 5,000 rows: the published figures within 0.003; they are met within 0.0002."""
    reference = pq.read_table(DATA / "census" / "reference.parquet", columns=["score", "label"])
    scores, labels = reference["score"].to_numpy(), reference["label"].to_numpy()
    calibrator = Calibrator.fit(counts(scores[labels == 0]), counts(scores[labels == 1]))
    assert calibrator is not None
    assert calibrator.applied
    window = pq.read_table(DATA / "census" / "predictions.parquet", columns=["score", "prediction"])
    scores, decisions = window["score"].to_numpy(), window["prediction"].to_numpy()
    chunks = json.loads((DATA / "census" / "expected.json").read_text())["chunks_5000"]
    assert len(chunks) == 42
    held = []
    for chunk in chunks:
        rows = slice(chunk["start_index"], chunk["end_index"] + 1)
        found = dict(estimate_binary(counts(scores[rows]), counts(scores[rows][decisions[rows] == 1]), calibrator))
        for metric in ("roc_auc", "accuracy", "f1"):
            m = found[f"estimated_{metric}"]
            assert m.value == pytest.approx(chunk[f"cbpe_{metric}"], abs=0.0002)
            assert m.interval is not None
            held.append(m.interval[0] <= chunk[f"realized_{metric}"] <= m.interval[1])
    assert np.mean(held) > 0.85             # it misses most among people in group quarters, which no score shows


rows_of_bins = st.lists(st.tuples(st.integers(0, 3), st.integers(4, 6)), min_size=2, max_size=40)


@ORACLE
@given(rows_of_bins, st.integers(0, 10**6), rows_of_bins)
def test_the_model_of_errors_is_the_ridge_regression_of_scikit_learn(
    reference: list[tuple[int, int]], seed: int, window: list[tuple[int, int]]
) -> None:
    codes, asked = np.array(reference), np.array(window)
    errors = np.random.default_rng(seed).normal(0, 10, len(codes))
    indicators, unknown = (np.eye(7)[c].sum(axis=1) for c in (codes, asked))
    model = ErrorModel.fit(codes, errors, 7)
    assert model is not None
    (_, mae), (_, rmse) = model.estimate(np.bincount(asked.ravel(), minlength=7))
    first, second = (
        float(Ridge(alpha=20, solver="cholesky").fit(indicators, target).predict(unknown).mean())
        for target in (np.abs(errors), errors**2)
    )
    assert mae.value == pytest.approx(max(first, 0.0), rel=1e-6, abs=1e-6)
    assert rmse.value == pytest.approx(max(second, mae.value**2) ** 0.5, rel=1e-6, abs=1e-6)


FEATURES = ("day_of_week", "hour", "minute", "distance", "temp", "wind_speed", "precip", "visib", "predicted_arr_delay")
CATEGORIES = ("carrier", "origin", "dest")


def binned(reference: pa.Table, production: pa.Table) -> tuple[np.ndarray, np.ndarray, int]:
    """Both tables' bins, numbered through: deciles of the reference, its categories, and one for the missing."""
    columns, at = [], 0
    for name in FEATURES:
        first, second = (t[name].cast(pa.float64()).to_numpy() for t in (reference, production))
        grid = NumericGrid.fit(first)
        cells = [grid.cells(x) for x in (first, second)]
        edges = np.r_[0, decile_starts(np.bincount(cells[0], minlength=grid.size)[1:]) + 1]
        columns.append([at + np.searchsorted(edges, c, side="right") - 1 for c in cells])
        at += edges.size
    for name in CATEGORIES:
        known = pc.unique(reference[name].cast(pa.string()))
        found = [pc.index_in(t[name].cast(pa.string()), known).fill_null(len(known)) for t in (reference, production)]
        columns.append([at + x.to_numpy().astype(np.int64) for x in found])
        at += len(known) + 1
    first, second = (np.stack(c, axis=1) for c in zip(*columns, strict=True))
    return first, second, at


def test_flights_are_estimated_better_than_by_the_error_of_the_reference() -> None:
    """April to December from January to March: the figures of docs/estimation.md, and what they do not reach."""
    reference = pq.read_table(DATA / "flights" / "reference.parquet")
    production = pq.read_table(DATA / "flights" / "predictions.parquet")
    codes, asked, bins = binned(reference, production)
    errors = reference["predicted_arr_delay"].to_numpy() - reference["arr_delay"].to_numpy()
    model = ErrorModel.fit(codes, errors, bins)
    assert model is not None
    constant = float(np.nanmean(np.abs(errors)))
    months = production["month"].to_numpy()
    missed, plain, held = [], [], 0
    for month, realised in json.loads((DATA / "flights" / "expected.json").read_text())["regression_by_month"].items():
        mae = dict(model.estimate(np.bincount(asked[months == int(month)].ravel(), minlength=bins)))["estimated_mae"]
        assert mae.interval is not None
        missed.append(abs(mae.value - realised["mae"]))
        plain.append(abs(constant - realised["mae"]))
        held += mae.interval[0] <= realised["mae"] <= mae.interval[1]
    assert np.mean(missed) == pytest.approx(4.9, abs=0.1)
    assert np.mean(plain) == pytest.approx(7.9, abs=0.1)
    assert held == 6                        # of 9: June, July and September had more delays than any winter's day
