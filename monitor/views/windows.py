"""The windows of a model, and what was measured and judged in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, select

from detectors.point import MetricPoint
from monitor.store.digests import is_text
from monitor.store.points import read_point
from monitor.store.tables import points, verdicts, windows
from monitor.verdict import Needed, needed

_SERIES = ("start", "end", "value", "low", "high", "n", "reason", "provisional")


@dataclass(frozen=True, slots=True)
class Judged:
    """A point with the verdict of the monitor that judges it, its limit and its reason, where one does."""

    point: MetricPoint
    verdict: str | None
    limit: float | None
    reason: str | None = None

    @property
    def needed(self) -> Needed | None:
        """The sample that would decide, where the verdict is inconclusive for want of one."""
        return needed(self.point, self.reason, self.limit)


class Cell(NamedTuple):
    """A value in one window (microseconds), with the lower end of its interval."""

    scope: str
    start: int
    end: int
    value: float
    low: float | None
    verdict: str | None


def track_names(db: Connection, model: int) -> list[str]:
    """The tracks that have windows, as ``drift/86400s``."""
    query = select(windows.c.family).where(windows.c.model == model).distinct().order_by(windows.c.family)
    return list(db.execute(query).scalars())


def spans(db: Connection, model: int, track: str) -> list[tuple[int, int]]:
    """The windows of a track, in the order of time."""
    query = select(windows.c.start, windows.c.end).where(windows.c.model == model, windows.c.family == track)
    return [(start, end) for start, end in db.execute(query.order_by(windows.c.start))]


def last_known(db: Connection, model: int, track: str, metric: str) -> tuple[int, int] | None:
    """The latest window of a track in which a metric has a value for any scope."""
    query = (
        select(points.c.start, points.c.end)
        .where(in_track(model, track), points.c.latest, points.c.metric == metric, points.c.value.is_not(None))
        .order_by(points.c.start.desc())
        .limit(1)
    )
    row = db.execute(query).first()
    return None if row is None else (row[0], row[1])


def series(db: Connection, model: int, metric: str, scope: str) -> list[dict[str, Any]]:
    """The latest revision of each window of one metric and scope, in the order of time, with its limit and verdict.
    Instants are microseconds."""
    columns = (points.c[name] for name in _SERIES)
    query = (
        select(*columns, verdicts.c.verdict, verdicts.c.limit)
        .outerjoin(verdicts, verdicts.c.point == points.c.id)
        .where(points.c.model == model, points.c.metric == metric, is_text(points.c.scope, scope), points.c.latest)
        .order_by(points.c.start)
    )
    names = (*_SERIES, "verdict", "limit")
    return [dict(zip(names, row, strict=True)) for row in db.execute(query)]


def strip(db: Connection, model: int, metric: str) -> list[Cell]:
    """Every known value of a metric, all scopes, in order of time."""
    query = (
        select(points.c.scope, points.c.start, points.c.end, points.c.value, points.c.low, verdicts.c.verdict)
        .outerjoin(verdicts, verdicts.c.point == points.c.id)
        .where(points.c.model == model, points.c.metric == metric, points.c.latest, points.c.value.is_not(None))
        .order_by(points.c.start)
    )
    return [Cell(*row) for row in db.execute(query)]


def window_points(db: Connection, model: int, track: str, start: int) -> list[Judged]:
    """All points of one window in their latest revision, with their verdicts."""
    query = (
        select(points, verdicts.c.verdict, verdicts.c.limit, verdicts.c.reason.label("because"))
        .outerjoin(verdicts, verdicts.c.point == points.c.id)
        .where(in_track(model, track), points.c.start == start, points.c.latest)
        .order_by(points.c.id)
    )
    rows = db.execute(query).mappings()
    return [Judged(read_point(r, None), r["verdict"], r["limit"], r["because"]) for r in rows]


def in_track(model: int, track: str) -> ColumnElement[bool]:
    return (points.c.model == model) & (points.c.family == track)
