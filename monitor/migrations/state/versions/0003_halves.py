"""halves of exchanges that wait, and rows that the fold refused"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.create_table('halves',
    sa.Column('model', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('event_id', sa.String(length=128), nullable=False),
    sa.Column('node', sa.String(length=128), nullable=False),
    sa.Column('side', sa.String(length=8), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('model', 'event_id', 'node'),
    sqlite_with_rowid=False
    )
    op.create_index('halves_by_age', 'halves', ['model', 'at'])
    op.create_table('refusals',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('model', sa.Integer(), nullable=False),
    sa.Column('batch_id', sa.String(length=64), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('row', sa.Integer(), nullable=False),
    sa.Column('field', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('refusals_by_model', 'refusals', ['model', 'id'])
    op.create_index('refusals_by_batch', 'refusals', ['batch_id'])


def downgrade() -> None:
    op.drop_table('refusals')
    op.drop_table('halves')
