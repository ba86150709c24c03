"""what became of a batch is told by its own name"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'


def _free_name(now: str) -> None:
    """On PostgreSQL a key keeps its name when its table is renamed, and no other may have it."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(f"ALTER INDEX folded_pkey RENAME TO {now}_pkey")


def upgrade() -> None:
    op.rename_table('folded', 'folded_before')
    _free_name('folded_before')
    op.create_table('folded',
    sa.Column('batch_id', sa.String(length=64), nullable=False),
    sa.Column('model', sa.Integer(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('counts', sa.JSON(), nullable=False),
    sa.Column('conflicts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('batch_id')
    )
    columns = "batch_id, model, seq, counts, conflicts"
    op.execute(f"INSERT INTO folded ({columns}) SELECT {columns} FROM folded_before")
    op.drop_table('folded_before')
    op.create_index('folded_by_model', 'folded', ['model', 'seq'])


def downgrade() -> None:
    op.drop_index('folded_by_model', 'folded')
    op.rename_table('folded', 'folded_after')
    _free_name('folded_after')
    op.create_table('folded',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('model', sa.Integer(), nullable=False),
    sa.Column('batch_id', sa.String(length=64), nullable=False),
    sa.Column('counts', sa.JSON(), nullable=False),
    sa.Column('conflicts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sa.UniqueConstraint('batch_id')
    )
    columns = "batch_id, model, seq, counts, conflicts"
    op.execute(f"INSERT INTO folded ({columns}) SELECT {columns} FROM folded_after")
    op.drop_table('folded_after')
