"""A verdict: what one monitor says of one point. Several monitors may judge one point, so it stands apart from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from detectors.catalogue import CATALOGUE
from detectors.fairness import needed_growth
from detectors.point import MetricPoint
from incidents.verdict import VerdictKind

STRADDLES = "interval_straddles_limit"
MOST_WAIT = timedelta(days=3653)        # ten years: nobody waits longer for a verdict
_UNITS = (                              # each with the span from which the next one is spoken of
    ("hour", timedelta(hours=1), timedelta(days=1.9)),
    ("day", timedelta(days=1), timedelta(days=13)),
    ("week", timedelta(days=7), timedelta(days=60)),
    ("month", timedelta(days=30.4375), timedelta(days=715)),
    ("year", timedelta(days=365.25), timedelta.max),
)


@dataclass(frozen=True, slots=True)
class Needed:
    """The sample that would decide: ``factor`` times the window's rows (``None``: no sample within reach), in words."""

    factor: float | None
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {"factor": self.factor, "text": self.text}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ok``: the interval lies within the limit; ``breach``: beyond it; ``inconclusive``: it straddles the limit;
    ``unknown``: there is nothing to judge. ``reason`` says why; ``limit`` is the limit in the metric's own units."""

    monitor: str
    point: MetricPoint
    kind: VerdictKind
    reason: str | None
    limit: float | None
    severity: str

    @property
    def needed(self) -> Needed | None:
        return needed(self.point, self.reason, self.limit)

    def as_dict(self) -> dict[str, Any]:
        wanted = self.needed
        return {
            "monitor": self.monitor,
            "verdict": self.kind.value,
            "reason": self.reason,
            "limit": self.limit,
            "severity": self.severity,
            "needed": None if wanted is None else wanted.as_dict(),
            "point": self.point.as_dict(),
        }


def needed(point: MetricPoint, reason: str | None, limit: float | None) -> Needed | None:
    """The sample that would decide a fairness or performance metric whose interval straddles its limit, were its value
    to stay; ``None`` for any other verdict, and for other metrics, whose intervals do not shrink as rows come.

    >>> from datetime import UTC, datetime
    >>> from detectors.point import Measurement
    >>> from detectors.scope import Scope, Window
    >>> week = Window(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))
    >>> wide = MetricPoint("roc_auc", Scope(), week, Measurement(0.85, 300, (0.8, 0.9)))
    >>> needed(wide, "interval_straddles_limit", 0.875).text
    'needs about 4 times the rows: about 4 weeks at this volume'
    """
    entry = CATALOGUE.get(point.metric)
    if reason != STRADDLES or limit is None or entry is None or entry.family not in ("fairness", "performance"):
        return None
    growth = needed_growth(point.measurement, [limit])
    if growth is None:
        return Needed(None, "no sample within reach would decide: the value is as good as the limit")
    rows = f"needs about {_three(growth)} times the rows"
    length = point.window.end - point.window.start
    if growth > MOST_WAIT / length:
        return Needed(growth, f"{rows}: not at this volume")
    return Needed(growth, f"{rows}: {about(growth * length)} at this volume")


def about(span: timedelta) -> str:
    """A span in words, rounded as one speaks.

    >>> [about(timedelta(days=d)) for d in (1, 1.4, 9, 30, 100, 800)]
    ['about 24 hours', 'about 34 hours', 'about 9 days', 'about 4 weeks', 'about 3 months', 'about 2 years']
    """
    name, unit, _ = next(u for u in _UNITS if span < u[2])
    count = max(round(span / unit), 1)
    return f"about {count} {name}{'s' if count != 1 else ''}"


def _three(growth: float) -> str:
    return f"{growth:.1f}".removesuffix(".0") if growth < 9.95 else f"{float(f'{growth:.2g}'):,.0f}"
