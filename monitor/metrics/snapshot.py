"""What a scrape shows of the state: reads of one consistent view, whose cost does not grow with the history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from incidents.incident import State
from monitor.model.words import format_duration
from monitor.store import heartbeats
from monitor.store.heartbeats import Heartbeat
from monitor.store.tables import incidents, models, points, signals, verdicts, windows

JUDGED_STEP = 2      # of monitor.judge.windows.STEPS: 80 % of the outcomes, where verdicts fall


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """The window of a track whose figures are shown, and how many were measured.

    It is the newest whose outcomes are in (the label delay has passed, or 80 % are known); before there is one, it is
    the newest. ``window`` is the length as a declaration writes it.
    """

    model: int
    track: str
    start: int
    end: int
    settled: bool
    coverage: float | None
    count: int
    revisions: int

    @property
    def family(self) -> str:
        return self.track.partition("/")[0]

    @property
    def seconds(self) -> int:
        return (self.end - self.start) // 1_000_000

    @property
    def window(self) -> str:
        return format_duration(timedelta(seconds=self.seconds))


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """The oldest open incident of a model, severity and clock; ``at`` is when it opened."""

    model: int
    severity: str
    clock: str
    at: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a scrape needs of the state. ``points`` holds each point with one of its verdicts, or with none."""

    models: list[Row[Any]]
    signals: list[tuple[int, str, int]]
    windows: list[ShownWindow]
    points: list[tuple[ShownWindow, Row[Any]]]
    incidents: list[tuple[int, str, str, str, int]]      # model, kind, severity, state, count
    unacknowledged: list[Unacknowledged]
    heartbeat: Heartbeat | None


def read(db: Connection) -> Snapshot:
    """Read everything from one transaction."""
    shown = _windows(db)
    return Snapshot(
        models=list(db.execute(_MODELS)),
        signals=[tuple(r) for r in db.execute(_SIGNALS)],
        windows=shown,
        points=[(w, row) for w in shown for row in _points(db, w)],
        incidents=[tuple(r) for r in db.execute(_INCIDENTS)],
        unacknowledged=[Unacknowledged(*r) for r in db.execute(_UNACKNOWLEDGED)],
        heartbeat=heartbeats.load(db),
    )


# Not the whole row: the reference and the features are large, and no scrape shows them.
_MODELS = select(
    models.c.id, models.c.name, models.c.cursor, models.c.clock, models.c.event_clock, models.c.last_prediction,
    models.c.counts, models.c.evaluated_at,
).order_by(models.c.name)  # fmt: skip
_SIGNALS = (
    select(signals.c.model, signals.c.stream, func.count())
    .group_by(signals.c.model, signals.c.stream)
    .order_by(signals.c.model, signals.c.stream)
)
_INCIDENTS = select(
    incidents.c.model, incidents.c.kind, incidents.c.severity, incidents.c.state, func.count()
).group_by(incidents.c.model, incidents.c.kind, incidents.c.severity, incidents.c.state)  # fmt: skip
_UNACKNOWLEDGED = (
    select(incidents.c.model, incidents.c.severity, incidents.c.clock, func.min(incidents.c.opened_at))
    .where(incidents.c.active, incidents.c.state == State.OPEN.value)
    .group_by(incidents.c.model, incidents.c.severity, incidents.c.clock)
)
_IN = windows.c.settled | (windows.c.step >= JUDGED_STEP)
_TRACKS = (
    select(
        windows.c.model,
        windows.c.family,
        func.coalesce(func.max(case((_IN, windows.c.start))), func.max(windows.c.start)).label("start"),
        func.count().label("count"),
        func.sum(windows.c.revision).label("revisions"),
    )
    .where(windows.c.revision > 0)
    .group_by(windows.c.model, windows.c.family)
    .subquery()
)


def _windows(db: Connection) -> list[ShownWindow]:
    query = (
        select(
            windows.c.model, windows.c.family, windows.c.start, windows.c.end, windows.c.settled, windows.c.coverage,
            _TRACKS.c.count, _TRACKS.c.revisions,
        )
        .join(
            _TRACKS,
            (windows.c.model == _TRACKS.c.model)
            & (windows.c.family == _TRACKS.c.family)
            & (windows.c.start == _TRACKS.c.start),
        )
        .order_by(windows.c.model, windows.c.family)
    )  # fmt: skip
    return [ShownWindow(*r) for r in db.execute(query)]


def _points(db: Connection, shown: ShownWindow) -> Iterable[Row[Any]]:
    query = (
        select(
            points.c.id, points.c.metric, points.c.scope, points.c.value, points.c.reason,
            verdicts.c.monitor, verdicts.c.verdict, verdicts.c.limit, verdicts.c.severity,
        )
        .outerjoin(verdicts, verdicts.c.point == points.c.id)
        .where(
            points.c.model == shown.model,
            points.c.family == shown.track,
            points.c.start == shown.start,
            points.c.latest,
        )
        .order_by(points.c.id, verdicts.c.monitor)
    )  # fmt: skip
    return db.execute(query)
