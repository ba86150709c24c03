"""Migrations: from nothing they make the tables that the code names, and a database with data keeps it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import Deployment, Postgres
from sqlalchemy import Engine, String, Text, inspect, select, text

from monitor.database import open_database, writing
from monitor.log import tables as log
from monitor.log.port import Part, Segment
from monitor.log.sql import SqlLog
from monitor.migrate import SCRIPTS, migrate
from monitor.settings import Settings
from monitor.store import tables as state

IN_PARTS = ("segments", "protected_segments")      # by day, on PostgreSQL, where the key then has the day's column
DATABASES = {"log": (log, "alembic_version_log"), "state": (state, "alembic_version_state")}


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Of a Vigil that was never started."""
    if request.param == "sqlite":
        yield Settings(data_dir=tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.copy("template0")
    yield Settings(data_dir=tmp_path, database_url=server.database(name))
    server.drop(name)


def opened(settings: Settings, name: str) -> Engine:
    return open_database(settings.log_url if name == "log" else settings.state_url, durable=name == "log")


def script(name: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS / name))
    return ScriptDirectory.from_config(config)


def differences(engine: Engine, name: str) -> list[Any]:
    tables, version_table = DATABASES[name]
    with engine.connect() as db:
        options = {"compare_type": _differs, "compare_server_default": True, "version_table": version_table}
        options["include_name"] = lambda found, *_: not re.search(r"_\d{8}$", found or "")      # the part of a day
        return list(compare_metadata(MigrationContext.configure(db, opts=options), tables.metadata))


def _differs(_context: Any, _inspected: Any, _column: Any, found: Any, wanted: Any) -> bool | None:
    """On PostgreSQL a text has any length, whatever the tables say to SQLite; ``None`` leaves it to Alembic."""
    return False if isinstance(found, Text) and isinstance(wanted, String) else None


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
        in_parts = settings.on_server and table.name in IN_PARTS
        assert primary == [c.name for c in table.primary_key] + ["received_at"] * in_parts, table.name
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


def test_data_outlive_a_second_migration(settings: Settings) -> None:
    migrate(settings)
    declared = {"model": "m", "version": 1, "number": 1, "at": 5, "by": "ana", "body": {"model": "m"}}
    engine = opened(settings, "log")
    with engine.begin() as db:
        db.execute(log.declarations.insert().values(**declared))
    migrate(settings)
    with engine.connect() as db:
        assert dict(db.execute(select(log.declarations)).mappings().one()) == declared
        assert db.exec_driver_sql("SELECT count(*) FROM alembic_version_log").scalar() == 1
    engine.dispose()


# Of the first version, as 0001 made its tables: a batch with a key, one that says how it was sampled, one of outcomes.
_FIRST = [
    (1, "m", "reference", "b1", None, 100, 5, False, 1, {"sampling_rate": 1.0}, b"reference"),
    (2, "m", "predictions", "b2", "key", 200, 7, True, 1, {"source": "a"}, b"predictions"),
    (4, "n", "predictions", "b4", None, 300, 9, False, 2, {"sampling_rate": 0.25, "notes": {"absent": {"x": 3}}}, b"n"),
    (5, "m", "outcomes", "b5", "key", 400, 3, False, 1, {}, b"outcomes"),
]
_NAMES = "seq, model, kind, batch_id, idempotency_key, received_at, rows, event_clock, declaration, envelope, payload"


