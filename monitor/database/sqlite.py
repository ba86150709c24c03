"""SQLite: one file, opened so that a commit of the log survives a power cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

ENGINE: dict[str, Any] = {}
READING: dict[str, Any] = {}

_PATIENCE, _SHORT = 30_000, 200     # milliseconds to wait for who else writes


def prepared(url: URL, durable: bool) -> URL:
    """The same URL; the folder of its file is made."""
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return url


def is_there(url: URL) -> bool:
    return Path(url.database or "").exists()


def listen(engine: Engine, durable: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None           # transactions are begun below, not by the driver
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_PATIENCE}",        # first, as the next waits for others too
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            "cache_size=-8000",
            "temp_store=MEMORY",
            "foreign_keys=ON",
            # Nothing is deleted from the log but by retention and erasure, and then it is to be gone.
            f"secure_delete={'ON' if durable else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def forget_well(connection: Connection) -> None:
    """Overwrite with zeros what this connection deletes from now on; free pages of the file keep it otherwise."""
    connection.exec_driver_sql("PRAGMA secure_delete=ON")


def empty_journal(engine: Engine) -> None:
    """Write what the journal holds into the file, and cut it to nothing, where nobody reads just then."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_SHORT}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor.execute(f"PRAGMA busy_timeout={_PATIENCE}")
    finally:
        connection.close()


def is_no_room(error: DBAPIError) -> bool:
    """Whether it says that nothing can be written now."""
    return isinstance(error, OperationalError)


def is_busy(error: DBAPIError) -> bool:
    """Whether it says that another held the lock for too long."""
    return "locked" in str(error.orig)


def is_gone(error: DBAPIError) -> bool:
    """Whether it says that there is no database to ask: a file that cannot be opened is a fault of another kind."""
    return False
