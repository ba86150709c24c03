"""what the worker last said of itself; nothing else changes, so the state is kept"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.create_table('heartbeats',
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('worker', sa.String(length=32), nullable=False),
    sa.Column('started_at', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('last_round', sa.BigInteger(), nullable=True),
    sa.Column('folds', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('number')
    )


def downgrade() -> None:
    op.drop_table('heartbeats')
