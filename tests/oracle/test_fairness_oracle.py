"""Fairness against Fairlearn and the vectors, and where Fairlearn's 0 for an empty denominator is not followed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fl
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.fairness import DISPARITIES, GroupRates, disparities, group_rates
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space

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


def groups_of(labels: Sequence[int], decisions: Sequence[int], group: Sequence[str]) -> list[GroupRates]:
    axes = (ALL, Axis("attribute", "group", CategoryGrid(tuple(sorted(set(group))))))
    space = Space("binary_classification", (Column("output", "score", UniformGrid()),), axes)
    y, d, scores = np.array(labels), np.array(decisions), np.full(len(labels), 0.5)
    cells, at = space.output.grid.cells(scores), [np.ones(y.size, np.int64), axes[1].grid.cells(group)]
    seen = fold_predictions(space, [cells], at, d).dense(space.prediction_size)
    known = fold_outcomes(space, cells, at, d, y, scores).dense(space.outcome_size)
    return group_rates(space, seen, known, 1)


def check(groups: list[GroupRates], metric: str, theirs: float | None, tolerance: float) -> bool:
    """Whether Fairlearn's figure is ours. It must be wherever every rate has a denominator and there are two groups;
    elsewhere ours is that of the groups that have one, or unknown."""
    m = dict(disparities(groups))[metric]
    kind, names = DISPARITIES[metric]
    rates = [[g.rate(name) for g in groups] for name in names]
    if all(r.known for row in rates for r in row) and len(groups) > 1:
        if m.value is None:
            assert kind == "ratio"
            assert m.reason == "zero_denominator"
            assert any(all(r.value == 0 for r in row) for row in rates)
        else:
            assert m.value == pytest.approx(theirs, abs=tolerance), metric
        return True
    known = [[r.value for r in row if r.value is not None] for row in rates]
    if min(len(row) for row in known) < 2:
        assert m.reason is not None, metric
        return False
    if kind == "difference":
        assert m.value == pytest.approx(max(max(row) - min(row) for row in known), abs=tolerance), metric
    elif min(max(row) for row in known) == 0:
        assert m.reason == "zero_denominator"
    else:
        assert m.value == pytest.approx(min(min(row) / max(row) for row in known), abs=tolerance), metric
    return False


@cases("group_rates")
def test_group_rate_vectors(case: dict[str, Any]) -> None:
    groups = groups_of(*(case["inputs"][c] for c in ("y_true", "y_pred", "group")))
    assert {g.group: g.n_outcomes for g in groups} == {g: e["n"] for g, e in case["expected"].items()}
    for g in groups:
        for name, theirs in NAMES.items():
            m, expected = g.rate(name), case["expected"][g.group][theirs]
            assert (m.value is None) == (expected is None), (g.group, name)
            assert m.value == pytest.approx(expected, abs=case["tolerance_abs"]), (g.group, name)


@cases("fairlearn_default")
def test_disparity_vectors(case: dict[str, Any]) -> None:
    groups = groups_of(*(case["inputs"][c] for c in ("y_true", "y_pred", "group")))
    ours = dict(disparities(groups))
    for metric in FAIRLEARN:
        same = check(groups, metric, case["expected"][metric], case["tolerance_abs"])
        if case["case"].startswith(("census", "flights", "equal")):
            assert same, metric
    predictive = ours["predictive_parity_difference"].value
    assert (predictive is None) == (case["expected"]["predictive_parity_difference"] is None)
    assert predictive == pytest.approx(case["expected"]["predictive_parity_difference"], abs=case["tolerance_abs"])


rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abcd")), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_disparities_agree_with_fairlearn(table: list[tuple[int, int, str]]) -> None:
    labels, decisions, group = zip(*table, strict=True)
    groups = groups_of(labels, decisions, group)
    for metric in FAIRLEARN:
        with np.errstate(invalid="ignore", divide="ignore"):
            theirs = getattr(fl, metric)(labels, decisions, sensitive_features=list(group))
        check(groups, metric, float(theirs), 1e-12)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_group_rates_agree_with_fairlearn(table: list[tuple[int, int, str]]) -> None:
    labels, decisions, group = zip(*table, strict=True)
    names = [n for n in NAMES if n not in ("positive_predictive_value", "accuracy")]
    frame = fl.MetricFrame(
        metrics={n: getattr(fl, n) for n in names}, y_true=labels, y_pred=decisions, sensitive_features=list(group)
    )
    for g in groups_of(labels, decisions, group):
        for name in names:
            m = g.rate(name)
            # Fairlearn gives 0 (and for a single class 0 or 1 by the one it sees) where the denominator is empty.
            if m.value is not None:
                assert m.value == pytest.approx(frame.by_group[name][g.group], abs=1e-12), name
