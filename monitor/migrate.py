"""Migrations: both databases brought to the version that this code needs, from whatever version they have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from monitor.database import open_database, reading, writing
from monitor.settings import Settings

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(settings: Settings, revision: str = "head", names: Sequence[str] = ("log", "state")) -> None:
    """Bring the log and the state up (or to ``revision``). Nothing is done where they are there already."""
    for name, url in (("log", settings.log_url), ("state", settings.state_url)):
        if name not in names:
            continue
        engine = open_database(url, durable=name == "log")
        if revision != "head" or version_of(engine, name) != version_needed(name):
            _migrate(engine, name, revision)
        engine.dispose()


def version_needed(name: str) -> str:
    """The version of the log or the state that this code needs: the number of the last migration's file.

    >>> len(version_needed("log"))
    4
    """
    return max(file.name[:4] for file in (SCRIPTS / name / "versions").glob("[0-9]*.py"))


def version_of(engine: Engine, name: str) -> str | None:
    """The version that a database has, ``None`` where it was not made yet."""
    table = f"alembic_version_{name}"
    with reading(engine) as db:
        if not inspect(db).has_table(table):
            return None
        found: str | None = db.execute(text(f"SELECT version_num FROM {table}")).scalar()
        return found


def _migrate(engine: Engine, name: str, revision: str) -> None:
    from alembic import command  # large, and needed by the first start of a version alone
    from alembic.config import Config

    with writing(engine) as connection:     # of two that start at once, the second finds it done
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS / name))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
