"""A lease on a database: of all who ask for it one has it, until it lets it go or its process ends, however that is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

_WORKER = 0x5649474C     # this lease, among the advisory locks of the database; the write lock of a schema is another


class Lease(Protocol):
    """Asked for by one thread. Whoever has it asks now and then whether that is still so."""

    def take(self) -> bool:
        """Whether it is held now: it is taken where nobody has it, and kept where it is held."""

    def release(self) -> None:
        """Let it go, for the next who asks."""


def lease_of(engine: Engine) -> Lease:
    """The worker's lease on the database of ``engine``, not taken yet. On PostgreSQL it is an advisory lock that a
    session of its own holds, on SQLite a lock on a file beside the database."""
    return _Session(engine) if engine.dialect.name == "postgresql" else _File(engine.url.database or "")


class _File:
    """The file stays when the lock is let go: one that was deleted could be held by two."""

    def __init__(self, database: str) -> None:
        self._path = None if database in ("", ":memory:") else Path(database).with_suffix(".lease")
        self._held: int | None = None

    def take(self) -> bool:
        import fcntl  # not at the top: where there is none, as on Windows, the command line still works

        if self._held is not None or self._path is None:
            return True
        found = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(found)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._held = found
        return True

    def release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


class _Session:
    """A lock that ends with its session: a server that went away, or cut it off, has given it to the next."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Connection | None = None

    def take(self) -> bool:
        if self._session is not None and self._lives(self._session):
            return True
        session: Connection | None = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        assert session is not None
        try:
            if self._ask(session):
                self._session, session = session, None
                return True
        finally:
            if session is not None:
                session.close()
        return False

    def _ask(self, session: Connection) -> bool:
        values: dict[str, Any] = {"lease": _WORKER}
        lock = text("SELECT pg_try_advisory_lock(:lease, hashtext(current_setting('search_path')))")
        return bool(session.execute(lock, values).scalar_one())

    def _lives(self, session: Connection) -> bool:
        try:
            session.execute(text("SELECT 1"))
        except DBAPIError:
            self.release()
            return False
        return True

    def release(self) -> None:
        if self._session is not None:
            self._session.invalidate()      # else the pool keeps the session, and the session the lock
            self._session.close()
            self._session = None
