"""Migrations: from nothing they make the tables that the code names, and a database with data keeps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select

from monitor.database import open_database
from monitor.log import tables as log
from monitor.migrate import SCRIPTS, migrate
from monitor.settings import Settings
from monitor.store import tables as state

DATABASES = {"log": (log, "alembic_version_log"), "state": (state, "alembic_version_state")}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def opened(settings: Settings, name: str) -> Engine:
    return open_database(settings.log_url if name == "log" else settings.database_url, durable=name == "log")


def script(name: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS / name))
    return ScriptDirectory.from_config(config)


def differences(engine: Engine, name: str) -> list[Any]:
    tables, version_table = DATABASES[name]
    with engine.connect() as db:
        options = {"compare_type": True, "compare_server_default": True, "version_table": version_table}
        return list(compare_metadata(MigrationContext.configure(db, opts=options), tables.metadata))


@pytest.mark.parametrize("name", DATABASES)
def test_from_nothing_they_make_the_tables_of_the_code(settings: Settings, name: str) -> None:
    migrate(settings)
    engine = opened(settings, name)
    assert differences(engine, name) == []
    tables, version_table = DATABASES[name]
    found = set(inspect(engine).get_table_names())
    assert found == set(tables.metadata.tables) | {version_table}
    for table in tables.metadata.tables.values():       # what the comparison does not look at in SQLite
        primary = inspect(engine).get_pk_constraint(table.name)["constrained_columns"]
        assert primary == [c.name for c in table.primary_key], table.name
        indices = {i["name"] for i in inspect(engine).get_indexes(table.name)}
        assert {i.name for i in table.indexes} <= indices, table.name
    engine.dispose()


def test_a_difference_would_be_seen(settings: Settings) -> None:
    migrate(settings)
    engine = opened(settings, "state")
    with engine.begin() as db:
        db.exec_driver_sql("DROP INDEX points_by_window")
        db.exec_driver_sql("ALTER TABLE folded ADD COLUMN more TEXT")
    assert {d[0] for d in differences(engine, "state")} == {"add_index", "remove_column"}
    engine.dispose()


@pytest.mark.parametrize("name", DATABASES)
def test_each_has_one_head_and_every_step_can_be_taken_back(name: str) -> None:
    steps = list(script(name).walk_revisions())
    assert len(script(name).get_heads()) == 1
    for step in steps:
        text = Path(step.path).read_text("utf-8")
        assert "def downgrade() -> None:" in text
        assert text.partition("def downgrade")[2].strip().splitlines()[-1].strip() != "pass"


def test_data_outlive_every_step_from_the_first_version_and_a_second_migration(settings: Settings) -> None:
    first = {name: [s.revision for s in script(name).walk_revisions()][-1] for name in DATABASES}
    migrate(settings)
    declared = {"model": "m", "version": 1, "number": 1, "at": 5, "by": "ana", "body": {"model": "m"}}
    engine = opened(settings, "log")
    with engine.begin() as db:
        db.execute(log.declarations.insert().values(**declared))
    migrate(settings)
    with engine.connect() as db:
        assert dict(db.execute(select(log.declarations)).mappings().one()) == declared
        assert db.exec_driver_sql("SELECT count(*) FROM alembic_version_log").scalar() == 1
    assert all(first.values())
    engine.dispose()


def test_two_services_that_start_at_once_migrate_once(settings: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from monitor.migrate import migrate; "
        "from monitor.settings import Settings; migrate(Settings(data_dir=Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(settings.data_dir)]
    services = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [service.communicate(timeout=60)[1] for service in services]
    assert [service.returncode for service in services] == [0, 0, 0], said
    for name in DATABASES:
        engine = opened(settings, name)
        assert differences(engine, name) == []
        engine.dispose()
