"""Engines: how Vigil opens its databases. SQLite is opened so that a commit of the log survives a power cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from monitor.errors import NotDurable


def open_database(url: str, *, durable: bool) -> Engine:
    """An engine for ``url``. ``durable`` asks for a disk flush at each commit: the log needs it, what follows
    from the log does not (after a power cut it is only a little older, and still consistent)."""
    parsed = make_url(url)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # A statement's values may be protected attributes: they belong in no error's text and in no log.
    engine = create_engine(url, pool_size=8, max_overflow=8, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None           # transactions are begun below, not by the driver
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=30000",       # first, as the next waits for others too
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            "cache_size=-32000",
            "temp_store=MEMORY",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start, so that what it read is still so when it commits.

    Raises ``NotDurable``, and leaves nothing written, where the database cannot be written now: a full disk, for one.
    """
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(immediate=True)
            with connection.begin():
                yield connection
    except OperationalError as error:
        raise NotDurable(
            f"the database could not be written: {error.orig}",
            "Free disk space or restore the database, then send the request again",
        ) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A consistent view of the database, which no writer waits for."""
    with engine.connect() as connection, connection.begin():
        yield connection


def insert_many(
    db: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], update: Sequence[str] = ()
) -> None:
    """Insert many rows, given as tuples in the order of ``columns``, straight through the driver; where ``update``
    names columns, a row that has the same primary key gets these instead.

    For hot paths: values go as they are (whole numbers, text, bytes, floats, ``None``), without a dictionary for each.
    """
    if rows:
        sql, order = _driver_sql(db.dialect, table, tuple(columns), tuple(update))
        db.exec_driver_sql(sql, [tuple(row[i] for i in order) for row in rows] if order else list(rows))


@lru_cache(maxsize=64)
def _driver_sql(
    dialect: Dialect, table: Table, columns: tuple[str, ...], update: tuple[str, ...]
) -> tuple[str, tuple[int, ...]]:
    """The statement as the driver takes it, and the order of its parameters, empty where it is that of ``columns``."""
    statement = upsert(table, update) if update else insert(table)
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    order = tuple(columns.index(name) for name in compiled.positiontup or ())
    return str(compiled), () if order == tuple(range(len(columns))) else order


def among(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text column is one of many values, sent as one parameter however many they are."""
    listed = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(listed.c.value))


def upsert(table: Table, columns: Sequence[str]) -> Insert:
    """An insert that overwrites ``columns`` of the row that has the same primary key."""
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={name: statement.excluded[name] for name in columns}
    )
