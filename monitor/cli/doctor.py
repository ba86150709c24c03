"""``vigil doctor``: what keeps Vigil from working on this machine, and how to mend it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from monitor.cli.command import on_machine
from monitor.cli.failure import Failure
from monitor.cli.out import Out
from monitor.cli.root import vigil
from monitor.clock import system_clock
from monitor.database import open_database, reading
from monitor.log.sql import SqlLog
from monitor.log.tables import segments
from monitor.migrate import SCRIPTS
from monitor.settings import Settings
from monitor.store import models
from monitor.times import from_micros

LEAST_DISK = 200 * 2**20        # bytes free: below, the log may fail at any moment
SOUND_DISK = 2 * 2**30
AHEAD = timedelta(minutes=5)    # how far the log's last arrival may lie in this clock's future
LONG_WAIT = timedelta(minutes=2)
RELEASED = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """``note``: nothing is broken yet, and somebody should know."""

    name: str
    state: Literal["ok", "note", "fault"]
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"check": self.name, "state": self.state, "found": self.found, "mend": self.mend}


@on_machine(vigil, "doctor", example="vigil doctor --json")
def doctor(out: Out, settings: Settings) -> None:
    """Check databases, migrations, disk, clock, port and worker. Exit code 1 where there is a fault."""
    checks = list(examine(settings, system_clock()))
    out.value({"checks": [c.as_dict() for c in checks]})
    out.table(("check", "", "found", "what to do"), [(c.name, c.state, c.found, c.mend) for c in checks])
    faults = [c.name for c in checks if c.state == "fault"]
    if faults:
        raise Failure(f"{len(faults)} of {len(checks)} checks found a fault: {', '.join(faults)}", "See above")


def examine(settings: Settings, now: datetime) -> Iterator[Check]:
    """Each check in turn. Nothing is made or changed: a database that is not there is only said to be missing."""
    yield _disk(settings.database_file.parent)
    for name, url in (("log", settings.log_url), ("state", settings.database_url)):
        yield from _database(name, url)
    yield _port(settings.host, settings.port)
    if settings.log_file.exists() and settings.database_file.exists():
        for check in (_clock, _worker):
            yield _guarded(check, settings, now)


def _disk(folder: Path) -> Check:
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / 2**30:.1f} GiB free at {there}"
    if free < SOUND_DISK:
        state: Literal["note", "fault"] = "fault" if free < LEAST_DISK else "note"
        return Check("disk", state, said, "Free space, or move data_dir to a larger disk")
    return Check("disk", "ok", said)


def _database(name: str, url: str) -> Iterator[Check]:
    """That it answers, and that it has the version of this code."""
    file = Path(url.removeprefix("sqlite:///"))
    if not file.exists():
        yield Check(f"{name} database", "note", f"{file} is not there yet", "'vigil serve' or 'vigil migrate' makes it")
        return
    engine = open_database(url, durable=False)
    try:
        with reading(engine) as db:
            db.execute(text("select count(*) from sqlite_master"))
            table = {"version_table": f"alembic_version_{name}"}
            version = MigrationContext.configure(db, opts=table).get_current_revision()
    except DBAPIError as error:
        mend = "See that the file is whole and this user may use it"
        yield Check(f"{name} database", "fault", f"{file}: {error.orig}", mend)
        return
    finally:
        engine.dispose()
    yield Check(f"{name} database", "ok", f"{file} answers")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS / name))
    head = ScriptDirectory.from_config(config).get_current_head()
    said = f"version {version}, this code needs {head}"
    yield Check(f"{name} migrations", "ok" if version == head else "fault", said,
                "" if version == head else "Stop the service, then 'vigil migrate'")  # fmt: skip


def _port(host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return _who_listens(host, port, error)
    return Check("port", "ok", f"{host}:{port} is free")


def _who_listens(host: str, port: int, error: OSError) -> Check:
    """A taken port is a fault, unless it is Vigil that took it."""
    at = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host
    try:
        answer = httpx.get(f"http://{at}:{port}/readyz", timeout=5, trust_env=False)
    except httpx.HTTPError:
        said = f"{host}:{port} cannot be taken: {(error.strerror or str(error)).lower()}"
        return Check("port", "fault", said, "Choose another port: VIGIL_PORT=8001")
    if answer.text.strip() == "ok":
        return Check("port", "ok", f"a service answers on {host}:{port}, and is ready")
    said = f"what answers on {host}:{port} is not ready, or is no Vigil ({answer.status_code})"
    return Check("port", "fault", said, "Look into its log, or choose another port: VIGIL_PORT=8001")


def _guarded(check: Callable[[Settings, datetime], Check], settings: Settings, now: datetime) -> Check:
    """A database of another version may lack what a check asks for: the fault is said by its migrations."""
    try:
        return check(settings, now)
    except DBAPIError as error:
        return Check(check.__name__.strip("_"), "note", f"cannot be told: {error.orig}", "Mend the databases first")


def _clock(settings: Settings, now: datetime) -> Check:
    with reading(open_database(settings.log_url, durable=False)) as db:
        last: Any = db.execute(select(func.max(segments.c.received_at))).scalar_one()
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < RELEASED or (last is not None and from_micros(last) > now + AHEAD):
        return Check("clock", "fault", f"{said}, which is before what was already done", "Set the clock: timedatectl")
    return Check("clock", "ok", said)


def _worker(settings: Settings, now: datetime) -> Check:
    """Rows that wait for long mean that no worker runs, or that it fails."""
    log = SqlLog(open_database(settings.log_url, durable=False))
    with reading(open_database(settings.database_url, durable=False)) as db:
        cursors = {name: state.cursor for name in log.models() if (state := models.load(db, name)) is not None}
    waiting = {name: rows for name in log.models() if (rows := log.rows_after(name, cursors.get(name, 0)))}
    if not waiting:
        return Check("worker", "ok", "nothing waits to be folded")
    name = max(waiting, key=lambda n: waiting[n])
    said = f"{sum(waiting.values()):,} rows wait to be folded, most of {name}"
    with reading(log.engine) as db:
        query = select(func.min(segments.c.received_at)).where(
            segments.c.model == name, segments.c.seq > cursors.get(name, 0)
        )
        first: Any = db.execute(query).scalar_one()
    late = first is not None and now - from_micros(first) > LONG_WAIT
    mend = "See that 'vigil serve' or 'vigil worker' runs, and look into its log" if late else ""
    return Check("worker", "fault" if late else "note", said, mend)
