"""Lists of incidents: the one place that reads them. Whose incidents they are is part of the question, so that what may
not be seen is neither read, nor counted, nor missing from a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, and_, func, literal, or_, select

from incidents.incident import Incident
from incidents.verdict import Fingerprint, Severity
from monitor.database import among
from monitor.errors import InvalidInput
from monitor.store.tables import incidents, models
from monitor.times import from_micros

T = TypeVar("T")
_C = incidents.c
_SEPARATOR = "."
_MOST = 2**63


class Sort(Enum):
    """``LATEST``: the live ones first, then the latest opened. ``URGENT``: the live ones first, the gravest of them
    before the others, and of these the one that waits longest."""

    LATEST = ((_C.active, True), (_C.opened_at, True), (_C.id, False))
    URGENT = ((_C.active, True), (_C.rank, True), (_C.opened_at, False), (_C.id, False))

    @property
    def columns(self) -> tuple[tuple[Column[Any], bool], ...]:
        """By which it goes, and whether from the greatest on."""
        columns: tuple[tuple[Column[Any], bool], ...] = self.value
        return columns


@dataclass(frozen=True, slots=True)
class Filter:
    """Which incidents: of ``models`` (their names; None: of all), in a ``state`` (or ``live``: open or acknowledged),
    of a ``severity``, a ``kind``, an ``owner`` (whom they are assigned to). None filters nothing."""

    models: frozenset[str] | None = None
    state: str | None = None
    severity: str | None = None
    kind: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and where the rest begins: ``after``, None where there is no more."""

    items: list[T]
    after: str | None


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
    updated_at: datetime
    resolved_at: datetime | None
    assignee: str | None
    disposition: str | None
    merged_into: str | None


_SHOWN = (
    _C.id, _C.fingerprint, _C.state, _C.severity, _C.title, _C.clock, _C.started_at, _C.opened_at, _C.updated_at,
    _C.resolved_at, _C.assignee, _C.disposition, _C.merged_into,
)  # fmt: skip


def page(
    db: Connection, which: Filter, limit: int, sort: Sort = Sort.LATEST, after: str | None = None, offset: int = 0
) -> Page[Listed]:
    """At most ``limit`` incidents in order, behind ``after`` (of the page before) and then ``offset`` more.

    An incident that moves in the order meanwhile may come twice or not at all; all others come once. ``InvalidInput``
    for an ``after`` that no page of this order gave.
    """
    rows, rest = _rows(db, _SHOWN, which, limit, sort, after, offset)
    return Page([_listed(row) for row in rows], rest)


def whole(
    db: Connection, which: Filter, limit: int, sort: Sort = Sort.LATEST, after: str | None = None, offset: int = 0
) -> Page[Incident]:
    """The same, with all that there is of each incident."""
    rows, rest = _rows(db, (_C.body,), which, limit, sort, after, offset)
    return Page([Incident.from_json(row.body) for row in rows], rest)


def bodies(db: Connection, which: Filter) -> Iterator[Incident]:
    """All of them, from the first opened on."""
    query = _filtered(select(_C.body), which).order_by(_C.opened_at, _C.id)
    return (Incident.from_json(body) for body in db.execute(query).scalars())


def count(db: Connection, which: Filter) -> int:
    """How many there are in all."""
    found: int = db.execute(_filtered(select(func.count()), which)).scalar_one()
    return found


def count_by_model(db: Connection, which: Filter) -> dict[str, int]:
    """How many of each model that has any."""
    query = _filtered(select(models.c.name, func.count()), which, named=True).group_by(models.c.name)
    return {row[0]: row[1] for row in db.execute(query)}


def _filtered(query: Select[Any], which: Filter, *, named: bool = False) -> Select[Any]:
    """Rights and choices as conditions. ``named``: the query asks for the models' names."""
    query = query.select_from(incidents)
    if named or which.models is not None:
        query = query.join(models, models.c.id == _C.model)
    if which.models is not None:
        query = query.where(among(models.c.name, sorted(which.models)))
    if which.state is not None:
        query = query.where(_C.active if which.state == "live" else _C.state == which.state)
    for column, value in ((_C.severity, which.severity), (_C.kind, which.kind), (_C.assignee, which.owner)):
        if value is not None:
            query = query.where(column == value)
    return query


def _rows(
    db: Connection, shown: Sequence[Column[Any]], which: Filter, limit: int, sort: Sort, after: str | None, offset: int
) -> tuple[Sequence[Row[Any]], str | None]:
    places = [column.label(f"at_{column.name}") for column, _ in sort.columns]
    query = _filtered(select(*shown, *places), which)
    if after is not None:
        query = query.where(_behind(sort, after))
    query = query.order_by(*(c.desc() if down else c for c, down in sort.columns))
    rows = db.execute(query.limit(limit + 1).offset(offset)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], None if last is None else _cursor([getattr(last, p.name) for p in places])


def _cursor(values: Sequence[Any]) -> str:
    return _SEPARATOR.join(str(int(v) if isinstance(v, bool) else v) for v in values)


def _behind(sort: Sort, after: str) -> ColumnElement[bool]:
    """What comes behind a place in the order: equal in some columns, and further on in the next."""
    words = after.split(_SEPARATOR, len(sort.columns) - 1)
    try:
        values = [_value(column, word) for (column, _), word in zip(sort.columns, words, strict=True)]
    except ValueError:
        detail, mend = f"'after' is no place in this list: '{after[:64]}'", "Send the value that the page before gave"
        raise InvalidInput(detail, mend) from None
    ways: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for (column, down), value in zip(sort.columns, values, strict=True):
        at = literal(value, column.type)
        ways.append(and_(*same, column < at if down else column > at))
        same.append(column == at)
    return or_(*ways)


def _value(column: Column[Any], word: str) -> Any:
    if column is _C.id:
        return word
    number = int(word)
    if abs(number) >= _MOST:
        raise ValueError(f"{word} is beyond what the databases can hold")
    return bool(number) if column is _C.active else number


def _listed(row: Row[Any]) -> Listed:
    resolved = row.resolved_at
    return Listed(
        row.id, Fingerprint.parse(row.fingerprint), row.state, Severity(row.severity), row.title, row.clock,
        from_micros(row.started_at), from_micros(row.opened_at), from_micros(row.updated_at),
        None if resolved is None else from_micros(resolved), row.assignee, row.disposition, row.merged_into,
    )  # fmt: skip
