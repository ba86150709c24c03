"""seals of the state, how far retention has cut, and erasures"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.add_column('batches', sa.Column('erased', sa.Integer(), nullable=True))
    op.create_index('protected_by_model', 'protected_segments', ['model', 'seq'])
    op.create_table('seals',
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('reference_seq', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('bases', sa.JSON(), nullable=False),
    sa.Column('marks', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('model')
    )
    op.create_table('sealed',
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=24), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'name', 'key', 'number')
    )
    op.create_table('claims',
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('holder', sa.String(length=64), nullable=False),
    sa.Column('until', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('model')
    )
    op.create_table('cuts',
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('rows_upto', sa.BigInteger(), nullable=False),
    sa.Column('blind_upto', sa.BigInteger(), nullable=False),
    sa.Column('summaries_upto', sa.BigInteger(), nullable=False),
    sa.Column('rejects_before', sa.BigInteger(), nullable=False),
    sa.Column('cut_to', sa.BigInteger(), nullable=False),
    sa.Column('measured_from', sa.BigInteger(), nullable=False),
    sa.Column('counts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('model')
    )
    op.create_table('erasures',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('of', sa.String(length=12), nullable=False),
    sa.Column('key', sa.LargeBinary(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('upto', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('by', sa.String(length=128), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('done_at', sa.BigInteger(), nullable=True),
    sa.Column('counts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('erasures_by_model', 'erasures', ['model', 'at'])


def downgrade() -> None:
    op.drop_table('erasures')
    op.drop_table('cuts')
    op.drop_table('claims')
    op.drop_table('sealed')
    op.drop_table('seals')
    op.drop_index('protected_by_model', 'protected_segments')
    op.drop_column('batches', 'erased')