def test_the_log_of_the_first_version_is_kept_whole_through_every_step(tmp_path: Path) -> None:
    """On SQLite alone: no release before the second version wrote to PostgreSQL."""
    settings = Settings(data_dir=tmp_path)
    migrate(settings, "0001")
    engine, state_engine = opened(settings, "log"), opened(settings, "state")
    marks = ", ".join("?" * len(_FIRST[0]))
    with engine.begin() as db:
        for row in _FIRST:
            values = tuple(json.dumps(v) if isinstance(v, dict) else v for v in row)
            db.exec_driver_sql(f"INSERT INTO segments ({_NAMES}) VALUES ({marks})", values)
        db.exec_driver_sql("INSERT INTO protected_segments VALUES (2, 'm', 200, ?)", (b"protected",))
        db.exec_driver_sql("INSERT INTO rejects VALUES (1, 'm', 'b2', 200, 3, 'f', 'r')")
        db.exec_driver_sql("DELETE FROM segments WHERE seq = 5")        # its number is never given again
    folded = ("b2", 1, 2, '{"predictions": 7}', "[]")
    with state_engine.begin() as db:
        names = "batch_id, model, seq, counts, conflicts"
        db.exec_driver_sql(f"INSERT INTO folded ({names}) VALUES (?, ?, ?, ?, ?)", folded)
    migrate(settings, "0002")
    with state_engine.connect() as db:
        assert db.exec_driver_sql(f"SELECT {names} FROM folded").one() == folded
    migrate(settings)
    kept = SqlLog(engine)
    found = {s.seq: s for model in "mn" for s in kept.read(model, 0, 10)}
    for seq, model, kind, batch, key, at, rows, event_clock, declaration, envelope, payload in _FIRST[:3]:
        rate = envelope.get("sampling_rate", 1.0)
        part = Part(batch, rows, key, envelope)
        protected = b"protected" if seq == 2 else None
        assert found.pop(seq) == Segment(
            model, kind, at, event_clock, declaration, payload, (part,), protected, rate, seq
        )  # type: ignore[arg-type]
    assert found == {}
    assert [r["batch_id"] for r in kept.rejects("m")] == ["b2"]
    again = Segment("m", "predictions", 500, False, 1, b"", (Part("b9", 1, "key"),))
    new = Segment("m", "predictions", 500, False, 1, b"", (Part("b9", 1, "other"),))
    assert [s and s.seq for s in kept.append([again, new])] == [None, 6]
    for one in (engine, state_engine):
        one.dispose()


def test_a_step_back_and_forth_keeps_the_log(settings: Settings) -> None:
    migrate(settings)
    engine = opened(settings, "log")
    part = Part("b1", 2, "key", {"sampling_rate": 0.5})
    written = SqlLog(engine).append([Segment("m", "predictions", 7, False, 1, b"payload", (part,), b"p", 0.5)])[0]
    assert written is not None
    with writing(engine) as db:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS / "log"))
        config.attributes["connection"] = db
        command.downgrade(config, "0001")
        names = "seq, batch_id, idempotency_key, rows, payload"
        assert db.execute(text(f"SELECT {names} FROM segments")).one() == (1, "b1", "key", 2, b"payload")
        assert db.execute(text("SELECT payload FROM protected_segments")).scalar_one() == b"p"
    migrate(settings)
    assert SqlLog(engine).read("m", 0, 5) == [written]
    assert [s.seq for s in SqlLog(engine).append([replace(written, parts=(Part("b2", 1),))]) if s] == [2]
    assert differences(engine, "log") == []
    engine.dispose()


def test_postgresql_holds_texts_of_any_length_and_packs_nothing_twice(on_postgres: Deployment) -> None:
    for name, (tables, _) in DATABASES.items():
        engine = opened(on_postgres.settings(), name)
        with engine.connect() as db:
            bounded = text(
                "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() "
                "AND character_maximum_length IS NOT NULL AND table_name NOT LIKE 'alembic%'"
            )
            assert list(db.execute(bounded).scalars()) == []
            where = "attrelid = to_regclass(:table) AND attname = :name"
            storage = text(f"SELECT attstorage FROM pg_attribute WHERE {where}")
            packed = [c for t in tables.metadata.tables.values() for c in t.c if c.info.get("packed")]
            assert packed
            for c in packed:
                assert db.execute(storage, {"table": c.table.name, "name": c.name}).scalar() == "e", c
        engine.dispose()


def test_two_services_that_start_at_once_migrate_once(settings: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from monitor.migrate import migrate; "
        "from monitor.settings import Settings; migrate(Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2]))"
    )
    arguments = [sys.executable, "-c", code, str(settings.data_dir), settings.database_url]
    services = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [service.communicate(timeout=60)[1] for service in services]
    assert [service.returncode for service in services] == [0, 0, 0], said
    for name in DATABASES:
        engine = opened(settings, name)
        assert differences(engine, name) == []
        engine.dispose()
