"""Engines and transactions: how Vigil opens its databases, SQLite or PostgreSQL, and writes and reads them.

What the two do differently is told apart in this folder and nowhere else: whoever writes a query writes it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from monitor.database import postgresql, sqlite
from monitor.database.days import add_days
from monitor.database.rows import among, insert_many, next_numbers, upsert
from monitor.errors import NotDurable

__all__ = [
    "add_days", "among", "empty_journal", "forget_well", "insert_many", "is_there", "next_numbers", "open_database",
    "reading", "upsert", "writing",
]  # fmt: skip

_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}


def open_database(url: str, *, durable: bool) -> Engine:
    """An engine for ``url``. ``durable`` asks for a disk flush at each commit: the log needs it, what follows
    from the log does not (after a power cut it is only a little older, and still consistent)."""
    parsed = make_url(url)
    dialect = _DIALECTS[parsed.get_backend_name()]
    # A statement's values may be protected attributes: they belong in no error's text and in no log.
    engine = create_engine(
        dialect.prepared(parsed, durable), pool_size=8, max_overflow=8, hide_parameters=True, **dialect.ENGINE
    )
    dialect.listen(engine, durable)
    return engine


def is_there(url: str) -> bool:
    """Whether the database was made: its file, or its schema. Nothing is made by asking.

    Raises SQLAlchemy's ``OperationalError`` where a server does not answer.
    """
    parsed = make_url(url)
    there: bool = _DIALECTS[parsed.get_backend_name()].is_there(parsed)
    return there


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start, so that what it read is still so when it commits, and
    so that numbers given in it follow the order of the commits, whoever else writes.

    Raises ``NotDurable``, and leaves nothing written, where the database cannot be written now: a full disk, for one,
    or a server that is gone.
    """
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(immediate=True)
            with connection.begin():
                yield connection
    except DBAPIError as error:
        dialect = _DIALECTS[engine.dialect.name]
        if not dialect.is_no_room(error):
            raise
        mend = "Free disk space or restore the database, then send the request again"
        if dialect.is_busy(error):
            mend = "Another process writes to it for long: wait, then send the request again"
        raise NotDurable(f"the database could not be written: {_said(error)}", mend) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A consistent view of the database, which no writer waits for. ``NotDurable`` where its server is gone."""
    dialect = _DIALECTS[engine.dialect.name]
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(**dialect.READING)
            with connection.begin():
                yield connection
    except DBAPIError as error:
        if not dialect.is_gone(error):
            raise
        raise NotDurable(
            f"the database cannot be read: {_said(error)}", "Start the database, then send the request again"
        ) from error


def forget_well(db: Connection) -> None:
    """See that what is deleted in this transaction cannot be read from the database's file afterwards, as far as that
    is in this program's hands."""
    _DIALECTS[db.dialect.name].forget_well(db)


def empty_journal(engine: Engine) -> None:
    """The same for what the journal still holds of it."""
    _DIALECTS[engine.dialect.name].empty_journal(engine)


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())
