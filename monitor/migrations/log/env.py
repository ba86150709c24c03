"""Alembic's entry for the log database: the caller hands in the connection."""

from alembic import context

from monitor.log.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="alembic_version_log",
    render_as_batch=True,
)
context.run_migrations()
