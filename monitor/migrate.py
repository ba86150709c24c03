"""Migrations: both databases brought to the version that this code needs, from whatever version they have."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from monitor.database import open_database, writing
from monitor.settings import Settings

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(settings: Settings, revision: str = "head") -> None:
    """Bring the log and the state up (or to ``revision``). Nothing is done where they are there already."""
    for name, url in (("log", settings.log_url), ("state", settings.state_url)):
        engine = open_database(url, durable=name == "log")
        with writing(engine) as connection:     # of two that start at once, the second finds it done
            config = Config()
            config.set_main_option("script_location", str(SCRIPTS / name))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        engine.dispose()
