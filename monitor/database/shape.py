"""What the tables say to SQLite and PostgreSQL holds otherwise: brought about behind every migration, where it is not
so yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, MetaData, text

PACKED: dict[str, Any] = {"packed": True}       # info of a column whose bytes are compressed before they are stored


def prepare(db: Connection) -> None:
    """Make the schema that the URL names, where there is none; the user needs no right to make one that is there."""
    if db.dialect.name != "postgresql":
        return
    schema = db.execute(text("SELECT current_setting('search_path')")).scalar_one()
    if db.execute(text("SELECT to_regnamespace(:schema)"), {"schema": schema}).scalar() is None:
        db.exec_driver_sql(f"CREATE SCHEMA {db.dialect.identifier_preparer.quote(schema)}")


def settle(db: Connection, metadata: MetaData) -> None:
    """Text columns hold text of any length, as on SQLite, which never kept a row out for the length of one; and packed
    columns are not compressed again, at a cost to every write and read."""
    if db.dialect.name != "postgresql":
        return
    quote = db.dialect.identifier_preparer.quote
    for table, column in db.execute(_BOUNDED).all():
        db.exec_driver_sql(f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} TYPE text")
    stored = {(table, column): kind for table, column, kind in db.execute(_STORAGE)}
    for c in _packed(metadata):
        if stored.get((c.table.name, c.name), "e") != "e":
            db.exec_driver_sql(f"ALTER TABLE {quote(c.table.name)} ALTER COLUMN {quote(c.name)} SET STORAGE EXTERNAL")


def _packed(metadata: MetaData) -> Iterator[Column[Any]]:
    return (c for table in metadata.tables.values() for c in table.c if c.info.get("packed"))


# Of tables, and of those in parts the whole alone: the parts follow it. Alembic's own table is its own.
_OURS = """
    FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
    WHERE t.relnamespace = to_regnamespace(current_schema()) AND t.relkind IN ('r', 'p') AND NOT t.relispartition
    AND a.attnum > 0 AND NOT a.attisdropped AND t.relname NOT LIKE 'alembic%'
"""
_BOUNDED = text(f"SELECT t.relname, a.attname {_OURS} AND a.atttypid = 'varchar'::regtype AND a.atttypmod > 0")
_STORAGE = text(f"SELECT t.relname, a.attname, a.attstorage {_OURS} AND a.atttypid = 'bytea'::regtype")
