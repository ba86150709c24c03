"""PostgreSQL: a server that may go away and come back, and that several processes write at once.

Log and state are two schemas of one database, named in the URL by ``search_path`` (``monitor.settings`` puts it there).
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, LargeBinary, NullPool, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

# A connection that died while it lay in the pool is seen before it is used: so all is well again by itself.
ENGINE: dict[str, Any] = {"pool_pre_ping": True}
READING: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

_CLIENT = {
    "connect_timeout": "5",         # a service that waits for a server that is gone stalls whoever sends
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "client_encoding": "utf8",
    "application_name": "vigil",
}
# The server's own keepalives: a replica that was cut off in a transaction must not hold the write lock for hours.
_SERVER = (
    "-clock_timeout=30s -ctcp_keepalives_idle=10 -ctcp_keepalives_interval=5 -ctcp_keepalives_count=3"
)
_LOCK = 0x5647494C      # this program's, among those who take advisory locks in the database


def prepared(url: URL, durable: bool) -> URL:
    """The URL for psycopg, with defaults where it names nothing else."""
    named = {key: value for key, value in url.query.items() if key != "options"}
    given = url.query.get("options", ())
    options = " ".join([_SERVER, *([given] if isinstance(given, str) else given)])
    if not durable:
        # After a crash the last commits of the state may be missing: the log has what they came of.
        options = f"-csynchronous_commit=off {options}"
    return url.set(drivername="postgresql+psycopg", query={**_CLIENT, **named, "options": options})


def is_there(url: URL) -> bool:
    """Whether the schema is there that the URL names."""
    engine = create_engine(prepared(url, durable=True), poolclass=NullPool)
    with engine.connect() as db:
        return db.execute(text("SELECT to_regnamespace(current_setting('search_path'))")).scalar() is not None


def listen(engine: Engine, durable: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: psycopg.Connection[Any], _record: Any) -> None:
        if durable:     # what an administrator set stronger than 'on' stays as it is
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
            connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # One writer a schema at a time. The lock is let go only after the commit can be seen by the next, so at READ
        # COMMITTED whoever has it reads what all before it wrote, and nobody changes that until it commits.
        if connection.get_execution_options().get("immediate", False):
            connection.exec_driver_sql(
                f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_setting('search_path')))"
            )

    @event.listens_for(engine, "before_cursor_execute")
    def _binary(_db: Connection, cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
        # Bytes come as they are and not as hexadecimal text: less than half the time, of a segment of the log.
        columns = () if context.compiled is None else context.compiled._result_columns or ()
        if any(isinstance(column.type, LargeBinary) for column in columns):
            cursor.format = psycopg.pq.Format.BINARY

    @event.listens_for(engine, "handle_error")
    def _bare(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.Error):
            strip(context.original_exception)
            wrapped = context.sqlalchemy_exception
            if wrapped is not None:
                name = type(context.original_exception)
                wrapped.args = (f"({name.__module__}.{name.__qualname__}) {context.original_exception}",)


def strip(error: psycopg.Error) -> None:
    """Leave the first line of what the server said: the detail and the context repeat a row's values."""
    if error.diag.message_primary:
        error.args = (error.diag.message_primary,)


def forget_well(connection: Connection) -> None:
    """Nothing: PostgreSQL overwrites what was deleted when it vacuums."""


def empty_journal(engine: Engine) -> None:
    """Nothing: the write-ahead log is the server's."""


def is_no_room(error: DBAPIError) -> bool:
    """Whether it says that nothing can be written now: the server is gone, full, busy or only takes reads."""
    state = getattr(error.orig, "sqlstate", None) or ""
    too_long = state.startswith("54")       # of a value that no waiting makes shorter
    return state == "25006" or (isinstance(error.orig, psycopg.OperationalError) and not too_long)


def is_busy(error: DBAPIError) -> bool:
    """Whether it says that another held the lock for too long."""
    return getattr(error.orig, "sqlstate", None) == "55P03"


def is_gone(error: DBAPIError) -> bool:
    """Whether it says that there is no server to ask, or that it takes nobody in."""
    if not isinstance(error.orig, psycopg.OperationalError):
        return False
    state = error.orig.sqlstate
    return state is None or state.startswith(("08", "53", "57P"))
