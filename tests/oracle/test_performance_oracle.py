"""Performance against scikit-learn and against the vectors: counts exactly, the binned within their stated bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import ORACLE
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from detectors.performance import (
    auc_bound,
    average_precision_bound,
    calibration_error,
    class_decisions,
    class_scope,
    measure_performance,
    multiclass_decisions,
    multiclass_scores,
    ranking_losses,
    ranking_metrics,
    regression_metrics,
    reliability_curve,
)
from detectors.performance.scores import average_precision
from detectors.point import Measurement
from detectors.scope import Scope
from detectors.summaries.fold import fold_outcomes
from detectors.summaries.grids import NumericGrid, UniformGrid
from detectors.summaries.space import RANKING_SUMS, Column, Space, example_space

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())["cases"]
SPACE = example_space()
HALF_CELL = 1 / 4000
NAN: dict[str, Any] = {"zero_division": np.nan}


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


def agree(ours: float | None, theirs: float, what: object, tolerance: float = 1e-9) -> None:
    """Ours is theirs; where theirs is NaN, ours is unknown."""
    assert (ours is None) == bool(np.isnan(theirs)), what
    assert ours is None or ours == pytest.approx(theirs, abs=tolerance), what


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


@cases("average_precision")
def test_average_precision_vectors(case: dict[str, Any]) -> None:
    found, histogram = classify(*rows(case, "y_true", "score"))
    m = found["average_precision"]
    assert (m.value is None) == case["undefined"]
    if m.value is None:
        assert m.reason == "one_class"
    else:
        assert abs(m.value - case["expected"]) <= average_precision_bound(histogram) + case["tolerance_abs"]


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


@ORACLE
@given(scored, st.sampled_from([0.1, 0.35, 0.5, 0.9]))
def test_classification_agrees_with_scikit_learn(pairs: list[tuple[int, int]], threshold: float) -> None:
    labels, scores = np.array([y for y, _ in pairs]), np.array([s / 10**6 for _, s in pairs])
    found, histogram = classify(labels, scores, threshold)
    decisions = scores >= threshold
    precision, recall, f1, _ = sk.precision_recall_fscore_support(labels, decisions, labels=[0, 1], **NAN)
    expected = {
        "accuracy": np.mean(labels == decisions),
        "precision": precision[1],
        "recall": recall[1],
        "specificity": recall[0],
        "f1": f1[1],
        "log_loss": sk.log_loss(labels, np.clip(scores, 1e-15, 1 - 1e-15), labels=[0, 1]),
        "brier": np.mean((scores - labels) ** 2),
    }
    for metric, value in expected.items():
        agree(found[metric].value, value, metric)
    ece = found["expected_calibration_error"].value
    assert ece == pytest.approx(exact_ece(labels, scores, 10), abs=HALF_CELL + 1e-9)
    if len(set(labels)) == 1:
        undefined = ("roc_auc", "average_precision", "balanced_accuracy", "mcc")
        assert {found[metric].reason for metric in undefined} == {"one_class"}
        return
    assert found["balanced_accuracy"].value == pytest.approx(sk.balanced_accuracy_score(labels, decisions))
    assert (found["mcc"].value or 0.0) == pytest.approx(sk.matthews_corrcoef(labels, decisions), abs=1e-12)
    assert abs(found["roc_auc"].value - sk.roc_auc_score(labels, scores)) <= auc_bound(histogram) + 1e-12
    theirs = sk.average_precision_score(labels, scores)
    assert abs(found["average_precision"].value - theirs) <= average_precision_bound(histogram) + 1e-12


@ORACLE
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1999)), min_size=2, max_size=80))
def test_scores_of_the_grid_lose_nothing(pairs: list[tuple[int, int]]) -> None:
    labels, scores = np.array([y for y, _ in pairs]), np.array([(s + 0.5) / 2000 for _, s in pairs])
    found, histogram = classify(labels, scores)
    if len(set(labels)) == 2:
        assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
        theirs = sk.average_precision_score(labels, scores)
        assert found["average_precision"].value == pytest.approx(theirs, abs=1e-12)
    assert found["expected_calibration_error"].value == pytest.approx(exact_ece(labels, scores, 10), abs=1e-12)
    curve, at = reliability_curve(histogram), np.minimum((scores * 10).astype(int), 9)
    assert [round(b.lower * 10) for b in curve] == sorted(set(at))
    for b in curve:
        inside = at == round(b.lower * 10)
        assert (b.n, b.rate) == (inside.sum(), pytest.approx(labels[inside].mean()))
        assert b.mean_score == pytest.approx(scores[inside].mean())


@ORACLE
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 400)), min_size=2, max_size=60))
def test_average_precision_bound_holds_on_a_coarse_grid(pairs: list[tuple[int, int]]) -> None:
    """Scores within a cell in any order and with ties, against ten cells only."""
    labels, scores = np.array([y for y, _ in pairs]), np.array([s / 400 for _, s in pairs])
    histogram = np.zeros((2, 11), np.int64)
    np.add.at(histogram, (labels, UniformGrid(10).cells(scores)), 1)
    if len(set(labels)) == 2:
        ours, theirs = average_precision(histogram).value, sk.average_precision_score(labels, scores)
        assert ours is not None
        assert abs(ours - theirs) <= average_precision_bound(histogram) + 1e-12


CLASSES = ("a", "b", "c", "d")
several = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@ORACLE
@given(several)
def test_decisions_of_many_classes_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    decisions, labels = (np.array(column) for column in zip(*pairs, strict=True))
    table = np.zeros((5, 5), np.int64)
    np.add.at(table, (decisions, labels), 1)
    found = dict(multiclass_decisions(table))
    agree(found["accuracy"].value, np.mean(labels == decisions), "accuracy")
    rates = ("precision", "recall", "f1")
    each = sk.precision_recall_fscore_support(labels, decisions, labels=range(4), **NAN)
    for suffix, how in (("", "macro"), ("_micro", "micro"), ("_weighted", "weighted")):
        theirs = sk.precision_recall_fscore_support(labels, decisions, labels=range(4), average=how, **NAN)
        for metric, value, by_class in zip(rates, theirs, each, strict=False):
            # scikit-learn says 0 where no class that has labels has the metric.
            nothing = how == "weighted" and not each[3] @ ~np.isnan(by_class)
            agree(found[metric + suffix].value, np.nan if nothing else value, metric + suffix)
    specificity = np.array([(~decided & ~labelled).sum() / max((~labelled).sum(), 1e-9)
                            for decided, labelled in ((decisions == c, labels == c) for c in range(4))])
    specificity[np.bincount(labels, minlength=4) == labels.size] = np.nan
    agree(found["specificity"].value, np.nanmean(specificity), "specificity")
    mine = {(metric, scope): m.value for metric, scope, m in class_decisions(CLASSES, table)}
    for metric, by_class in (*zip(rates, each, strict=False), ("specificity", specificity)):
        for name, value in zip(CLASSES, by_class, strict=True):
            agree(mine[metric, class_scope(name)], value, (metric, name))
    if len(set(labels.tolist())) > 1 < len(set(decisions.tolist())):
        assert found["mcc"].value == pytest.approx(sk.matthews_corrcoef(labels, decisions), abs=1e-12)
    else:
        assert found["mcc"].value is None
    assert found["balanced_accuracy"] == found["recall"]


@ORACLE
@given(st.lists(st.tuples(st.integers(0, 2), *[st.integers(0, 99)] * 2), min_size=1, max_size=40))
def test_scores_of_many_classes_agree_with_scikit_learn(drawn: list[tuple[int, int, int]]) -> None:
    """Scores lie on the grid, so that binning loses nothing."""
    labels, first, second = (np.array(column) for column in zip(*drawn, strict=True))
    scores = np.stack([first, second, np.zeros_like(first)], axis=1) / 200 + 0.0025
    scores[:, 2] = 1 - scores[:, :2].sum(axis=1)
    histograms = np.zeros((3, 2, 201), np.int64)
    for c in range(3):
        np.add.at(histograms[c], ((labels == c).astype(int), UniformGrid(200).cells(scores[:, c] + 1e-9)), 1)
    truth = labels[:, None] == np.arange(3)
    log_losses = -np.log(np.clip(scores[truth], 1e-15, 1))
    briers = ((scores - truth) ** 2).sum(axis=1)
    sums = np.array([log_losses.sum(), briers.sum()])
    found = {(metric, scope): m for metric, scope, m in multiclass_scores("abc", histograms, sums)}
    whole = {metric: m for (metric, scope), m in found.items() if scope == Scope()}
    assert whole["log_loss"].value == pytest.approx(sk.log_loss(labels, scores, labels=range(3)), abs=1e-9)
    assert whole["brier"].value == pytest.approx(sk.brier_score_loss(labels, scores, labels=range(3)), abs=1e-9)
    defined = [c for c in range(3) if 0 < truth[:, c].sum() < labels.size]
    for metric, of in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        each = {c: of(truth[:, c], histogram_scores(scores[:, c])) for c in defined}
        for c, name in enumerate("abc"):
            agree(found[metric, class_scope(name)].value, each.get(c, np.nan), (metric, name))
        agree(whole[metric].value, np.mean(list(each.values())) if each else np.nan, metric)


@pytest.mark.parametrize(("metric", "average"), [("roc_auc", "macro"), ("roc_auc_weighted", "weighted")])
def test_roc_auc_of_many_classes_is_that_of_one_against_the_rest(metric: str, average: str) -> None:
    rng = np.random.default_rng(9)
    labels = rng.choice(3, 500, p=[0.6, 0.3, 0.1])
    cells = np.minimum(rng.integers(1, 60, (500, 3)) + 40 * (labels[:, None] == np.arange(3)), 99)
    histograms = np.zeros((3, 2, 101), np.int64)
    for c in range(3):
        np.add.at(histograms[c], ((labels == c).astype(int), cells[:, c]), 1)
    found = {name: m for name, scope, m in multiclass_scores("abc", histograms, np.ones(2)) if scope == Scope()}
    each = [sk.roc_auc_score(labels == c, cells[:, c]) for c in range(3)]
    weights = None if average == "macro" else np.bincount(labels)
    assert found[metric].value == pytest.approx(np.average(each, weights=weights), abs=1e-12)
    theirs = sk.roc_auc_score(np.eye(3)[labels], cells, average=average)
    assert found[metric].value == pytest.approx(theirs, abs=1e-12)


def histogram_scores(scores: np.ndarray) -> np.ndarray:
    """Scores rounded to the middle of their cell of 200, so that equal ones are equal."""
    return (UniformGrid(200).cells(scores + 1e-9) - 0.5) / 200


values = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))


@ORACLE
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


@ORACLE
@given(st.lists(st.tuples(values, values), min_size=1, max_size=60), st.sampled_from([0.05, 0.5, 0.9]))
def test_percentage_error_and_quantile_loss_agree_with_scikit_learn(
    pairs: list[tuple[float, float]], quantile: float
) -> None:
    actual, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    found = dict(regression_metrics(actual.size, sums_of(actual, predicted), quantile))
    theirs = sk.mean_pinball_loss(actual, predicted, alpha=quantile)
    assert found["quantile_loss"].value == pytest.approx(theirs, abs=1e-9)
    some = actual != 0
    assert found["mape"].n == some.sum()
    if some.any():
        mape = sk.mean_absolute_percentage_error(actual[some], predicted[some])
        assert found["mape"].value == pytest.approx(mape, rel=1e-9, abs=1e-12)
    else:
        assert found["mape"].reason == "zero_denominator"


def sums_of(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """All sums that a regression's metrics are made of."""
    e, nonzero = predicted - actual, actual != 0
    share = np.abs(e[nonzero] / actual[nonzero])
    return {
        "error": e.sum(), "absolute_error": np.abs(e).sum(), "squared_error": (e**2).sum(),
        "fourth_power_error": (e**4).sum(), "signed_squared_error": (e * np.abs(e)).sum(),
        "actual": actual.sum(), "squared_actual": (actual**2).sum(), "cubed_actual": (actual**3).sum(),
        "fourth_power_actual": (actual**4).sum(), "squared_error_actual": (e**2 * actual).sum(),
        "squared_error_squared_actual": (e**2 * actual**2).sum(),
        "percentage_error": share.sum(), "squared_percentage_error": (share**2).sum(), "nonzero": float(nonzero.sum()),
    }  # fmt: skip


items = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=25)


@ORACLE
@given(items, st.integers(1, 6))
def test_ranking_agrees_with_scikit_learn_and_with_all_orders_of_ties(
    drawn: list[tuple[int, int, int]], k: int
) -> None:
    query, score, relevance = (np.array(column) for column in zip(*drawn, strict=True))
    losses = ranking_losses(query, score.astype(float), relevance.astype(float), k)
    found = dict(ranking_metrics(dict(zip(RANKING_SUMS, losses.sum(axis=0).tolist(), strict=True))))
    expected: list[list[float]] = []
    for q in sorted(set(query.tolist())):
        s, r = score[query == q], relevance[query == q]
        if not r.any():
            continue
        ndcg = sk.ndcg_score([r], [s], k=k) if r.size > 1 else 1.0
        expected.append([ndcg, *by_orders(s, r > 0, k)])
    assert {m.n for m in found.values()} == {len(expected)}
    assert losses[:, 1].sum() == len(set(query.tolist())) - len(expected)
    for i, metric in enumerate(("ndcg", "mean_reciprocal_rank", "precision_at_k", "recall_at_k")):
        agree(found[metric].value, np.mean([row[i] for row in expected]) if expected else np.nan, metric)


def by_orders(scores: np.ndarray, relevant: np.ndarray, k: int) -> tuple[float, float, float]:
    """Reciprocal rank, precision and recall at k, by going down the ranks: the chance of the first relevant item at a
    rank is that of none before it in its tie, item by item."""
    reciprocal, hits, nothing_yet, rank = 0.0, 0.0, 1.0, 0
    for score in sorted(set(scores.tolist()), reverse=True):
        tied = relevant[scores == score]
        for before in range(tied.size):
            rank += 1
            hits += tied.mean() if rank <= k else 0.0
            chance = min(tied.sum() / (tied.size - before), 1.0)
            reciprocal += nothing_yet * chance / rank
            nothing_yet *= 1 - chance
    return reciprocal, hits / k, hits / relevant.sum()
