"""What the console shows beside ``monitor.queries``: health at a glance, heat strips, one window, distributions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from detectors.point import MetricPoint
from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid
from detectors.summaries.summary import Floats
from incidents.verdict import Fingerprint, Severity, VerdictKind
from incidents.wire import instant
from monitor.model.words import QUALITY_METRICS
from monitor.store import summaries
from monitor.store.models import ModelState
from monitor.store.points import read_point
from monitor.store.tables import incidents, points, verdicts, windows
from monitor.times import from_micros

Kind = Literal["drift", "quality", "performance", "fairness"]
KINDS: tuple[Kind, ...] = ("drift", "quality", "performance", "fairness")
LOOK_BACK = 100             # windows: outcomes may come later than this many, and then nothing is known
MOST_CATEGORIES = 12        # bars of a distribution, before "other"

_SERIES = ("start", "end", "value", "low", "high", "n", "reason", "provisional")
_IN_BODY = ("title", "clock", "started_at", "resolved_at", "assignee")
_FAMILY: dict[Kind, str] = {k: "drift" if k == "quality" else k for k in KINDS}
_WORST_FIRST = (VerdictKind.BREACH, VerdictKind.INCONCLUSIVE, VerdictKind.OK, VerdictKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Health:
    """How a model stands in one kind of monitor: the worst verdict of the latest window that could be judged.

    ``counts`` has the window's verdicts by word; ``start`` and ``end`` bound it, in microseconds; ``None`` before any.
    ``reason`` says why it is unknown.
    """

    kind: Kind
    verdict: VerdictKind
    counts: dict[str, int]
    start: int | None = None
    end: int | None = None
    reason: str | None = None

    @property
    def until(self) -> datetime | None:
        return None if self.end is None else from_micros(self.end)


@dataclass(frozen=True, slots=True)
class Judged:
    """A point with the verdict and limit of the monitor that judges it, where one does."""

    point: MetricPoint
    verdict: str | None
    limit: float | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A column's bins: ``labels``, and each bin's share of the rows that are not missing, in the reference and in the
    window. ``missing`` has the missing shares of the two, ``n`` their rows."""

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]
    missing: tuple[float, float]
    n: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """An incident as a list shows it: without its evidence, which may be long."""

    id: str
    fingerprint: Fingerprint
    state: str
    severity: Severity
    title: str
    clock: str
    started_at: datetime
    opened_at: datetime
    resolved_at: datetime | None
    assignee: str | None


def listed(
    db: Connection,
    model: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    limit: int = 200,
) -> list[Listed]:
    """Incidents, live ones first, then the latest opened. ``state`` may also be ``live``."""
    body = {name: incidents.c.body[name].as_string() for name in _IN_BODY}
    plain = (incidents.c.id, incidents.c.fingerprint, incidents.c.state, incidents.c.severity, incidents.c.opened_at)
    query = select(*plain, *body.values())
    if model is not None:
        query = query.where(incidents.c.model == model)
    if state is not None:
        query = query.where(incidents.c.active if state == "live" else incidents.c.state == state)
    if severity is not None:
        query = query.where(incidents.c.severity == severity)
    order = (incidents.c.active.desc(), incidents.c.opened_at.desc(), incidents.c.id)
    found = []
    for id_, fingerprint, now, grave, opened, title, clock, started, resolved, assignee in db.execute(
        query.order_by(*order).limit(limit)
    ):
        ended = None if resolved is None else instant(resolved)
        kept = (title, clock, instant(started), from_micros(opened), ended, assignee)
        found.append(Listed(id_, Fingerprint.parse(fingerprint), now, Severity(grave), *kept))
    return found


def health(db: Connection, model: int) -> list[Health]:
    """Each kind that is monitored, in the order of ``KINDS``; of several tracks of a kind, the worst."""
    found: dict[Kind, Health] = {}
    for track in track_names(db, model):
        for kind in KINDS:
            if track.partition("/")[0] == _FAMILY[kind]:
                one = _health(db, model, track, kind)
                if one is not None and (kind not in found or _rank(one) < _rank(found[kind])):
                    found[kind] = one
    return [found[kind] for kind in KINDS if kind in found]


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
        .where(_in(model, track), points.c.latest, points.c.metric == metric, points.c.value.is_not(None))
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
        .where(points.c.model == model, points.c.metric == metric, points.c.scope == scope, points.c.latest)
        .order_by(points.c.start)
    )
    names = (*_SERIES, "verdict", "limit")
    return [dict(zip(names, row, strict=True)) for row in db.execute(query)]


