"""The monitors of a model that declares none: which there are, and where their limits come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from detectors.point import Measurement, MetricPoint
from detectors.reference import Reference
from detectors.scope import Scope, Window
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space, Task
from detectors.summaries.summary import Summary
from incidents.verdict import VerdictKind
from monitor.judge import defaults
from monitor.judge.defaults import monitors_for, volume_monitor
from monitor.judge.verdicts import judge
from monitor.model import Limit, ModelSpec, ProtectedAttribute

CLASSIFIER = ModelSpec("m", "binary_classification", favourable="1", protected_attributes={"sex": ProtectedAttribute()})


def reference(task: Task = "binary_classification", complete: bool = True) -> Reference:
    output = Column("output", "score", UniformGrid(10))
    if task == "regression":
        output = Column("output", "value", NumericGrid(0.0, 1.0))
    category = Column("feature", "c", CategoryGrid(("a",), complete))
    columns = (Column("feature", "n", NumericGrid(0.0, 1.0)), category, output)
    space = Space(task, columns, (ALL, Axis("attribute", "sex", CategoryGrid(("f", "m")))))
    return Reference.build("r", space, [Summary.zero()])


def limits(spec: ModelSpec, ref: Reference, **baseline: float) -> dict[str, Limit]:
    found = monitors_for(spec, ref, {(k, "model"): v for k, v in baseline.items()})
    assert len({m.id for m in found}) == len(found), "each has a name of its own"
    assert all(m.clear == m.breach for m in found)
    return {m.id: m.breach for m in found}


def test_a_classification_is_watched_in_every_family() -> None:
    assert limits(CLASSIFIER, reference(), roc_auc=0.9, accuracy=0.8) == {
        "jensen_shannon/feature:n": Limit(high=0.025),
        "missing_rate/feature:n": Limit(high=0.05),
        "type_error_rate/feature:n": Limit(high=0.05),
        "out_of_range_rate/feature:n": Limit(high=0.05),
        "jensen_shannon/feature:c": Limit(high=0.025),
        "missing_rate/feature:c": Limit(high=0.05),
        "type_error_rate/feature:c": Limit(high=0.05),
        "unseen_category_rate/feature:c": Limit(high=0.01),
        "jensen_shannon/output:score": Limit(high=0.025),
        "undeclared_field_rate/model": Limit(high=0.05),
        "roc_auc/model": Limit(low=0.9 - 0.05),
        "accuracy/model": Limit(low=0.8 - 0.05),
        "demographic_parity_ratio/attribute:sex": Limit(low=0.8),
        "equal_opportunity_difference/attribute:sex": Limit(high=0.1),
        "equalized_odds_difference/attribute:sex": Limit(high=0.1),
    }


def test_a_regression_is_watched_by_its_error() -> None:
    spec = ModelSpec("m", "regression")
    found = limits(spec, reference("regression"), mae=10.0)
    assert found["mae/model"] == Limit(high=12.0)
    assert "jensen_shannon/output:value" in found
    assert "roc_auc/model" not in found


def test_no_limit_is_made_out_of_nothing() -> None:
    assert not {"roc_auc/model", "accuracy/model"} & set(limits(CLASSIFIER, reference()))
    assert "mae/model" not in limits(ModelSpec("m", "regression"), reference("regression"))
    assert "unseen_category_rate/feature:c" not in limits(CLASSIFIER, reference(complete=False))


def test_windows_severities_and_significance_are_those_of_the_family() -> None:
    found = {m.id: m for m in monitors_for(CLASSIFIER, reference(), {("roc_auc", "model"): 0.9})}
    auc, drift = found["roc_auc/model"], found["jensen_shannon/feature:n"]
    assert (auc.severity, auc.window, auc.alpha) == ("critical", timedelta(days=7), 0.05)
    assert (drift.severity, drift.window, drift.alpha) == ("warning", timedelta(days=1), defaults.DRIFT_ALPHA)
    assert found["missing_rate/feature:n"].relative_to == "reference"
    assert {(m.min_samples, m.open_after, m.resolve_after, m.min_coverage) for m in found.values()} == {
        (100, (2, 3), 2, 0.8)
    }


def test_declared_monitors_take_the_place_of_all() -> None:
    none = ModelSpec("m", "binary_classification", favourable="1", monitors=())
    assert monitors_for(none, reference(), {("roc_auc", "model"): 0.9}) == ()
    assert volume_monitor(none, [100.0] * 8) is None


def test_the_volumes_limit_follows_the_windows_before() -> None:
    assert volume_monitor(CLASSIFIER, [100.0] * 3) is None
    usual = volume_monitor(CLASSIFIER, [100.0, 120.0, 1e9, 80.0])
    assert usual is not None
    assert usual.breach == Limit(low=55.0, high=330.0)
    recent = volume_monitor(CLASSIFIER, [100.0] * 8 + [1e6] * 20)
    assert recent is not None
    assert recent.breach == Limit(low=50.0, high=300.0), "only the latest count"
    window = Window(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC))
    silence = MetricPoint("row_count", Scope(), window, Measurement(0.0, 0))
    (verdict,) = judge([silence], [recent], {})
    assert verdict.kind is VerdictKind.BREACH, "no rows at all is the worst of all volumes"


def test_declared_monitors_do_not_end_the_watch_for_silence_unless_one_is_of_the_volume() -> None:
    usual = volume_monitor(CLASSIFIER, [100.0] * 8)
    assert usual is not None
    other = replace(usual, id="psi/feature:x", metric="psi", scope=Scope(feature="x"))
    assert volume_monitor(replace(CLASSIFIER, monitors=(other,)), [100.0] * 8) == usual
    assert volume_monitor(replace(CLASSIFIER, monitors=(usual,)), [100.0] * 8) is None


def test_every_task_has_a_performance_and_where_it_decides_a_fairness_monitor() -> None:
    ranking = limits(ModelSpec("m", "ranking"), reference("ranking"), ndcg=0.9)
    assert ranking["ndcg/model"] == Limit(low=0.9 - 0.05)
    sexes = {"sex": ProtectedAttribute(), "age": ProtectedAttribute()}
    regression = ModelSpec("m", "regression", protected_attributes=sexes)
    assert limits(regression, reference("regression"), mae=10.0)["mae_difference/attribute:sex"] == Limit(
        high=pytest.approx(2.0)
    )
    assert not any("mae_difference" in m for m in limits(regression, reference("regression")))
    both = replace(CLASSIFIER, protected_attributes=sexes, intersections=(("sex", "age"),))
    assert limits(both, reference())["demographic_parity_ratio/attribute:sex&age"] == Limit(low=0.8)
