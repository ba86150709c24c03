"""``vigil doctor`` on PostgreSQL: what it finds, and what it says of a server that is not as it should be."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from databases import Deployment, Postgres

from monitor.cli.check import Check
from monitor.cli.doctor import examine
from monitor.clock import system_clock
from monitor.database import open_database
from monitor.log.port import Part, Segment
from monitor.log.sql import SqlLog
from monitor.migrate import migrate
from monitor.settings import Settings
from monitor.times import to_micros


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def checks(settings: Settings, now: datetime | None = None) -> dict[str, Check]:
    return {check.name: check for check in examine(settings, now or system_clock())}


def states(settings: Settings, now: datetime | None = None) -> dict[str, str]:
    return {name: check.state for name, check in checks(settings, now).items()}


def append(settings: Settings) -> None:
    log = SqlLog(open_database(settings.log_url, durable=True))
    log.declare("m", 0, "a", {})
    log.append([Segment("m", "predictions", to_micros(system_clock()), False, 1, b"", (Part("b1", 3),))])
    log.engine.dispose()


def test_it_looks_into_a_server(on_postgres: Deployment, port: int) -> None:
    found = checks(on_postgres.settings(port=port))
    assert found["durability"].state == "fault", "the tests' own server flushes nothing"
    assert "Set fsync and full_page_writes to on" in found["durability"].mend
    fine = ("log database", "state database", "log migrations", "state migrations", "server", "primary", "texts",
            "connections", "server's clock", "parts", "port", "clock", "worker")  # fmt: skip
    assert {name: c.state for name, c in found.items() if name != "durability"} == dict.fromkeys(fine, "ok")
    assert "disk" not in found, "the server's is its own affair"


def test_it_sees_a_clock_that_is_apart(on_postgres: Deployment, port: int) -> None:
    settings = on_postgres.settings(port=port)
    assert states(settings, system_clock() + timedelta(seconds=60))["server's clock"] == "note"
    assert states(settings, system_clock() - timedelta(hours=1))["server's clock"] == "fault"


def test_it_sees_a_day_that_is_gone_and_a_right_that_is_wanting(
    postgres: Postgres, on_postgres: Deployment, port: int
) -> None:
    settings = on_postgres.settings(port=port)
    append(settings)
    assert checks(settings)["parts"].found.startswith("1 days")
    part = f"segments_{system_clock():%Y%m%d}"
    postgres.execute(f"ALTER TABLE vigil_log.segments DETACH PARTITION vigil_log.{part}", on_postgres.name)
    assert states(settings)["parts"] == "fault"
    for sql in (
        f"CREATE ROLE reader_{on_postgres.name} LOGIN",
        f"GRANT USAGE ON SCHEMA vigil_log, vigil_state TO reader_{on_postgres.name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA vigil_log, vigil_state TO reader_{on_postgres.name}",
    ):
        postgres.execute(sql, on_postgres.name)
    url = settings.database_url.replace("//postgres:@", f"//reader_{on_postgres.name}@")
    assert "GRANT CREATE" in checks(on_postgres.settings(port=port, database_url=url))["parts"].mend


def test_it_sees_a_state_and_a_server_that_are_not_there(
    postgres: Postgres, on_postgres: Deployment, port: int
) -> None:
    settings = on_postgres.settings(port=port)
    on_postgres.drop_state()
    assert states(settings) == {
        "log database": "ok", "log migrations": "ok", "state database": "note", "port": "ok",
    }  # fmt: skip
    postgres.execute(f"ALTER DATABASE {on_postgres.name} ALLOW_CONNECTIONS false")
    found = checks(settings)
    assert found["log database"].state == found["state database"].state == "fault"
    assert "not currently accepting connections" in found["log database"].found
    assert "that the server runs" in found["log database"].mend


def test_it_sees_texts_that_cannot_hold_every_name(postgres: Postgres, tmp_path: Path, port: int) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    settings = Settings(data_dir=tmp_path, database_url=postgres.database("latin"), port=port)
    migrate(settings)
    assert states(settings)["texts"] == "fault"
    postgres.drop("latin")
