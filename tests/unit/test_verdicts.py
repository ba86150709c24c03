"""Verdicts: a breach needs the whole interval beyond the limit and, where there is a p-value, significance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detectors.point import Measurement, MetricPoint, Reason
from detectors.scope import Scope, Window
from incidents.verdict import VerdictKind
from monitor.judge.verdicts import benjamini_hochberg, judge
from monitor.model import Limit, MonitorSpec
from monitor.verdict import Verdict

WINDOW = Window(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC))
AUC = MonitorSpec("auc", "roc_auc", Scope(), timedelta(days=1), Limit(low=0.8), Limit(low=0.85))


def point(value: float | None, interval: tuple[float, float] | None = None, n: int = 1_000, p: float | None = None,
          metric: str = "roc_auc", feature: str | None = None, **more: Any) -> MetricPoint:  # fmt: skip
    reason = Reason.ONE_CLASS if value is None else None
    return MetricPoint(metric, Scope(feature=feature), WINDOW, Measurement(value, n, interval, p, reason), **more)


def one(measured: MetricPoint, monitor: MonitorSpec = AUC, settled: bool = True, **baseline: float) -> Verdict:
    (verdict,) = judge([measured], [monitor], {(k, "model"): v for k, v in baseline.items()}, settled=settled)
    return verdict


def said(verdict: Verdict) -> tuple[str, str | None]:
    return verdict.kind.value, verdict.reason


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (0.9, (0.86, 0.94), ("ok", None)),
        (0.9, (0.85, 0.95), ("ok", None)),
        (0.9, (0.84, 0.95), ("inconclusive", "not_yet_clear")),
        (0.82, (0.80, 0.84), ("inconclusive", "not_yet_clear")),
        (0.82, (0.79, 0.84), ("inconclusive", "interval_straddles_limit")),
        (0.7, (0.6, 0.80), ("inconclusive", "interval_straddles_limit")),
        (0.7, (0.6, 0.79), ("breach", None)),
        (0.7, None, ("breach", None)),
        (0.9, None, ("ok", None)),
        (None, None, ("unknown", "one_class")),
    ],
)
def test_the_interval_against_the_limit(
    value: float | None, interval: tuple[float, float] | None, expected: tuple[str, str | None]
) -> None:
    assert said(one(point(value, interval))) == expected


def test_a_limit_on_both_sides_is_passed_on_either() -> None:
    both = replace(AUC, breach=Limit(low=-1.0, high=1.0), clear=Limit(low=-1.0, high=1.0))
    assert [one(point(v, i), both).kind for v, i in ((2, (1.5, 2.5)), (-2, (-3, -1.5)), (0, (-0.5, 0.5)))] == [
        VerdictKind.BREACH, VerdictKind.BREACH, VerdictKind.OK,
    ]  # fmt: skip
    assert said(one(point(0.0, (-2.0, 2.0)), both)) == ("inconclusive", "interval_straddles_limit")
    assert [one(point(v), both).limit for v in (2.0, -2.0)] == [1.0, -1.0], "the end that is nearest"


def test_too_little_is_unknown_whatever_the_value() -> None:
    assert said(one(point(0.1, (0.0, 0.2), n=99))) == ("unknown", "too_few_samples")
    assert said(one(point(0.1, (0.0, 0.2), n=100))) == ("breach", None)
    early = point(0.1, (0.0, 0.2), coverage=0.79)
    assert said(one(early, settled=False)) == ("unknown", "low_coverage")
    assert said(one(early, settled=True)) == ("breach", None), "the label delay has passed"
    assert said(one(replace(early, coverage=0.8), settled=False)) == ("breach", None)


def test_relative_to_the_reference_the_limit_moves_with_it() -> None:
    fall = replace(AUC, breach=Limit(low=-0.05), clear=Limit(low=-0.05), relative_to="reference")
    verdict = one(point(0.8, (0.79, 0.81)), fall, roc_auc=0.9)
    assert said(verdict) == ("breach", None)
    assert verdict.limit == pytest.approx(0.85)
    assert said(one(point(0.86, (0.855, 0.87)), fall, roc_auc=0.9)) == ("ok", None)
    assert said(one(point(0.8), fall)) == ("unknown", "no_reference")


def drifted(p: float, feature: str) -> tuple[MetricPoint, MonitorSpec]:
    scope = Scope(feature=feature)
    monitor = MonitorSpec(feature, "psi", scope, timedelta(days=1), Limit(high=0.1), Limit(high=0.1), alpha=0.05)
    return point(0.3, (0.2, 0.4), p=p, metric="psi", feature=feature), monitor


def test_an_effect_that_is_not_significant_is_inconclusive() -> None:
    for p, expected in ((0.05, ("breach", None)), (0.051, ("inconclusive", "not_significant"))):
        measured, monitor = drifted(p, "x")
        assert said(one(measured, monitor)) == expected


def test_p_values_are_corrected_over_the_columns_of_a_metric_and_no_further() -> None:
    pairs = [drifted(p, f"f{i}") for i, p in enumerate([0.03, *[0.9] * 9])]
    verdicts = judge([p for p, _ in pairs], [m for _, m in pairs], {})
    assert said(verdicts[0]) == ("inconclusive", "not_significant"), "one of ten by chance"
    alone = judge([pairs[0][0]], [pairs[0][1]], {})
    assert said(alone[0]) == ("breach", None)
    together = [drifted(0.03, f"f{i}") for i in range(10)]
    assert {v.kind for v in judge([p for p, _ in together], [m for _, m in together], {})} == {VerdictKind.BREACH}


def test_a_monitor_without_its_point_says_nothing() -> None:
    assert judge([point(0.5, metric="accuracy")], [AUC], {}) == []
    assert judge([point(0.5)], [], {}) == []


def test_benjamini_hochberg_as_in_the_paper() -> None:
    # Table of the paper's example (J. R. Statist. Soc. B 57, p. 295): at 0.05 the first four are rejected.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
         0.7590, 1.0]  # fmt: skip
    adjusted = benjamini_hochberg(p)
    assert [a <= 0.05 for a in adjusted] == [True] * 4 + [False] * 11
    assert adjusted == sorted(adjusted)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    assert adjusted[-1] == 1.0
    assert benjamini_hochberg(p[::-1]) == adjusted[::-1]
    assert benjamini_hochberg([]) == []
