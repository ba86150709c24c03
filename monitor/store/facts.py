"""What the state knows of a model beside its metrics: what the changes before an incident are read from."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, func, select

from detectors.scope import Scope
from monitor.fold.join import SERVING
from monitor.store import summaries
from monitor.store.digests import is_text
from monitor.store.models import ModelState
from monitor.store.tables import points, windows
from monitor.store.tables import summaries as table
from monitor.times import from_micros

MOST = 10           # versions, rates
MOST_WINDOWS = 400  # of which the row counts are read
COLUMN_WINDOWS = 3  # the last ones, whose columns are compared


class Column(NamedTuple):
    """The share of a column's values that are missing or of another type in the window that starts at ``start``."""

    start: datetime
    column: str
    metric: str
    value: float


class Known(NamedTuple):
    """Each part in the order of time: versions and rates with the start of their first bucket, references with their
    declaration, row counts and rates of columns with the start of their window."""

    versions: list[tuple[datetime, str]]
    references: list[tuple[datetime, int]]
    rows: list[tuple[datetime, float]]
    columns: list[Column]
    rates: list[tuple[datetime, float]]


def facts(db: Connection, model: ModelState, track: str, since: int, until: int) -> Known:
    """What is known about ``[since, until)`` (microseconds): ``track``: the model's drift windows. Of references those
    up to the model's clock, for one may come after the windows that are judged by it."""
    return Known(
        _versions(db, model.id, since, until),
        [(from_micros(at), declaration) for at, _, declaration in model.seen or () if at <= model.clock],
        _rows(db, model.id, track, until),
        _columns(db, model.id, track, until),
        _rates(db, model.id, since, until),
    )


def _served(model: int, until: int) -> Select[tuple[int]]:
    first = func.min(table.c.bucket).label("first")
    mine = (table.c.model == model, table.c.kind == "predictions", table.c.role == SERVING)
    return select(first).where(*mine, table.c.bucket < until)


def _versions(db: Connection, model: int, since: int, until: int) -> list[tuple[datetime, str]]:
    """Versions that are new; those with which the model began are not."""
    began = summaries.first_bucket(db, model)
    if began is None:
        return []
    first = func.min(table.c.bucket)
    query = _served(model, until).add_columns(table.c.version).group_by(table.c.version)
    query = query.having(first >= max(since, began + 1)).order_by(first.desc(), table.c.version).limit(MOST)
    return sorted((from_micros(at), version) for at, version in db.execute(query))


def _rates(db: Connection, model: int, since: int, until: int) -> list[tuple[datetime, float]]:
    query = _served(model, until).add_columns(table.c.rate).where(table.c.bucket >= 2 * since - until)
    query = query.group_by(table.c.rate).order_by("first").limit(MOST)
    return [(from_micros(at), rate) for at, rate in db.execute(query)]


def _rows(db: Connection, model: int, track: str, until: int) -> list[tuple[datetime, float]]:
    mine = (points.c.model == model, points.c.metric == "row_count", points.c.family == track, points.c.latest)
    query = select(points.c.start, points.c.value).where(
        *mine, is_text(points.c.scope, Scope().text), points.c.start < until, points.c.value.is_not(None)
    )
    found = db.execute(query.order_by(points.c.start.desc()).limit(MOST_WINDOWS))
    return sorted((from_micros(start), value) for start, value in found)


def _columns(db: Connection, model: int, track: str, until: int) -> list[Column]:
    last = select(windows.c.start).where(
        windows.c.model == model, windows.c.family == track, windows.c.start < until, windows.c.revision > 0
    )
    starts = list(db.execute(last.order_by(windows.c.start.desc()).limit(COLUMN_WINDOWS)).scalars())
    query = select(points.c.start, points.c.scope, points.c.metric, points.c.value).where(
        points.c.model == model, points.c.family == track, points.c.start.in_(starts), points.c.latest,
        points.c.metric.in_(("missing_rate", "type_error_rate")), points.c.value.is_not(None),
    )  # fmt: skip
    found = []
    for start, scope, metric, value in db.execute(query.order_by(points.c.start, points.c.id)):
        column = Scope.parse(scope).feature
        if column is not None:
            found.append(Column(from_micros(start), column, metric, value))
    return found
