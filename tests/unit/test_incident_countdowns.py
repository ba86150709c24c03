"""Deadlines, counted by hand, over month ends, leap years and the nights in which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incidents.countdowns import PRESETS, deadlines, read_presets, steps_of
from incidents.incident import Report, Serious

NOW = datetime(2026, 3, 28, 22, tzinfo=UTC)


def due(serious: Serious) -> dict[str, str]:
    return {d.name: d.due_at.isoformat()[:16] for d in deadlines(serious)}


def report(name: str, at: datetime) -> Report:
    return Report("dora", name, at, "ana")


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("other", "2026-04-12T22:00"),
        ("death", "2026-04-07T22:00"),
        ("widespread_or_critical_infrastructure", "2026-03-30T22:00"),
    ],
)
def test_the_ai_act_counts_calendar_days_by_category(category: str, expected: str) -> None:
    """The clocks of the Union go forward on 29 March: no hour is lost in UTC."""
    assert due(Serious(category, steps_of(category, ["eu_ai_act"]), NOW, None)) == {"report": expected}


def test_the_gdpr_gives_72_hours() -> None:
    assert due(Serious("leak", PRESETS["gdpr"], NOW, None)) == {"notification": "2026-03-31T22:00"}


def test_doras_initial_report_is_due_at_the_earlier_of_two_times() -> None:
    soon = Serious("outage", PRESETS["dora"], NOW, NOW + timedelta(hours=2))
    late = Serious("outage", PRESETS["dora"], NOW, NOW + timedelta(hours=22))
    assert due(soon)["initial"] == "2026-03-29T04:00"        # classified + 4 h
    assert due(late)["initial"] == "2026-03-29T22:00"        # aware + 24 h
    assert due(Serious("outage", PRESETS["dora"], NOW, None))["initial"] == "2026-03-29T22:00"


def test_later_reports_run_from_the_earlier_one_itself_once_it_is_filed() -> None:
    filed = Serious("outage", PRESETS["dora"], NOW, None, (report("initial", NOW + timedelta(hours=1)),))
    assert due(filed) == {
        "initial": "2026-03-29T22:00", "intermediate": "2026-03-31T23:00", "final": "2026-04-30T23:00",
    }  # fmt: skip
    assert [d.reported_at for d in deadlines(filed)] == [NOW + timedelta(hours=1), None, None]
    unfiled = due(Serious("outage", PRESETS["dora"], NOW, None))
    assert (unfiled["intermediate"], unfiled["final"]) == ("2026-04-01T22:00", "2026-05-01T22:00")


@pytest.mark.parametrize(
    ("filed", "expected"),
    [
        ((2026, 1, 31), "2026-02-28"), ((2028, 1, 31), "2028-02-29"), ((2026, 12, 15), "2027-01-15"),
        ((2026, 3, 31), "2026-04-30"), ((2026, 2, 28), "2026-03-28"),
    ],
)  # fmt: skip
def test_a_month_is_of_the_calendar_and_ends_with_its_month(filed: tuple[int, int, int], expected: str) -> None:
    at = datetime(*filed, 5, tzinfo=UTC)
    serious = Serious("outage", PRESETS["dora"], at, None, (report("intermediate", at),))
    assert due(serious)["final"] == f"{expected}T05:00"


def test_the_end_of_all_time_is_a_deadline_and_no_error() -> None:
    far = datetime(9999, 12, 31, tzinfo=UTC)
    assert {d.due_at.year for d in deadlines(Serious("outage", PRESETS["dora"], far, None))} == {9999}


def test_a_deadline_that_waits_for_a_classification_is_not_told_before_it() -> None:
    steps = read_presets({"bank": [{"name": "note", "after": "classified", "hours": 1}]})["bank"]
    assert due(Serious("outage", steps, NOW, None)) == {}
    assert due(Serious("outage", steps, NOW, NOW)) == {"note": "2026-03-28T23:00"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "mapping"),
        ({"bank": []}, "'bank' needs a list"),
        ({"bank": ["soon"]}, r"bank\[0\] is no mapping"),
        ({"bank": [{"name": "note", "after": "aware"}]}, r"bank\[0\].*more than nothing"),
        ({"bank": [{"name": "note", "after": "aware", "weeks": 1}]}, "weeks"),
        ({"bank": [{"name": "note", "after": "aware", "hours": "six"}]}, r"bank\[0\]"),
        ({"bank": [{"name": "note", "after": "aware", "days": float("inf")}]}, r"bank\[0\]"),
    ],
)
def test_a_preset_that_cannot_be_read_says_where(data: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_presets(data)


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="there are dora, eu_ai_act:death"):
        steps_of("death", ["sox"])
