"""Metric points and verdicts by window and revision. Old revisions stay readable; one is the latest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from detectors.point import Measurement, MetricPoint, Reason
from detectors.scope import Scope, Window
from monitor.database import insert_many, upsert
from monitor.store.digests import digest_of, is_text
from monitor.store.numbers import last_id
from monitor.store.tables import points, verdicts, windows
from monitor.times import from_micros, to_micros
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True)
class WindowState:
    """How a window of a track stands: its revision, its coverage and the step this reached, whether it is settled, and
    whether rows came since that the revision does not hold (``dirty``)."""

    family: str
    start: int
    end: int
    revision: int = 0
    coverage: float | None = None
    step: int = 0
    settled: bool = False
    dirty: bool = False
    at: int = 0


_WINDOW_VALUES = ["end", "revision", "coverage", "step", "settled", "dirty", "at"]


def last_window_ends(db: Connection, model: int) -> dict[str, int]:
    """The end of the last known window of each family."""
    query = select(windows.c.family, func.max(windows.c.end)).where(windows.c.model == model)
    return {row[0]: row[1] for row in db.execute(query.group_by(windows.c.family))}


def open_windows(db: Connection, model: int) -> list[WindowState]:
    """The windows that are not settled or are dirty, in their order."""
    return _windows(db, model, windows.c.settled.is_(False) | windows.c.dirty)


def windows_of(db: Connection, model: int, buckets: Sequence[int]) -> list[WindowState]:
    """The windows that hold one of some sorted buckets, in their order."""
    near = _windows(db, model, (windows.c.start <= buckets[-1]) & (windows.c.end > buckets[0]))
    return [w for w in near if any(w.start <= b < w.end for b in buckets)]


def _windows(db: Connection, model: int, which: ColumnElement[bool]) -> list[WindowState]:
    query = select(windows).where(windows.c.model == model, which).order_by(windows.c.family, windows.c.start)
    return [WindowState(**{k: v for k, v in r.items() if k != "model"}) for r in db.execute(query).mappings()]


def save_window(db: Connection, model: int, w: WindowState) -> None:
    row = {name: getattr(w, name) for name in (*_WINDOW_VALUES, "family", "start")}
    db.execute(upsert(windows, _WINDOW_VALUES), {"model": model, **row})


def add(db: Connection, model: int, family: str, new: Sequence[MetricPoint], judged: Sequence[Verdict]) -> None:
    """Store a revision of a window: its points, and the verdicts on them. It becomes the latest."""
    if not new:
        return
    first = new[0]
    start = to_micros(first.window.start)
    mine = (points.c.model == model) & (points.c.family == family) & (points.c.start == start)
    db.execute(update(points).where(mine, points.c.latest).values(latest=False))
    top = last_id(db, points.c.id, model)
    rows = [(top + i, *_row(model, family, p)) for i, p in enumerate(new, start=1)]
    insert_many(db, points, _COLUMNS, rows)
    number = {(p.metric, p.scope): top + i for i, p in enumerate(new, start=1)}
    said = [
        (number[v.point.metric, v.point.scope], v.monitor, v.kind.value, v.reason, v.limit, v.severity) for v in judged
    ]
    insert_many(db, verdicts, ("point", "monitor", "verdict", "reason", "limit", "severity"), said)


_COLUMNS = (
    "id", "model", "family", "metric", "scope", "scope_digest", "start", "end", "revision", "latest", "value", "low",
    "high", "p_value", "n", "reason", "coverage", "provisional",
)  # fmt: skip


def _row(model: int, family: str, p: MetricPoint) -> tuple[Any, ...]:
    """A point as the columns behind ``id`` hold it."""
    m, (low, high) = p.measurement, p.measurement.interval or (None, None)
    start, end = to_micros(p.window.start), to_micros(p.window.end)
    reason, scope = None if m.reason is None else m.reason.value, p.scope.text
    return (
        model, family, p.metric, scope, digest_of(scope), start, end, p.revision, True, m.value, low, high, m.p_value,
        m.n, reason, p.coverage, p.provisional,
    )  # fmt: skip


def read_point(r: RowMapping, reference: str | None) -> MetricPoint:
    """A stored row as a point; ``reference`` names what it was compared with."""
    interval = None if r["low"] is None else (r["low"], r["high"])
    reason = None if r["reason"] is None else Reason(r["reason"])
    return MetricPoint(
        r["metric"],
        Scope.parse(r["scope"]),
        Window(from_micros(r["start"]), from_micros(r["end"])),
        Measurement(r["value"], r["n"], interval, r["p_value"], reason),
        r["coverage"],
        r["provisional"],
        reference,
        estimate=r["metric"].startswith("estimated_"),
        revision=r["revision"],
    )


def history(db: Connection, model: int, track: str, metric: str, before: int, limit: int) -> list[float]:
    """A metric of the whole model in the latest windows of a track before an instant: values above 0, newest first."""
    query = (
        select(points.c.value)
        .where(
            points.c.model == model,
            points.c.metric == metric,
            points.c.family == track,
            is_text(points.c.scope, Scope().text),
            points.c.start < before,
            points.c.latest,
            points.c.value > 0,
        )
        .order_by(points.c.start.desc())
        .limit(limit)
    )
    return [float(v) for v in db.execute(query).scalars()]
