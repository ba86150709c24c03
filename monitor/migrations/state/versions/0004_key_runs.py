"""sorted runs of keys in place of two growing trees, summaries and roll-ups by sampling rate; the rest follows"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'

# All of it follows from the log, and is made anew from there: the worker begins where a model has no row.
_REBUILT = (
    "verdicts", "points", "incident_events", "incidents", "rule_states", "windows", "streams", "signals", "rollups",
    "summaries", "folded", "halves", "refusals", "models",
)  # fmt: skip


def _key() -> tuple[sa.Column[int], sa.Column[str]]:
    return (
        sa.Column('model', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('kind', sa.String(length=12), nullable=False),
    )


def _summaries(*rate: sa.Column[float]) -> None:
    op.create_table('summaries',
    *_key(),
    sa.Column('bucket', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.String(length=128), nullable=False),
    sa.Column('role', sa.String(length=12), nullable=False),
    *rate,
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'kind', 'bucket', 'version', 'role', *[column.name for column in rate]),
    sqlite_with_rowid=False
    )


def _rollups(*rate: sa.Column[float]) -> None:
    op.create_table('rollups',
    *_key(),
    sa.Column('length', sa.BigInteger(), nullable=False),
    sa.Column('start', sa.BigInteger(), nullable=False),
    *rate,
    sa.Column('n', sa.BigInteger(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('model', 'kind', 'length', 'start', *[column.name for column in rate]),
    sqlite_with_rowid=False
    )


def _rate() -> sa.Column[float]:
    return sa.Column('rate', sa.Float(), nullable=False)


def _forget() -> None:
    for name in _REBUILT:
        op.execute(f"DELETE FROM {name}")
    op.drop_table('summaries')
    op.drop_table('rollups')


def upgrade() -> None:
    _forget()
    op.drop_table('entries')
    op.drop_table('outcomes')
    _summaries(_rate())
    _rollups(_rate())
    op.create_table('key_rows',
    *_key(),
    sa.Column('start', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'kind', 'start')
    )
    op.create_table('key_runs',
    *_key(),
    sa.Column('base', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('filter', sa.LargeBinary(), nullable=False),
    sa.Column('firsts', sa.LargeBinary(), nullable=False),
    sa.Column('sizes', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'kind', 'base')
    )
    op.create_table('key_pages',
    *_key(),
    sa.Column('base', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('page', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'kind', 'base', 'page')
    )


def downgrade() -> None:
    _forget()
    for name in ('key_pages', 'key_runs', 'key_rows'):
        op.drop_table(name)
    _summaries()
    _rollups()
    op.create_table('entries',
    sa.Column('model', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('prediction_id', sa.String(length=128), nullable=False),
    sa.Column('version', sa.String(length=128), nullable=False),
    sa.Column('digest', sa.BigInteger(), nullable=False),
    sa.Column('bucket', sa.BigInteger(), nullable=False),
    sa.Column('role', sa.String(length=12), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('model', 'prediction_id', 'version'),
    sqlite_with_rowid=False
    )
    op.create_table('outcomes',
    sa.Column('model', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('prediction_id', sa.String(length=128), nullable=False),
    sa.Column('timestamp', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.BigInteger(), nullable=False),
    sa.Column('label', sa.Integer(), nullable=True),
    sa.Column('value', sa.Float(), nullable=True),
    sa.Column('relevance', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('model', 'prediction_id'),
    sqlite_with_rowid=False
    )
