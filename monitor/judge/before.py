"""What changed before an incident: versions, declarations, references, volume, columns and sampling, the latest first.

All of it comes from the state (monitor/store/facts.py), never from the log or a clock: a rebuild finds the same.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidents.commands import MOST_SAID
from incidents.verdict import Change, ChangeKind, Kind
from monitor.judge.defaults import VOLUME_HISTORY

LOOK_BACK = (2, timedelta(hours=24))    # windows, and at least so long
VOLUME_CHANGE = 1.5     # times the median of the windows before, or less than one part in it: worth a word
COLUMN_RISE = 0.2       # more of a column's values missing, or of another type, than in the window before


@dataclass(frozen=True, slots=True)
class ColumnRate:
    """The share of a column's values that are missing or of another type in the window that starts at ``start``."""

    start: datetime
    column: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model about a stretch of time; each part in the order of time.

    ``versions``: those that served in it and never before, with the start of the first bucket; ``references``: instant
    and declaration of those that came into force, the first among them, also before it; ``rows``: start and row count
    of windows, in it and some before; ``columns``: of its last windows; ``rates``: sampling rates, each with the start
    of its first bucket in it or as long before.
    """

    versions: Sequence[tuple[datetime, str]] = ()
    references: Sequence[tuple[datetime, int]] = ()
    rows: Sequence[tuple[datetime, float]] = ()
    columns: Sequence[ColumnRate] = ()
    rates: Sequence[tuple[datetime, float]] = ()


def look_back(began: datetime, length: timedelta) -> datetime:
    """From when on a change may be the cause of a fault that ``began``, the end of a first breached window of a length.

    >>> from datetime import UTC
    >>> look_back(datetime(2026, 1, 5, tzinfo=UTC), timedelta(hours=1)).isoformat()
    '2026-01-04T00:00:00+00:00'
    """
    windows, least = LOOK_BACK
    return began - max(windows * length, least)


def before(facts: Facts, kind: Kind, since: datetime) -> tuple[Change, ...]:
    """The changes from ``since`` on, the latest first, at most ten. What an incident of the ``kind`` is about itself is
    no change before it.

    >>> from datetime import UTC
    >>> monday = datetime(2026, 1, 5, tzinfo=UTC)
    >>> facts = Facts(versions=[(monday, "v2")], references=[(monday - timedelta(days=90), 1)])
    >>> [c.text for c in before(facts, Kind.DRIFT, monday - timedelta(days=1))]
    ['model version v2 served for the first time']
    """
    found = [*_versions(facts), *_references(facts), *_sampling(facts, since)]
    found += () if kind is Kind.QUALITY else _columns(facts)
    found += () if kind is Kind.SERVICE else _volume(facts, since)
    recent = sorted((c for c in found if c.at >= since), key=lambda c: (c.at, c.kind.value, c.text), reverse=True)
    return tuple(recent[:MOST_SAID])


def _versions(facts: Facts) -> Iterator[Change]:
    for at, version in facts.versions:
        yield Change(ChangeKind.VERSION, at, f"model version {version} served for the first time", version)


def _references(facts: Facts) -> Iterator[Change]:
    """The first is the beginning, and changes nothing."""
    for (_, old), (at, new) in zip(facts.references, facts.references[1:], strict=False):
        if old != new:
            words = f"version {new} of the declaration came into force, with a reference"
            yield Change(ChangeKind.DECLARATION, at, words)
        else:
            yield Change(ChangeKind.REFERENCE, at, "another reference came into force")


def _volume(facts: Facts, since: datetime) -> Iterator[Change]:
    """The first window with far more or fewer rows than those before."""
    least, most = VOLUME_HISTORY
    for i, (start, rows) in enumerate(facts.rows):
        usual = [n for _, n in facts.rows[max(i - most, 0) : i] if n > 0]
        if start < since or len(usual) < least:
            continue
        share = rows / statistics.median(usual)
        if not 1 / VOLUME_CHANGE <= share <= VOLUME_CHANGE:
            words = f"{rows:,.0f} rows in a window, {share:.0%} of the median of those before"
            yield Change(ChangeKind.VOLUME, start, words)
            return


def _columns(facts: Facts) -> Iterator[Change]:
    last: dict[tuple[str, str], float] = {}
    for rate in facts.columns:
        was = last.get((rate.column, rate.metric))
        if was is not None and rate.value - was >= COLUMN_RISE:
            what = "missing" if rate.metric == "missing_rate" else "of another type"
            words = f"{rate.column} is {what} in {rate.value:.0%} of the rows, {was:.0%} in the window before"
            yield Change(ChangeKind.SCHEMA, rate.start, words)
        last[rate.column, rate.metric] = rate.value


def _sampling(facts: Facts, since: datetime) -> Iterator[Change]:
    known = sorted({rate for at, rate in facts.rates if at < since})
    for at, rate in facts.rates:
        if known and at >= since:
            was = ", ".join(f"{r:.3g}" for r in known)
            yield Change(ChangeKind.SAMPLING, at, f"rows came at the sampling rate {rate:.3g}, before at {was}")
