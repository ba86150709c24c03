"""``vigil doctor``: what keeps Vigil from working on this machine, and how to mend it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from monitor.addresses import without_password
from monitor.cli.check import Check, State, guarded, judged
from monitor.cli.command import on_machine
from monitor.cli.doctor_server import examine_server
from monitor.cli.failure import Failure
from monitor.cli.out import Out
from monitor.cli.root import vigil
from monitor.clock import system_clock
from monitor.database import is_there, open_database, reading
from monitor.errors import NotDurable
from monitor.log.sql import SqlLog
from monitor.log.waiting import last_arrival, waiting
from monitor.migrate import version_needed, version_of
from monitor.settings import Settings
from monitor.store import heartbeats, models
from monitor.store.heartbeats import Heartbeat
from monitor.times import from_micros

LEAST_DISK = 200 * 2**20        # bytes free: below, the log may fail at any moment
SOUND_DISK = 2 * 2**30
AHEAD = timedelta(minutes=5)    # how far the log's last arrival may lie in this clock's future
LONG_WAIT = timedelta(minutes=2)
RELEASED = datetime(2025, 1, 1, tzinfo=UTC)


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
    if not settings.on_server:
        yield _disk(settings.database_file.parent)
    there = True
    for name, url in (("log", settings.log_url), ("state", settings.state_url)):
        found = list(_database(name, url))
        there &= len(found) > 1
        yield from found
    if settings.on_server and there:
        yield from examine_server(settings, now)
    yield _port(settings.host, settings.port)
    if there:
        with _opened(settings) as (log, state):
            yield guarded("clock", lambda: _clock(log, now))
            yield guarded("worker", lambda: _worker(log, state, now))


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[SqlLog, Engine]]:
    log = SqlLog(open_database(settings.log_url, durable=True))
    state = open_database(settings.state_url, durable=False)
    try:
        yield log, state
    finally:
        for engine in (log.engine, state):
            engine.dispose()


def _disk(folder: Path) -> Check:
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / 2**30:.1f} GiB free at {there}"
    if free < SOUND_DISK:
        state: State = "fault" if free < LEAST_DISK else "note"
        return Check("disk", state, said, "Free space, or move data_dir to a larger disk")
    return Check("disk", "ok", said)


def _database(name: str, url: str) -> Iterator[Check]:
    """That it answers, and that it has the version of this code."""
    where = without_password(url)
    try:
        if not is_there(url):
            mend = "'vigil serve' or 'vigil migrate' makes it"
            yield Check(f"{name} database", "note", f"{where} is not there yet", mend)
            return
        version = _version(name, url)
    except (DBAPIError, NotDurable) as error:
        said = error.detail if isinstance(error, NotDurable) else f"{error.orig}"
        mend = "See that the file is whole, or that the server runs, and that this user may use it"
        yield Check(f"{name} database", "fault", f"{where}: {said}", mend)
        return
    yield Check(f"{name} database", "ok", f"{where} answers")
    needed = version_needed(name)
    state: State = "ok" if version == needed else "fault"
    said = f"version {version}, this code needs {needed}"
    yield judged(f"{name} migrations", state, said, "Stop the service, then 'vigil migrate'")


def _version(name: str, url: str) -> str | None:
    engine = open_database(url, durable=name == "log")
    try:
        return version_of(engine, name)         # a file that is no database says so here
    finally:
        engine.dispose()


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


def _clock(log: SqlLog, now: datetime) -> Check:
    with reading(log.engine) as db:
        last = last_arrival(db)
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < RELEASED or (last is not None and from_micros(last) > now + AHEAD):
        return Check("clock", "fault", f"{said}, which is before what was already done", "Set the clock: timedatectl")
    return Check("clock", "ok", said)


def _worker(log: SqlLog, state: Engine, now: datetime) -> Check:
    """Rows that wait for long mean that no worker runs, or that it fails; when it was last heard of tells which."""
    names = log.models()
    with reading(state) as db:
        cursors = {name: found.cursor for name in names if (found := models.load(db, name)) is not None}
        heard = _heard(heartbeats.load(db), now)
    with reading(log.engine) as db:
        behind = {name: waiting(db, name, cursors.get(name, 0)) for name in names}
    name = max(behind, key=lambda n: behind[n].rows, default="")
    if not name or not behind[name].rows:
        return Check("worker", "ok", f"nothing waits to be folded; {heard}")
    said = f"{sum(b.rows for b in behind.values()):,} rows wait to be folded, most of {name}; {heard}"
    first = behind[name].oldest
    late = first is not None and now - from_micros(first) > LONG_WAIT
    mend = "See that 'vigil serve' or 'vigil worker' runs, and look into its log" if late else ""
    return Check("worker", "fault" if late else "note", said, mend)


def _heard(beat: Heartbeat | None, now: datetime) -> str:
    """When the worker was last heard of, and when it last went round without a fault."""
    if beat is None:
        return "no worker was heard of yet"
    told = f"the worker was heard of {_ago(beat.at, now)}"
    if beat.last_round is None:
        return f"{told}, and has not gone round without a fault since its start {_ago(beat.started_at, now)}"
    return f"{told}, and went round {_ago(beat.last_round, now)}"


def _ago(instant: int, now: datetime) -> str:
    return f"{max((now - from_micros(instant)).total_seconds(), 0):,.0f} s ago"
