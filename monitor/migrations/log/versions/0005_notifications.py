"""what was told to whom: queue, attempts, the fence behind which nothing is told again; silences"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'

# What is there when a deployment is brought up to here has been lived through: nobody is told of it.
_FENCE = """
    INSERT INTO relayed (model, segment_seq, command_seq, tick_seq)
    SELECT DISTINCT d.model,
        COALESCE((SELECT MAX(seq) FROM segments s WHERE s.model = d.model), 0),
        COALESCE((SELECT MAX(seq) FROM commands c WHERE c.model = d.model), 0),
        COALESCE((SELECT MAX(seq) FROM ticks t WHERE t.model = d.model), 0)
    FROM declarations d
"""


def upgrade() -> None:
    op.create_table('relayed',
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('segment_seq', sa.BigInteger(), nullable=False),
    sa.Column('command_seq', sa.BigInteger(), nullable=False),
    sa.Column('tick_seq', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('model')
    )
    op.create_table('notifications',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('notice', sa.String(length=32), nullable=False),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('incident', sa.String(length=64), nullable=False),
    sa.Column('channel', sa.String(length=64), nullable=False),
    sa.Column('receiver', sa.String(length=160), nullable=False),
    sa.Column('kind', sa.String(length=24), nullable=False),
    sa.Column('episode', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('next_at', sa.BigInteger(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('tried_at', sa.BigInteger(), nullable=True),
    sa.Column('held', sa.Boolean(), nullable=False),
    sa.Column('holder', sa.String(length=64), nullable=True),
    sa.Column('lease_until', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('notifications_due', 'notifications', ['state', 'next_at'])
    op.create_index('notifications_in_order', 'notifications', ['incident', 'channel', 'number'])
    op.create_index('notifications_numbered', 'notifications', ['number'], unique=True)
    op.create_table('deliveries',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('notification', sa.String(length=32), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('outcome', sa.String(length=12), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('detail', sa.String(length=300), nullable=False),
    sa.Column('until', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('seq'),
    sqlite_autoincrement=True
    )
    op.create_index('deliveries_by_notification', 'deliveries', ['notification', 'seq'])
    op.create_table('rounds',
    sa.Column('part', sa.String(length=16), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('part')
    )
    op.create_table('silences',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('model', sa.String(length=64), nullable=True),
    sa.Column('matchers', sa.JSON(), nullable=False),
    sa.Column('starts_at', sa.BigInteger(), nullable=False),
    sa.Column('ends_at', sa.BigInteger(), nullable=False),
    sa.Column('by', sa.String(length=128), nullable=False),
    sa.Column('why', sa.String(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('approved_by', sa.String(length=128), nullable=True),
    sa.Column('approved_at', sa.BigInteger(), nullable=True),
    sa.Column('planned', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('silences_by_end', 'silences', ['ends_at'])
    op.execute(_FENCE)


def downgrade() -> None:
    for table in ('silences', 'rounds', 'deliveries', 'notifications', 'relayed'):
        op.drop_table(table)
