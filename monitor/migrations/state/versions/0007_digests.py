"""long texts are found by a digest, for PostgreSQL indexes none over 2,704 bytes; what is kept is made anew"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'

# All of it is made anew from the log: the worker begins where a model has no row.
_REBUILT = (
    "verdicts", "points", "incident_events", "incidents", "rule_states", "windows", "streams", "signals", "rollups",
    "summaries", "folded", "halves", "refusals", "key_rows", "key_runs", "key_pages", "models",
)  # fmt: skip


def _forget() -> None:
    for name in _REBUILT:
        op.execute(f"DELETE FROM {name}")


def _indices(scope: str, fingerprint: str) -> None:
    op.create_index('points_by_series', 'points', ['model', 'metric', scope, 'start'])
    active = sa.text('active')
    op.create_index(
        'one_active_incident', 'incidents', [fingerprint], unique=True, sqlite_where=active, postgresql_where=active
    )


def upgrade() -> None:
    _forget()
    op.drop_index('points_by_series', 'points')
    op.drop_index('one_active_incident', 'incidents')
    for table, of in (('points', 'scope'), ('incidents', 'fingerprint')):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column(f'{of}_digest', sa.LargeBinary(), nullable=False))
    _indices('scope_digest', 'fingerprint_digest')


def downgrade() -> None:
    _forget()
    op.drop_index('points_by_series', 'points')
    op.drop_index('one_active_incident', 'incidents')
    for table, of in (('points', 'scope'), ('incidents', 'fingerprint')):
        op.drop_column(table, f'{of}_digest')
    _indices('scope', 'fingerprint')
