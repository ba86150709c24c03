"""People with a log of their own, a clock that a test sets, and hashes of passwords that cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from monitor.access import Keys
from monitor.database import open_database
from monitor.log.audit import Author
from monitor.log.tables import metadata
from monitor.people import People
from monitor.people.accounts import New
from monitor.people.passwords import Passwords

NOW = datetime(2026, 7, 1, tzinfo=UTC)
WORDS = "correct horse battery"
BY = Author({"id": "root", "kind": "os_user"}, "machine")


class Clock:
    at = NOW

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class Quick(Passwords):
    """The same with a hash that costs nothing: most tests are about other things."""

    def __init__(self) -> None:
        super().__init__()
        self._hasher = PasswordHasher(1, 8, 1)


@contextmanager
def opened(folder: Path, clock: Clock) -> Iterator[People]:
    """Nobody yet."""
    engine = open_database(f"sqlite:///{folder / 'log.db'}", durable=True)
    metadata.create_all(engine)
    people = People(engine, clock, Keys(engine, clock))
    people._passwords = Quick()
    yield people
    engine.dispose()


def add(people: People, name: str = "ana", role: str = "admin", **more: Any) -> str:
    """An account with the password ``WORDS``: its id."""
    return people.create(New(name, role, **more), BY, WORDS)[0].id
