"""Tables in parts by day: on PostgreSQL retention drops a day whole. On SQLite a table is one, and rows are deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Table, TableClause, text

DAY = 86_400_000_000        # in microseconds, the unit of the columns


def day_of(instant: int) -> int:
    """The number of a day since 1970, in UTC.

    >>> day_of(0), day_of(DAY - 1), day_of(DAY)
    (0, 0, 1)
    """
    return instant // DAY


def part_name(table: str, day: int) -> str:
    """What the part of a day is called.

    >>> part_name("segments", 20_781)
    'segments_20261124'
    """
    return f"{table}_{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y%m%d}"


def add_days(db: Connection, tables: Sequence[TableClause], days: Iterable[int]) -> None:
    """See that the tables have the part of each day, in the caller's transaction; within ``writing``, for two that
    made one at once would collide.

    A part is made beside its table and then attached: that waits for no reader, as of a backup, and stops none.
    """
    if db.dialect.name != "postgresql":
        return
    for table in tables:
        for day in sorted(set(days)):
            part = part_name(table.name, day)
            if db.execute(text("SELECT to_regclass(:part)"), {"part": part}).scalar() is None:
                db.exec_driver_sql(f"CREATE TABLE {part} (LIKE {table.name} INCLUDING DEFAULTS INCLUDING STORAGE)")
                bounds = f"FROM ({day * DAY}) TO ({(day + 1) * DAY})"
                db.exec_driver_sql(f"ALTER TABLE {table.name} ATTACH PARTITION {part} FOR VALUES {bounds}")


def drop_day(db: Connection, table: TableClause, day: int) -> None:
    """Drop the part of a day, with all that is in it, in the caller's transaction. It needs the whole table for an
    instant: where a reader such as a backup has it for longer than 2 s this fails (``NotDurable`` out of ``writing``)
    rather than make all others queue behind it, and is to be tried again later."""
    db.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
    db.exec_driver_sql(f"DROP TABLE {part_name(table.name, day)}")


def days_of(db: Connection, table: Table) -> list[int]:
    """The days that a table has a part for, in order; none on SQLite."""
    if db.dialect.name != "postgresql":
        return []
    query = text("SELECT relid::regclass::text FROM pg_partition_tree(:table) WHERE isleaf AND level = 1")
    names = db.execute(query, {"table": table.name}).scalars()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return sorted((datetime.strptime(n[-8:], "%Y%m%d").replace(tzinfo=UTC) - epoch).days for n in names)
