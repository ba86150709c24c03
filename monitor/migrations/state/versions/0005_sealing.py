"""what is kept and summed names the segments that it is of, so that it can be sealed and cut; all follows from the log"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'

# All of it is made anew from the log: the worker begins where a model has no row.
_REBUILT = (
    "verdicts", "points", "incident_events", "incidents", "rule_states", "windows", "streams", "signals", "rollups",
    "summaries", "folded", "halves", "refusals", "key_rows", "key_runs", "key_pages", "models",
)  # fmt: skip


def _forget() -> None:
    for name in _REBUILT:
        op.execute(f"DELETE FROM {name}")


def upgrade() -> None:
    _forget()
    with op.batch_alter_table('key_rows') as table:
        table.add_column(sa.Column('seq', sa.BigInteger(), nullable=False))
    op.create_index('key_rows_by_seq', 'key_rows', ['model', 'kind', 'seq'])
    op.drop_table('summaries')
    op.create_table('summaries',
    sa.Column('model', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('bucket', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.String(length=128), nullable=False),
    sa.Column('role', sa.String(length=12), nullable=False),
    sa.Column('rate', sa.Float(), nullable=False),
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'kind', 'bucket', 'version', 'role', 'rate'),
    sqlite_with_rowid=False
    )
    op.create_index('summaries_by_seq', 'summaries', ['model', 'seq'])
    op.add_column('folded', sa.Column('skipped', sa.LargeBinary(), nullable=True))
    with op.batch_alter_table('models') as table:
        for name in ('measured_from', 'blind_upto', 'joins_at'):
            table.add_column(sa.Column(name, sa.BigInteger(), nullable=False))


def downgrade() -> None:
    _forget()
    op.drop_index('summaries_by_seq', 'summaries')
    op.drop_index('key_rows_by_seq', 'key_rows')
    for table, columns in (
        ('models', ('measured_from', 'blind_upto', 'joins_at')), ('folded', ('skipped',)), ('summaries', ('seq',)),
        ('key_rows', ('seq',)),
    ):  # fmt: skip
        for name in columns:
            op.drop_column(table, name)