def strip(db: Connection, model: int, metric: str) -> list[tuple[str, int, int, float, str | None]]:
    """Every known value of a metric, all scopes: scope, window's start and end, value, verdict; in order of time."""
    query = (
        select(points.c.scope, points.c.start, points.c.end, points.c.value, verdicts.c.verdict)
        .outerjoin(verdicts, verdicts.c.point == points.c.id)
        .where(points.c.model == model, points.c.metric == metric, points.c.latest, points.c.value.is_not(None))
        .order_by(points.c.start)
    )
    return [(scope, start, end, value, verdict) for scope, start, end, value, verdict in db.execute(query)]


def window_points(db: Connection, model: int, track: str, start: int) -> list[Judged]:
    """All points of one window in their latest revision, with their verdicts."""
    query = (
        select(points, verdicts.c.verdict, verdicts.c.limit)
        .outerjoin(verdicts, verdicts.c.point == points.c.id)
        .where(_in(model, track), points.c.start == start, points.c.latest)
        .order_by(points.c.id)
    )
    return [Judged(read_point(r, None), r["verdict"], r["limit"]) for r in db.execute(query).mappings()]


def distribution(
    db: Connection, state: ModelState, reference: Reference, column: str, start: int, end: int
) -> Distribution:
    """A column (a feature, or the output) in the reference and over ``[start, end)``, in the bins that drift uses.

    Of many categories the most frequent in either are shown, the rest as ``other``.
    """
    space, bins = reference.space, reference.bins
    at = next(i for i, c in enumerate(space.columns) if c.name == column)
    dense = summaries.window(db, state.id, "predictions", space, start, end).counts
    shares, missing, rows = [], [], []
    for cells in (reference.predictions, dense):
        none, counts = bins.count(cells)
        mine = bins.of(at, counts)
        shares.append(mine / max(int(mine.sum()), 1))
        total = int(none[at] + mine.sum())
        missing.append(int(none[at]) / max(total, 1))
        rows.append(total)
    labels = bins.labels(at)
    if isinstance(space.columns[at].grid, CategoryGrid):
        labels, shares = _top(labels, shares)
    old, new = (tuple(float(v) for v in s) for s in shares)
    return Distribution(labels, old, new, (missing[0], missing[1]), (rows[0], rows[1]))


def _top(labels: tuple[str, ...], shares: list[Floats]) -> tuple[tuple[str, ...], list[Floats]]:
    """The largest categories by their share in either, the others in one; the last label is already ``other``."""
    most = np.maximum(shares[0], shares[1])[:-1]
    kept = np.argsort(-most, kind="stable")[:MOST_CATEGORIES]
    folded = [np.r_[s[kept], s.sum() - s[kept].sum()] for s in shares]
    names = (*(labels[i] for i in kept), "other")
    return (names, folded) if max(f[-1] for f in folded) > 1e-9 else (names[:-1], [f[:-1] for f in folded])


def _health(db: Connection, model: int, track: str, kind: Kind) -> Health | None:
    recent = select(windows.c.start).where(windows.c.model == model, windows.c.family == track)
    since = list(db.execute(recent.order_by(windows.c.start.desc()).limit(LOOK_BACK)).scalars())
    judged = select(points.c.start, points.c.end).join(verdicts, verdicts.c.point == points.c.id)
    judged = judged.where(_in(model, track), points.c.latest, points.c.start >= since[-1])
    if kind in ("drift", "quality"):
        quality = points.c.metric.in_(QUALITY_METRICS)
        judged = judged.where(quality if kind == "quality" else ~quality)
    newest = judged.order_by(points.c.start.desc()).limit(1)
    window = db.execute(newest.where(verdicts.c.verdict != VerdictKind.UNKNOWN.value)).first()
    window = window or db.execute(newest).first()
    if window is None:
        return None
    start, end = window
    said = judged.with_only_columns(verdicts.c.verdict, verdicts.c.reason).where(points.c.start == start)
    counts: dict[str, int] = {}
    reason = None
    for word, why in db.execute(said):
        counts[word] = counts.get(word, 0) + 1
        reason = why if word == VerdictKind.UNKNOWN.value else reason
    worst = next(v for v in _WORST_FIRST if v.value in counts)
    return Health(kind, worst, counts, start, end, reason if worst is VerdictKind.UNKNOWN else None)


def _rank(one: Health) -> int:
    return _WORST_FIRST.index(one.verdict)


def _in(model: int, track: str) -> ColumnElement[bool]:
    return (points.c.model == model) & (points.c.family == track)
