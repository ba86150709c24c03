"""Fairness against Fairlearn and the vectors, and where Fairlearn's 0 for an empty denominator is not followed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import ORACLE
from fairlearn import metrics as fl
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as skm

from detectors.fairness import DISPARITIES, RATES, measure_fairness, resolve
from detectors.point import Measurement
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space

Found = dict[tuple[str, str | None], Measurement]      # by metric and group, None for a disparity

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())["cases"]
NAMES = {
    "selection_rate": "selection_rate", "true_positive_rate": "tpr", "false_negative_rate": "fnr",
    "false_positive_rate": "fpr", "true_negative_rate": "tnr", "positive_predictive_value": "ppv",
    "accuracy": "accuracy",
}  # fmt: skip
FAIRLEARN = (
    "demographic_parity_difference", "demographic_parity_ratio", "equal_opportunity_difference",
    "equalized_odds_difference", "equalized_odds_ratio",
)  # fmt: skip


def cases(variant: str) -> Any:
    found = [c for c in CASES if (c["metric"], c["variant"]) == ("fairness", variant)]
    return pytest.mark.parametrize("case", found, ids=[c["case"] for c in found])


def measured(
    labels: Sequence[int], decisions: Sequence[int], group: Sequence[str], metrics: Sequence[str] = DISPARITIES
) -> Found:
    """From rows by way of the summaries, without a minimum size, as Fairlearn has none."""
    axes = (ALL, Axis("attribute", "group", CategoryGrid(tuple(sorted(set(group))))))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    y, d, scores = np.array(labels), np.array(decisions), np.full(len(labels), 0.5)
    cells, at = space.output.grid.cells(scores), [np.ones(y.size, np.int64), axes[1].grid.cells(group)]
    seen = fold_predictions(space, [cells], at, d).dense(space.prediction_size)
    known = fold_outcomes(space, cells, at, d, y, scores).dense(space.outcome_size)
    return {(name, scope.group): m for name, scope, m in measure_fairness(space, seen, known, 1, 1, metrics=metrics)}


def check(found: Found, metric: str, theirs: float | None, tolerance: float) -> bool:
    """Whether Fairlearn's figure is ours. It must be wherever every rate has a denominator and there are two groups;
    elsewhere ours is that of the groups that have one, or unknown."""
    m, comparison = found[metric, None], resolve(metric)
    groups = {g for _, g in found if g is not None}
    rates = [[found[name, g] for g in groups] for name in comparison.rates]
    if all(r.known for row in rates for r in row) and len(groups) > 1:
        if m.value is None:
            assert comparison.kind == "ratio"
            assert m.reason == "zero_denominator"
            assert any(all(r.value == 0 for r in row) for row in rates)
        else:
            assert m.value == pytest.approx(theirs, abs=tolerance), metric
        return True
    known = [[r.value for r in row if r.value is not None] for row in rates]
    if min(len(row) for row in known) < 2:
        assert m.reason is not None, metric
        return False
    if comparison.kind == "difference":
        assert m.value == pytest.approx(max(max(row) - min(row) for row in known), abs=tolerance), metric
    elif min(max(row) for row in known) == 0:
        assert m.reason == "zero_denominator"
    else:
        assert m.value == pytest.approx(min(min(row) / max(row) for row in known), abs=tolerance), metric
    return False


@cases("group_rates")
def test_group_rate_vectors(case: dict[str, Any]) -> None:
    found = measured(*(case["inputs"][c] for c in ("y_true", "y_pred", "group")))
    for group, expected in case["expected"].items():
        assert found["selection_rate", group].n == expected["n"]
        for name, theirs in NAMES.items():
            m = found[name, group]
            assert (m.value is None) == (expected[theirs] is None), (group, name)
            assert m.value == pytest.approx(expected[theirs], abs=case["tolerance_abs"]), (group, name)


@cases("fairlearn_default")
def test_disparity_vectors(case: dict[str, Any]) -> None:
    found = measured(*(case["inputs"][c] for c in ("y_true", "y_pred", "group")))
    for metric in FAIRLEARN:
        same = check(found, metric, case["expected"][metric], case["tolerance_abs"])
        if case["case"].startswith(("census", "flights", "equal")):
            assert same, metric
    predictive = found["predictive_parity_difference", None].value
    assert (predictive is None) == (case["expected"]["predictive_parity_difference"] is None)
    assert predictive == pytest.approx(case["expected"]["predictive_parity_difference"], abs=case["tolerance_abs"])


rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abcd")), min_size=1, max_size=60)
RATIO = {                           # of the confusion matrix [[tn, fp], [fn, tp]], flattened
    "selection_rate": ((1, 3), (0, 1, 2, 3)), "accuracy": ((0, 3), (0, 1, 2, 3)),
    "favourable_rate": ((2, 3), (0, 1, 2, 3)),
    "true_positive_rate": ((3,), (2, 3)), "false_negative_rate": ((2,), (2, 3)),
    "false_positive_rate": ((1,), (0, 1)), "true_negative_rate": ((0,), (0, 1)),
    "positive_predictive_value": ((3,), (1, 3)), "false_discovery_rate": ((1,), (1, 3)),
    "negative_predictive_value": ((0,), (0, 2)), "false_omission_rate": ((2,), (0, 2)),
}  # fmt: skip
COMPARED = {f"{rate}_{kind}{to}": (rate, kind, method) for rate in RATES for kind in ("difference", "ratio")
            for to, method in (("", "between_groups"), ("_to_overall", "to_overall"))}  # fmt: skip


def confusion(labels: Sequence[int], decisions: Sequence[int]) -> np.ndarray:
    return skm.confusion_matrix(labels, decisions, labels=[0, 1]).ravel()


def rate_of(name: str, matrix: np.ndarray) -> float:
    """A rate from scikit-learn's confusion matrix; 0 where it has no denominator, as Fairlearn has it."""
    counted, of = RATIO[name]
    return float(matrix[list(counted)].sum() / max(matrix[list(of)].sum(), 1))


