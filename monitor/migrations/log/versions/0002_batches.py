"""batches stand apart from segments, which may hold several"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'

_KEPT = "seq, model, kind, received_at, rows, event_clock, declaration, payload"
_BATCH = "batch_id, model, kind, idempotency_key, received_at, rows, event_clock, envelope"


def upgrade() -> None:
    op.create_table('batches',
    sa.Column('batch_id', sa.String(length=64), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('part', sa.Integer(), nullable=False),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('idempotency_key', sa.String(length=128), nullable=True),
    sa.Column('received_at', sa.BigInteger(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('event_clock', sa.Boolean(), nullable=False),
    sa.Column('envelope', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('batch_id'),
    sa.UniqueConstraint('model', 'kind', 'idempotency_key')
    )
    op.create_index('batches_by_segment', 'batches', ['seq', 'part'])
    op.execute(f"INSERT INTO batches (seq, part, {_BATCH}) SELECT seq, 0, {_BATCH} FROM segments")
    op.drop_index('segments_by_model', 'segments')
    op.rename_table('segments', 'segments_before')
    op.create_table('segments',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('received_at', sa.BigInteger(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('event_clock', sa.Boolean(), nullable=False),
    sa.Column('sampling_rate', sa.Float(), nullable=False),
    sa.Column('declaration', sa.Integer(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sqlite_autoincrement=True
    )
    rate = "coalesce(json_extract(envelope, '$.sampling_rate'), 1.0)"
    op.execute(f"INSERT INTO segments ({_KEPT}, sampling_rate) SELECT {_KEPT}, {rate} FROM segments_before")
    op.drop_table('segments_before')
    op.create_index('segments_by_model', 'segments', ['model', 'seq'])


def downgrade() -> None:
    op.rename_table('segments', 'segments_after')
    op.drop_index('segments_by_model', 'segments_after')
    op.create_table('segments',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('batch_id', sa.String(length=64), nullable=False),
    sa.Column('idempotency_key', sa.String(length=128), nullable=True),
    sa.Column('received_at', sa.BigInteger(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('event_clock', sa.Boolean(), nullable=False),
    sa.Column('declaration', sa.Integer(), nullable=False),
    sa.Column('envelope', sa.JSON(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sa.UniqueConstraint('batch_id'),
    sa.UniqueConstraint('model', 'kind', 'idempotency_key'),
    sqlite_autoincrement=True
    )
    both = ", ".join(f"s.{name}" for name in _KEPT.split(", "))
    op.execute(
        f"INSERT INTO segments ({_KEPT}, batch_id, idempotency_key, envelope) "
        f"SELECT {both}, b.batch_id, b.idempotency_key, b.envelope "
        "FROM segments_after s JOIN batches b ON b.seq = s.seq AND b.part = 0"
    )
    op.drop_table('segments_after')
    op.create_index('segments_by_model', 'segments', ['model', 'seq'])
    op.drop_table('batches')
