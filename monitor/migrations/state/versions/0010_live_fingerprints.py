"""one live incident a fingerprint in a table of its own, and what lists show as columns; what is kept is made anew"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'

# All of it is made anew from the log: the worker begins where a model has no row.
_REBUILT = (
    "verdicts", "points", "incident_events", "notices", "incidents", "rule_states", "windows", "streams", "signals",
    "rollups", "summaries", "folded", "halves", "refusals", "key_rows", "key_runs", "key_pages", "models",
)  # fmt: skip

_NEEDED = (
    ('rank', sa.Integer()), ('title', sa.String()), ('clock', sa.String(length=8)), ('started_at', sa.BigInteger()),
    ('updated_at', sa.BigInteger()),
)  # fmt: skip
_OPTIONAL = (
    ('resolved_at', sa.BigInteger()), ('assignee', sa.String()), ('disposition', sa.String(length=16)),
    ('merged_into', sa.String(length=64)),
)  # fmt: skip


def _forget() -> None:
    for name in _REBUILT:
        op.execute(f"DELETE FROM {name}")


def upgrade() -> None:
    _forget()
    op.drop_index('one_active_incident', 'incidents')
    with op.batch_alter_table('incidents') as changed:
        for name, kind in _NEEDED:
            changed.add_column(sa.Column(name, kind, nullable=False))
        for name, kind in _OPTIONAL:
            changed.add_column(sa.Column(name, kind))
    op.create_index('incidents_in_order', 'incidents', ['active', 'opened_at', 'id'])
    op.create_index('incidents_by_urgency', 'incidents', ['active', 'rank', 'opened_at', 'id'])
    op.create_index('incidents_by_fingerprint', 'incidents', ['fingerprint_digest', 'opened_at'])
    op.create_table('live_fingerprints',
    sa.Column('fingerprint_digest', sa.LargeBinary(), nullable=False),
    sa.Column('fingerprint', sa.String(), nullable=False),
    sa.Column('incident', sa.String(length=64), nullable=False),
    sa.Column('model', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('fingerprint_digest')
    )
    op.create_index('live_fingerprints_by_model', 'live_fingerprints', ['model', 'incident'])


def downgrade() -> None:
    _forget()
    op.drop_table('live_fingerprints')
    for name in ('incidents_in_order', 'incidents_by_urgency', 'incidents_by_fingerprint'):
        op.drop_index(name, 'incidents')
    with op.batch_alter_table('incidents') as changed:
        for name, _ in (*_NEEDED, *_OPTIONAL):
            changed.drop_column(name)
    active = sa.text('active')
    op.create_index(
        'one_active_incident', 'incidents', ['fingerprint_digest'], unique=True, sqlite_where=active,
        postgresql_where=active,
    )  # fmt: skip