@ORACLE
@given(rows)
def test_disparities_agree_with_fairlearn(table: list[tuple[int, int, str]]) -> None:
    """One frame of Fairlearn's rates has all its disparities; that it names them so is in the vectors and below."""
    labels, decisions, group = zip(*table, strict=True)
    found = measured(labels, decisions, group)
    for metric, theirs in framed(labels, decisions, group).items():
        check(found, metric, theirs, 1e-12)


def framed(labels: Sequence[int], decisions: Sequence[int], group: Sequence[str]) -> dict[str, float]:
    """Fairlearn's disparities, from one frame."""
    rates = {name: getattr(fl, name) for name in ("selection_rate", "true_positive_rate", "false_positive_rate")}
    with np.errstate(invalid="ignore", divide="ignore"):
        frame = fl.MetricFrame(metrics=rates, y_true=labels, y_pred=decisions, sensitive_features=list(group))
        difference, ratio = frame.difference(), frame.ratio()
    odds = ["true_positive_rate", "false_positive_rate"]
    return {
        "demographic_parity_difference": float(difference["selection_rate"]),
        "demographic_parity_ratio": float(ratio["selection_rate"]),
        "equal_opportunity_difference": float(difference["true_positive_rate"]),
        "equalized_odds_difference": float(max(difference[odds])),
        "equalized_odds_ratio": float(min(ratio[odds])),
    }


@pytest.mark.parametrize("metric", FAIRLEARN)
@settings(max_examples=50)
@given(rows)
def test_the_frame_s_disparities_are_those_that_fairlearn_names(metric: str, table: list[tuple[int, int, str]]) -> None:
    labels, decisions, group = zip(*table, strict=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        theirs = getattr(fl, metric)(labels, decisions, sensitive_features=list(group))
    assert framed(labels, decisions, group)[metric] == pytest.approx(float(theirs), abs=1e-12, nan_ok=True)


@ORACLE
@given(rows)
def test_rates_and_their_aggregations_agree_with_scikit_learn(table: list[tuple[int, int, str]]) -> None:
    """Every rate by group, its difference and its ratio, between the groups and to the whole."""
    labels, decisions, group = zip(*table, strict=True)
    found = measured(labels, decisions, group, list(COMPARED))
    overall = confusion(labels, decisions)
    of_group = {g: confusion(*zip(*(row[:2] for row in table if row[2] == g), strict=True)) for g in set(group)}
    for rate in RATES:
        known = [g for g in of_group if found[rate, g].known]
        values = [rate_of(rate, of_group[g]) for g in known]
        assert [found[rate, g].value for g in known] == pytest.approx(values, abs=1e-12), rate
        if len(values) == len(of_group) > 1:
            check_aggregations(found, rate, values, rate_of(rate, overall))


def check_aggregations(found: Found, rate: str, values: list[float], overall: float) -> None:
    for metric, (of, kind, method) in COMPARED.items():
        if of != rate:
            continue
        pairs = [(v, overall) for v in values] if method == "to_overall" else [(min(values), max(values))]
        if kind == "difference":
            assert found[metric, None].value == pytest.approx(max(abs(a - b) for a, b in pairs), abs=1e-12), metric
        elif max(values) == 0:
            assert found[metric, None].reason == "zero_denominator", metric
        else:
            ratio = min(min(a, b) / max(a, b) for a, b in pairs)
            assert found[metric, None].value == pytest.approx(ratio, abs=1e-12), metric


def test_aggregations_are_those_of_a_metric_frame() -> None:
    """Fairlearn's own words for the same: ``between_groups`` and ``to_overall``, of difference and ratio."""
    labels = [1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0]
    decisions = [1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1]
    group = list("aaaabbbccccbb")
    found = measured(labels, decisions, group, list(COMPARED))
    functions = {rate: (lambda y, d, rate=rate: rate_of(rate, confusion(y, d))) for rate in RATES}
    frame = fl.MetricFrame(metrics=functions, y_true=labels, y_pred=decisions, sensitive_features=group)
    for metric, (rate, kind, method) in COMPARED.items():
        theirs = (frame.difference if kind == "difference" else frame.ratio)(method=method)[rate]
        assert found[metric, None].value == pytest.approx(theirs, abs=1e-12), metric
