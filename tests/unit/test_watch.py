"""What follows from a declaration and a reference: which metrics, which groups, which values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.point import Reason
from detectors.reference import Reference
from detectors.scope import Window
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from monitor.fold.sampling import Received
from monitor.judge.measure import WindowData, measure
from monitor.judge.watch import KEPT, Watch
from monitor.model import ModelSpec, ProtectedAttribute

SEX = Axis("attribute", "sex", CategoryGrid(("f", "m")))
BOTH = Axis("attribute", "sex&age", CategoryGrid(("f&1", "m&1")), of=("sex", "age"))
AGE = Axis("attribute", "age", CategoryGrid(("1",)))
SPACE = Space(
    "binary_classification", (Column("output", "score", UniformGrid()),), (ALL, SEX, AGE, BOTH), subjects=True
)
SPEC = ModelSpec(
    "m", "binary_classification", favourable="1", monitors=(),
    protected_attributes={"sex": ProtectedAttribute("f", 20), "age": ProtectedAttribute(None, 50)},
)  # fmt: skip
DAY = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def rows(n: int, people: int, seed: int = 1):
    """Predictions and outcomes of ``n`` rows about so many people."""
    rng = np.random.default_rng(seed)
    score, sex, one = rng.random(n), rng.integers(1, 3, n), np.ones(n, np.int64)
    decision, label = (score > 0.5).astype(np.int64), (rng.random(n) < score).astype(np.int64)
    groups, cells = [one, sex, one, sex], SPACE.output.grid.cells(score)
    subjects = rng.integers(-(2**62), 2**62, people)[np.arange(n) % people]
    return (
        fold_predictions(SPACE, [cells], groups, decision, subjects),
        fold_outcomes(SPACE, cells, groups, decision, label, score),
    )


def watch(spec: ModelSpec = SPEC) -> Watch:
    seen, known = rows(2000, 2000)
    return Watch(spec, Reference.build("may", SPACE, [seen], known))


def points(spec: ModelSpec, family: str, n: int = 2000, people: int = 2000, latest: datetime | None = None):
    seen, known = rows(n, people, 2)
    received = Received.of([(1.0, n)])
    data = WindowData(
        DAY, seen.dense(SPACE.prediction_size), seen.sums, known.dense(SPACE.outcome_size), known.sums, received,
        received, True, 1, latest,
    )  # fmt: skip
    found = measure(watch(spec), family, data, KEPT | {"freshness", "selection_rate_ratio_to_reference"})  # type: ignore[arg-type]
    return {(p.metric, p.scope.text): p for p in found}


def test_the_favourable_class_is_a_number() -> None:
    many = ModelSpec("m", "multiclass_classification", classes=("a", "b"))
    assert [watch(replace(SPEC, favourable=f)).favourable for f in ("1", "0", None)] == [1, 0, None]
    assert [watch(replace(many, favourable=f)).favourable for f in ("a", "b", "z")] == [0, 1, 2]


def test_a_cost_matrix_is_by_decision_and_label() -> None:
    found = watch(replace(SPEC, cost_matrix={("1", "1"): 5.0, ("1", "0"): -10.0})).values
    assert found is not None
    assert found.tolist() == [[0, 0], [-10, 5]]
    assert watch().values is None


def test_an_intersection_is_told_by_the_stricter_of_its_attributes() -> None:
    mine = watch()
    assert (mine.attribute(BOTH).minimum, mine.attribute(BOTH).reference) == (50, None)
    declared = {**SPEC.protected_attributes, "age": ProtectedAttribute("1", 5)}
    both = watch(replace(SPEC, protected_attributes=declared)).attribute(BOTH)
    assert (both.minimum, both.reference) == (20, "f&1")


def test_a_metric_on_demand_is_measured_where_it_is_watched() -> None:
    found = points(SPEC, "fairness")
    assert found["selection_rate_ratio_to_reference", "attribute:sex"].measurement.known
    assert ("selection_rate_ratio_to_overall", "attribute:sex") not in found


def test_many_rows_of_few_people_are_little_evidence() -> None:
    wide, narrow = (points(SPEC, "fairness", people=n)["selection_rate", "attribute:sex,group:f"] for n in (40, 2000))
    widths = [p.measurement.interval[1] - p.measurement.interval[0] for p in (wide, narrow)]
    assert wide.measurement.value == pytest.approx(narrow.measurement.value)
    assert widths[0] > 4 * widths[1], "of 50 rows each: seven times as wide"
    assert narrow.coverage is None
    assert points(SPEC, "fairness")["true_positive_rate", "attribute:sex,group:f"].coverage == 1.0


def test_outcomes_of_the_selected_alone_leave_bounds_and_precision() -> None:
    spec = replace(SPEC, outcomes_observed_for="approve")
    by_group, whole = points(spec, "fairness"), points(spec, "performance")
    rate = by_group["true_positive_rate", "attribute:sex,group:f"].measurement
    assert (rate.value, rate.reason) == (None, Reason.SELECTIVE_OUTCOMES)
    assert rate.interval is not None
    assert whole["precision", "model"].measurement.known
    assert whole["recall", "model"].measurement.reason is Reason.SELECTIVE_OUTCOMES


def test_estimates_say_that_they_are() -> None:
    found = points(SPEC, "performance")
    estimate, realised = found["estimated_accuracy", "model"], found["accuracy", "model"]
    assert (estimate.estimate, estimate.coverage, realised.estimate) == (True, None, False)
    assert estimate.measurement.value == pytest.approx(realised.measurement.value, abs=0.05)


def test_freshness_is_the_time_since_the_last_rows() -> None:
    fresh = points(SPEC, "drift", latest=DAY.end - timedelta(hours=3))["freshness", "model"].measurement
    assert fresh.value == 3 * 3600
    assert points(SPEC, "drift")["freshness", "model"].measurement.reason is Reason.EMPTY_WINDOW
