"""Alembic's entry for the log database: the caller hands in the connection."""

from alembic import context

from monitor.database.shape import prepare, settle

# Their tables belong to the log's.
from monitor.log import audit, claims, cuts, erasures, notifications, people, seals, silences  # noqa: F401
from monitor.log.tables import metadata

connection = context.config.attributes["connection"]
prepare(connection)
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="alembic_version_log",
    render_as_batch=True,
)
context.run_migrations()
settle(connection, metadata)
