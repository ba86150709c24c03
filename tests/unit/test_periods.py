"""Periods: what is read, how each is named, and the quarters before one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.errors import InvalidInput
from monitor.kpis.periods import Period, model_quarters, parse_period, quarter_of, quarters_to


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end", "name"),
    [
        ("2026-Q3", "2026-07-01", "2026-10-01", "2026-Q3"),
        ("2025-Q4", "2025-10-01", "2026-01-01", "2025-Q4"),
        ("2026-07", "2026-07-01", "2026-08-01", "2026-07"),
        ("2025-12", "2025-12-01", "2026-01-01", "2025-12"),
        ("2026", "2026-01-01", "2027-01-01", "2026"),
        ("2026-01-01/2026-04-01", "2026-01-01", "2026-04-01", "2026-Q1"),
        ("2026-01-15/2026-04-01", "2026-01-15", "2026-04-01", "2026-01-15/2026-04-01"),
    ],
)
def test_a_period_is_half_open_and_has_one_name(text: str, start: str, end: str, name: str) -> None:
    period = parse_period(text)
    assert (period.start, period.end, period.name) == (day(start), day(end), name)
    assert period.holds(period.start)
    assert period.holds(period.end - timedelta(microseconds=1))
    assert not period.holds(period.end)
    assert not period.holds(None)
    assert parse_period(period.name) == period


def test_instants_with_an_offset_are_turned_into_utc() -> None:
    period = parse_period("2026-01-01T02:00:00+02:00/2026-01-02T12:30:00Z")
    assert period == Period(day("2026-01-01"), day("2026-01-02T12:30"))
    assert period.name == "2026-01-01/2026-01-02T12:30:00Z"
    assert parse_period(period.name) == period


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-Q5", "2026-13", "26", "next week", "2026-02-30/2026-03-01", "2026-Q1/2026-Q2"),
        *("0000", "9999-Q4", "1969", "/", "0001-01-01T00:00+05:00/2026-01-01"),
    ],
)
def test_what_is_no_period_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidInput, match="2026-Q3, 2026-07, 2026 or"):
        parse_period(text)


@pytest.mark.parametrize("text", ["2026-01-01/2026-01-01", "2026-02-01/2026-01-01"])
def test_a_period_ends_after_it_starts(text: str) -> None:
    with pytest.raises(InvalidInput, match="does not end after it starts"):
        parse_period(text)


def test_until_cuts_a_running_period_and_none_is_left_of_one_to_come() -> None:
    period = parse_period("2026-Q3")
    assert period.until(day("2026-08-01")) == Period(day("2026-07-01"), day("2026-08-01"))
    assert period.until(day("2027-01-01")) == period
    assert period.until(period.start) is None


def test_the_quarters_before_and_with_an_instant() -> None:
    assert [q.name for q in quarters_to(day("2026-02-10"))] == ["2025-Q2", "2025-Q3", "2025-Q4", "2026-Q1"]
    assert quarter_of(day("2026-12-31T23:59:59")).name == "2026-Q4"


def test_a_model_quarter_is_a_whole_quarter_whatever_its_days() -> None:
    assert model_quarters(parse_period("2024-Q1")) == 1      # 91 days
    assert model_quarters(parse_period("2023-Q1")) == 1      # 90 days
    assert model_quarters(Period(day("2023-01-01"), day("2023-02-15"))) == 0.5
    assert model_quarters(Period(day("2022-11-16"), day("2023-02-15"))) == 1.0
