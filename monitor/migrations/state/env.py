"""Alembic's entry for the state database: the caller hands in the connection."""

from alembic import context

from monitor.database.shape import prepare, settle
from monitor.store.tables import metadata

connection = context.config.attributes["connection"]
prepare(connection)
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="alembic_version_state",
    render_as_batch=True,
)
context.run_migrations()
settle(connection, metadata)
