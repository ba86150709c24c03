"""notices of incidents' transitions, until they are taken over into the log; what is kept is made anew"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'

# All of it is made anew from the log: the worker begins where a model has no row.
_REBUILT = (
    "verdicts", "points", "incident_events", "incidents", "rule_states", "windows", "streams", "signals", "rollups",
    "summaries", "folded", "halves", "refusals", "key_rows", "key_runs", "key_pages", "models",
)  # fmt: skip


def upgrade() -> None:
    for name in _REBUILT:
        op.execute(f"DELETE FROM {name}")
    op.create_table('notices',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('model', sa.Integer(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('incident', sa.String(length=64), nullable=False),
    sa.Column('lane', sa.String(length=8), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('notices_in_order', 'notices', ['model', 'number'])
    op.create_index('notices_by_incident', 'notices', ['incident', 'lane', 'seq'])


def downgrade() -> None:
    op.drop_table('notices')
