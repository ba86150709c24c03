"""``vigil doctor`` on PostgreSQL: whether its server keeps what it acknowledges, and lets Vigil do its work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from monitor.cli.check import Check, State, guarded, judged
from monitor.database import open_database, reading
from monitor.database.days import DAY, day_of, days_of
from monitor.log.tables import segments
from monitor.log.waiting import last_arrival
from monitor.settings import Settings
from monitor.times import from_micros

LEAST_VERSION = 14          # the tests run on 18; what is older than 14 its makers no longer mend
SKEW, FAR = timedelta(seconds=2), timedelta(minutes=5)
CONNECTIONS = 32            # what one process may hold open: two pools of 16
_BINARY = ("c", "posix", "c.utf-8", "c.utf8", "pg_c_utf8")

_SERVER = text("""
    SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('fsync') AS fsync,
           current_setting('full_page_writes') AS pages, current_setting('synchronous_commit') AS commits,
           current_setting('max_connections')::int AS most, pg_is_in_recovery() AS standby,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
           clock_timestamp() AS at, pg_encoding_to_char(encoding) AS encoding,
           coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', datcollate) AS locale
    FROM pg_database d WHERE datname = current_database()
""")
_RIGHTS = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")


def examine_server(settings: Settings, now: datetime) -> Iterator[Check]:
    """Each check in turn, of a server that answers."""
    engine = open_database(settings.log_url, durable=True)
    try:
        with reading(engine) as db:
            server: Any = db.execute(_SERVER).one()
            yield _version(server)
            yield _durable(server)
            yield _writable(server)
            yield _texts(server)
            yield _connections(server)
            yield _skew(server, now)
        with reading(engine) as db:
            yield guarded("parts", lambda: _parts(db))
    finally:
        engine.dispose()


def _version(server: Any) -> Check:
    old = server.version < LEAST_VERSION
    return judged(
        "server", "fault" if old else "ok", f"PostgreSQL {server.version}", f"Upgrade to {LEAST_VERSION} or later"
    )


def _durable(server: Any) -> Check:
    """Whether a batch that was acknowledged survives a power cut."""
    said = f"fsync {server.fsync}, full_page_writes {server.pages}, synchronous_commit of the log {server.commits}"
    wrong = [name for name, value in (("fsync", server.fsync), ("full_page_writes", server.pages)) if value == "off"]
    mend = f"Set {' and '.join(wrong)} to on in postgresql.conf: a power cut may destroy the database"
    return judged("durability", "fault" if wrong or server.commits == "off" else "ok", said, mend)


def _writable(server: Any) -> Check:
    return judged(
        "primary", "fault" if server.standby else "ok", "a standby" if server.standby else "takes writes",
        "Name the primary: ...@HOST1,HOST2/DATABASE?target_session_attrs=read-write",
    )  # fmt: skip


def _texts(server: Any) -> Check:
    """Names sort by their bytes where the locale says so; any other has to be the same version on every machine."""
    state: State = "ok" if server.locale.lower() in _BINARY else "note"
    if server.encoding != "UTF8":
        state = "fault"
    mend = "Make the database with ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0: keys are compared faster, and no "
    mend += "upgrade of the system's locale can break an index"
    return judged("texts", state, f"encoding {server.encoding}, locale {server.locale}", mend)


def _connections(server: Any) -> Check:
    free = server.most - server.used
    return judged(
        "connections", "note" if free < CONNECTIONS else "ok", f"{server.used} of {server.most} in use",
        f"A process of Vigil may hold {CONNECTIONS}: raise max_connections, or run fewer",
    )  # fmt: skip


def _skew(server: Any, now: datetime) -> Check:
    apart = abs(server.at.astimezone(UTC) - now)
    state: State = "fault" if apart > FAR else "note" if apart > SKEW else "ok"
    said = f"{apart.total_seconds():.1f} s from this machine's"
    return judged("server's clock", state, said, "Set both clocks by NTP: timedatectl")


def _parts(db: Connection) -> Check:
    """Whether the day of the last batch has its part, and whether the next day can have one."""
    days = days_of(db, segments)
    last = last_arrival(db)
    if not db.execute(_RIGHTS).scalar():
        return Check("parts", "fault", "the user may make no table in the log's schema", "GRANT CREATE ON SCHEMA "
                     "vigil_log to it: each day of arrival has a table of its own")  # fmt: skip
    if last is not None and day_of(last) not in days:
        gone = f"the last batch came on {from_micros(last):%Y-%m-%d}, and that day's part is not there"
        return Check("parts", "fault", gone, "Attach it again, or restore it from a backup")
    span = f", {from_micros(days[0] * DAY):%Y-%m-%d} to {from_micros(days[-1] * DAY):%Y-%m-%d}" if days else ""
    return Check("parts", "ok", f"{len(days)} days{span}")
