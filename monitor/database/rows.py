"""Rows by the thousand, straight through the driver; and one way to say what the two databases say in two."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from monitor.database import postgresql


def insert_many(
    db: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], update: Sequence[str] = ()
) -> None:
    """Insert many rows, given as tuples in the order of ``columns``, straight through the driver; where ``update``
    names columns, a row that has the same primary key gets these instead.

    For hot paths: values go as they are (whole numbers, text, bytes, floats, ``None``, plain values for JSON), without
    a dictionary for each. PostgreSQL takes them by COPY in binary; an update goes as statements in one pipeline, which
    measured no slower than a COPY into a temporary table and a merge from there.
    """
    if not rows:
        return
    if db.dialect.name == "postgresql" and not update:
        _copy(db, table, tuple(columns), rows)
        return
    sql, order, texts = _driver_sql(db.dialect, table, tuple(columns), tuple(update))
    if order or texts:
        order = order or tuple(range(len(columns)))
        rows = [tuple(json.dumps(row[i]) if i in texts else row[i] for i in order) for row in rows]
    db.exec_driver_sql(sql, list(rows))


@lru_cache(maxsize=64)
def _driver_sql(
    dialect: Dialect, table: Table, columns: tuple[str, ...], update: tuple[str, ...]
) -> tuple[str, tuple[int, ...], frozenset[int]]:
    """The statement as the driver takes it; the order of its parameters, empty where it is that of ``columns``; and
    which columns are sent as JSON's text."""
    texts = frozenset(i for i, name in enumerate(columns) if isinstance(table.c[name].type, JSON))
    statement = upsert(table, update) if update else insert(table)
    by_place: Dialect = dialect
    if dialect.name == "postgresql":
        by_place = psycopg_dialect(paramstyle="format")  # type: ignore[no-untyped-call]
    compiled = statement.compile(dialect=by_place, column_keys=list(columns))
    order = tuple(columns.index(name) for name in compiled.positiontup or ())
    return str(compiled), () if order == tuple(range(len(columns))) else order, texts


def _copy(db: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    sql, types = _copy_sql(db.dialect, table, columns)
    driver: Any = db.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:      # SQLAlchemy did not see it: it is given the form of those that it did
        postgresql.strip(error)
        raise DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True) from error


@lru_cache(maxsize=64)
def _copy_sql(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> tuple[str, list[str]]:
    names = ", ".join(dialect.identifier_preparer.quote(name) for name in columns)
    types = [_TYPES[next(t for t in _TYPES if isinstance(table.c[name].type, t))] for name in columns]
    return f"COPY {_name(dialect, table)} ({names}) FROM STDIN (FORMAT BINARY)", types


def _name(dialect: Dialect, table: Table) -> str:
    return str(dialect.identifier_preparer.format_table(table))


# The first that fits; a BigInteger is an Integer too.
_TYPES: dict[type[TypeEngine[Any]], str] = {
    BigInteger: "int8", Integer: "int4", Float: "float8", Boolean: "bool", LargeBinary: "bytea", JSON: "json",
    String: "text",
}  # fmt: skip


def next_numbers(db: Connection, column: Column[int], n: int) -> list[int]:
    """The next ``n`` numbers of a column that numbers its rows by itself: never given before, in order. They are the
    caller's, within ``writing``."""
    table = column.table.name
    if db.dialect.name == "postgresql":
        sequence = f"nextval(pg_get_serial_sequence('{table}', '{column.name}'))"
        return list(db.execute(text(f"SELECT {sequence} FROM generate_series(1, :n)"), {"n": n}).scalars())
    last = db.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).scalar() or 0
    return list(range(last + 1, last + n + 1))


def upsert(table: Table, columns: Sequence[str]) -> Insert:
    """An insert that overwrites ``columns`` of the row that has the same primary key. Both databases read it alike."""
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={name: statement.excluded[name] for name in columns}
    )


def among(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text column is one of many values, sent as one parameter however many they are."""
    return _Among(column, bindparam(None, list(values), type_=_Listed(), unique=True))


class _Listed(TypeDecorator[list[str]]):
    """Texts as one parameter: an array where there are arrays, else JSON."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(value)


class _Among(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()


@compiles(_Among)
def _in_json(element: _Among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_Among, "postgresql")
def _any_of(element: _Among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} = ANY ({values})"
