"""Windows tumble, lie on UTC, and close once no more rows are expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.scope import Scope
from monitor.judge.windows import LATENESS, STEPS, Track, step_of, track_of, tracks
from monitor.model import Limit, ModelSpec, MonitorSpec, ProtectedAttribute
from monitor.times import from_micros, span_micros, to_micros

DAY = span_micros(timedelta(days=1))


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def monitor(metric: str, scope: Scope | None = None, days: int = 1) -> MonitorSpec:
    scope = scope or Scope()
    return MonitorSpec(f"{metric}/{scope.text}", metric, scope, timedelta(days=days), Limit(high=1.0), Limit(high=1.0))


def test_days_are_days_and_weeks_begin_on_monday() -> None:
    day, week = Track("drift", DAY), Track("performance", 7 * DAY)
    instant = at("2026-07-01T13:45:00")
    assert [from_micros(t).isoformat() for t in day.window_of(instant)] == [
        "2026-07-01T00:00:00+00:00", "2026-07-02T00:00:00+00:00",
    ]  # fmt: skip
    assert [from_micros(t).strftime("%A %d") for t in week.window_of(instant)] == ["Monday 29", "Monday 06"]
    assert day.window_of(at("2026-07-01T00:00:00"))[0] == at("2026-07-01T00:00:00"), "a window holds its start"


@pytest.mark.parametrize("instant", [0, 1, DAY, at("1969-12-31T12:00:00"), at("2026-07-01T13:45:00")])
def test_a_window_holds_the_instant_it_is_asked_for(instant: int) -> None:
    for length in (DAY // 24, DAY, 7 * DAY, 28 * DAY):
        start, end = Track("drift", length).window_of(instant)
        assert start <= instant < end == start + length


def test_closed_windows_follow_each_other_without_a_gap_once_rows_can_no_longer_come_in_time() -> None:
    track, start = Track("drift", DAY), at("2026-07-01T00:00:00")
    assert list(track.closed(start, start + DAY + LATENESS - 1)) == []
    assert list(track.closed(start, start + DAY + LATENESS)) == [(start, start + DAY)]
    found = list(track.closed(start + 1, start + 4 * DAY + LATENESS))
    assert found == [(start + i * DAY, start + (i + 1) * DAY) for i in (1, 2, 3)], "a cut window is none"


def test_steps_are_reached_at_their_shares() -> None:
    assert [step_of(share) for share in (*STEPS, None, 0.0, 0.79, 0.999)] == [1, 2, 3, 4, 0, 0, 1, 3]


def test_there_is_a_track_for_each_family_and_length_that_is_asked_for() -> None:
    spec = ModelSpec("m", "binary_classification", favourable="1")
    assert [t.name for t in tracks(spec, ())] == ["drift/86400s", "performance/604800s"]
    fair = ModelSpec("m", "binary_classification", favourable="1", protected_attributes={"sex": ProtectedAttribute()})
    assert [t.family for t in tracks(fair, ())] == ["drift", "performance", "fairness"]
    asked = tracks(spec, (monitor("psi"), monitor("psi", days=7), monitor("accuracy", days=1)))
    assert [t.name for t in asked] == ["drift/86400s", "performance/604800s", "drift/604800s", "performance/86400s"]
    assert track_of(monitor("accuracy", Scope(attribute="sex", group="f"))).family == "fairness"
    assert track_of(monitor("missing_rate", Scope(feature="x"))).family == "drift"
