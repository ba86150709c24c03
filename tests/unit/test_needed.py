"""What would decide an inconclusive verdict: the sample and the wait for it, and only where more rows help."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.point import Measurement, MetricPoint
from detectors.scope import Scope, Window
from incidents.verdict import VerdictKind
from monitor.verdict import STRADDLES, Verdict, about, needed

START = datetime(2026, 7, 6, tzinfo=UTC)


def point(metric: str = "equal_opportunity_difference", days: int = 7, half: float = 0.1) -> MetricPoint:
    window = Window(START, START + timedelta(days=days))
    return MetricPoint(metric, Scope(attribute="SEX"), window, Measurement(0.3, 900, (0.3 - half, 0.3 + half)))


@pytest.mark.parametrize(
    ("limit", "half", "factor", "text"),
    [
        (0.25, 0.1, 4.0, "needs about 4 times the rows: about 4 weeks at this volume"),
        (0.35, 0.1, 4.0, "needs about 4 times the rows: about 4 weeks at this volume"),
        (0.22, 0.1, 1.5625, "needs about 1.6 times the rows: about 11 days at this volume"),
        (0.29, 0.1, 100.0, "needs about 100 times the rows: about 23 months at this volume"),
        (0.295, 0.1, 400.0, "needs about 400 times the rows: about 8 years at this volume"),
        (0.299, 0.1, 10_000.0, "needs about 10,000 times the rows: not at this volume"),
        (0.3, 0.1, None, "no sample within reach would decide: the value is as good as the limit"),
    ],
)
def test_the_sample_and_the_wait_in_words(limit: float, half: float, factor: float | None, text: str) -> None:
    found = needed(point(half=half), STRADDLES, limit)
    assert found is not None
    assert found.factor == (None if factor is None else pytest.approx(factor))
    assert found.text == text


@pytest.mark.parametrize(
    ("metric", "reason", "limit"),
    [
        ("jensen_shannon", STRADDLES, 0.25),        # blocks of the reference set its noise, and more rows do not
        ("missing_rate", STRADDLES, 0.25),
        ("estimated_roc_auc", STRADDLES, 0.25),
        ("equal_opportunity_difference", "not_yet_clear", 0.25),
        ("equal_opportunity_difference", None, 0.25),
        ("equal_opportunity_difference", STRADDLES, None),
        ("of_another_version", STRADDLES, 0.25),
    ],
)
def test_nothing_is_said_where_more_rows_do_not_help(metric: str, reason: str | None, limit: float | None) -> None:
    assert needed(point(metric), reason, limit) is None


def test_the_wire_has_it_with_every_verdict() -> None:
    measured = point()
    verdict = Verdict("m", measured, VerdictKind.INCONCLUSIVE, STRADDLES, 0.25, "warning").as_dict()
    assert verdict["needed"] == {"factor": pytest.approx(4.0), "text": verdict["needed"]["text"]}
    assert Verdict("m", measured, VerdictKind.OK, None, 0.9, "warning").as_dict()["needed"] is None


def test_a_wait_is_told_in_the_unit_that_people_would_use() -> None:
    said = [about(timedelta(hours=h)) for h in (1, 20, 47, 24 * 12, 24 * 13.6, 24 * 59, 24 * 61, 24 * 720, 24 * 3600)]
    assert said == ["about 1 hour", "about 20 hours", "about 2 days", "about 12 days", "about 2 weeks", "about 8 weeks",
                    "about 2 months", "about 2 years", "about 10 years"]  # fmt: skip
