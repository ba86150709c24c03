"""Periods of a review: half-open, in UTC. A quarter is the usual one; a month, a year or any two instants will do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.errors import InvalidInput

QUARTER = re.compile(r"(\d{4})-Q([1-4])")
MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
YEAR = re.compile(r"(\d{4})")
YEARS = range(1970, 9_000)      # those that the database's instants can tell
EXAMPLES = "Write it as 2026-Q3, 2026-07, 2026 or 2026-01-01/2026-04-01"


@dataclass(frozen=True, slots=True)
class Period:
    """``[start, end)``, both in UTC."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """Its shortest name: one for each period, however it was asked for.

        >>> parse_period("2026-07-01/2026-10-01").name, parse_period("2026-01-01/2026-02-15").name
        ('2026-Q3', '2026-01-01/2026-02-15')
        """
        year, month = self.start.year, self.start.month
        names = {12: f"{year:04d}", 3: f"{year:04d}-Q{(month + 2) // 3}", 1: f"{year:04d}-{month:02d}"}
        for months, text in names.items():
            if (month - 1) % months == 0 and self == _months(year, month, months):
                return text
        return f"{_text(self.start)}/{_text(self.end)}"

    def holds(self, instant: datetime | None) -> bool:
        return instant is not None and self.start <= instant < self.end

    def until(self, now: datetime) -> Period | None:
        """The part of it that is over at ``now``; ``None`` where it has not begun."""
        return Period(self.start, min(self.end, now)) if now > self.start else None

    def common(self, start: datetime, end: datetime) -> timedelta:
        """How much of ``[start, end)`` lies in it."""
        return max(min(self.end, end) - max(self.start, start), timedelta())


def parse_period(text: str) -> Period:
    """Read a quarter, a month, a year, or two dates or instants; anything else is ``InvalidInput``.

    >>> parse_period("2026-Q3")
    Period(start=datetime.datetime(2026, 7, 1, 0, 0, tzinfo=datetime.timezone.utc),
           end=datetime.datetime(2026, 10, 1, 0, 0, tzinfo=datetime.timezone.utc))
    """
    try:
        period = _read(text)
    except (ValueError, OverflowError):
        period = None
    if period is None or period.start.year not in YEARS or period.end.year not in YEARS:
        raise InvalidInput(f"{text[:80]!a} is no period", EXAMPLES)
    if period.end <= period.start:
        raise InvalidInput(f"the period {text[:80]!a} does not end after it starts", EXAMPLES)
    return period


def _read(text: str) -> Period | None:
    if found := QUARTER.fullmatch(text):
        return _months(int(found[1]), 3 * int(found[2]) - 2, 3)
    if found := MONTH.fullmatch(text):
        return _months(int(found[1]), int(found[2]), 1)
    if found := YEAR.fullmatch(text):
        return _months(int(found[1]), 1, 12)
    first, slash, last = text.partition("/")
    return Period(_instant(first), _instant(last)) if slash else None


def quarter_of(instant: datetime) -> Period:
    """The calendar quarter that holds an instant.

    >>> quarter_of(datetime(2026, 5, 9, tzinfo=UTC)).name
    '2026-Q2'
    """
    return _months(instant.year, (instant.month - 1) // 3 * 3 + 1, 3)


def quarters_to(end: datetime, count: int = 4) -> list[Period]:
    """The last ``count`` quarters, oldest first; the last of them holds the instant before ``end``.

    >>> [q.name for q in quarters_to(datetime(2026, 4, 1, tzinfo=UTC))]
    ['2025-Q2', '2025-Q3', '2025-Q4', '2026-Q1']
    """
    found = [quarter_of(end - timedelta(microseconds=1))]
    while len(found) < count:
        found.insert(0, quarter_of(found[0].start - timedelta(microseconds=1)))
    return found


def model_quarters(part: Period) -> float:
    """How many quarters a stretch of one model's life is: each calendar quarter counts by the share of it covered,
    so that a whole one is 1 whatever its days, and the parts of a stretch add up.

    >>> model_quarters(parse_period("2026")), model_quarters(parse_period("2026-01-01/2026-02-15"))
    (4.0, 0.5)
    """
    total, quarter = 0.0, quarter_of(part.start)
    while quarter.start < part.end:
        total += quarter.common(part.start, part.end) / (quarter.end - quarter.start)
        quarter = quarter_of(quarter.end)
    return total


def _months(year: int, month: int, count: int) -> Period:
    return Period(_first(year, month), _first(year, month, count))


def _first(year: int, month: int, later: int = 0) -> datetime:
    month += later - 1
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _instant(text: str) -> datetime:
    """A date or an instant; one without a zone is UTC."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _text(instant: datetime) -> str:
    midnight = instant.time().isoformat() == "00:00:00"
    return instant.date().isoformat() if midnight else instant.isoformat().replace("+00:00", "Z")
