"""when declarations and references came into force, for what changed before an incident; what is kept is made anew"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'

# All of it is made anew from the log: the worker begins where a model has no row.
_REBUILT = (
    "verdicts", "points", "incident_events", "notices", "incidents", "rule_states", "windows", "streams", "signals",
    "rollups", "summaries", "folded", "halves", "refusals", "key_rows", "key_runs", "key_pages", "models",
)  # fmt: skip


def upgrade() -> None:
    for name in _REBUILT:
        op.execute(f"DELETE FROM {name}")
    with op.batch_alter_table('models') as changed:
        changed.add_column(sa.Column('seen', sa.JSON(), nullable=False))


def downgrade() -> None:
    op.drop_column('models', 'seen')
