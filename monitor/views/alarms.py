"""False alarms: what a model's monitors promise, and what people found, in incidents per model-year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, exists, func, select

from incidents.commands import Disposition
from incidents.verdict import VerdictKind
from monitor.judge.defaults import FALSE_ALARM_BUDGET
from monitor.judge.windows import Track
from monitor.store.models import ModelState
from monitor.store.tables import incidents, points, verdicts, windows
from monitor.times import span_micros

YEAR = timedelta(days=365.25)


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """``windows`` were judged, of ``per_year`` that a year has on all tracks together; of ``opened`` incidents a person
    called ``false`` ones false positives, and ``undisposed`` ones nobody has said anything of."""

    windows: int
    per_year: float
    opened: int
    false: int
    undisposed: int

    @property
    def promised(self) -> float:
        """The budget, in incidents per model-year."""
        return FALSE_ALARM_BUDGET * self.per_year

    @property
    def years(self) -> float:
        """Model-years of windows judged."""
        return self.windows / self.per_year

    @property
    def achieved(self) -> float | None:
        """False positives per model-year; ``None`` before there is a year of windows."""
        return self.false / self.years if self.years >= 1 else None


def false_alarms(db: Connection, state: ModelState, tracks: Sequence[Track]) -> FalseAlarms:
    """Of one model: every window that got a verdict other than unknown, and every incident, replays among them."""
    said = exists().where(
        points.c.model == windows.c.model,
        points.c.family == windows.c.family,
        points.c.start == windows.c.start,
        points.c.latest,
        verdicts.c.point == points.c.id,
        verdicts.c.verdict != VerdictKind.UNKNOWN.value,
    )
    judged = select(func.count()).select_from(windows)
    judged = judged.where(windows.c.model == state.id, windows.c.end > state.judged_from, said)
    found = list(db.execute(select(incidents.c.disposition).where(incidents.c.model == state.id)).scalars())
    return FalseAlarms(
        db.execute(judged).scalar_one(),
        sum(span_micros(YEAR) / track.length for track in tracks),
        len(found),
        found.count(Disposition.FALSE_POSITIVE.value),
        found.count(None),
    )
