"""batches stand apart from segments, which may hold several; on PostgreSQL segments come in parts by day of arrival"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from monitor.database import add_days

revision = '0002'
down_revision = '0001'

_KEPT = "seq, model, kind, received_at, rows, event_clock, declaration, payload"
_BATCH = "batch_id, model, kind, idempotency_key, received_at, rows, event_clock, envelope"
_PROTECTED = "seq, model, received_at, payload"


def _seq(autoincrement: bool) -> sa.Column[int]:
    return sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=autoincrement, nullable=False)


def _by_day() -> dict[str, Any]:
    """How PostgreSQL parts a table; its key must then have the day's column. SQLite takes no notice."""
    return {"postgresql_partition_by": "RANGE (received_at)"}


def _rename_what_is_of(table: str, now: str) -> None:
    """On PostgreSQL keys keep their names when their table is renamed, and no other may have them."""
    query = "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:now) AND contype IN ('p', 'u')"
    for name in op.get_bind().execute(sa.text(query), {"now": now}).scalars().all():
        op.execute(f'ALTER TABLE {now} RENAME CONSTRAINT "{name}" TO "{name.replace(table, now)}"')


def _make_days() -> None:
    both = "SELECT received_at FROM segments_before UNION SELECT received_at FROM protected_before"
    days = op.get_bind().execute(sa.text(f"SELECT DISTINCT received_at / 86400000000 FROM ({both}) a")).scalars().all()
    add_days(op.get_bind(), [sa.table('segments'), sa.table('protected_segments')], days)


def _go_on_counting(before: str, now: str) -> None:
    """The next number is the one that it would have been: none is ever given twice, whatever was deleted."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(f"SELECT setval('{now}_seq_seq', nextval('{before}_seq_seq'), false)")
    else:
        op.execute(f"DELETE FROM sqlite_sequence WHERE name = '{now}'")
        op.execute(f"INSERT INTO sqlite_sequence SELECT '{now}', seq FROM sqlite_sequence WHERE name = '{before}'")


def upgrade() -> None:
    in_parts = op.get_bind().dialect.name == 'postgresql'
    key = ['seq', 'received_at'] if in_parts else ['seq']
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
    op.create_index('batches_by_model', 'batches', ['model', 'seq', 'part'])
    op.execute(f"INSERT INTO batches (seq, part, {_BATCH}) SELECT seq, 0, {_BATCH} FROM segments")
    op.drop_index('segments_by_model', 'segments')
    op.rename_table('segments', 'segments_before')
    if in_parts:
        _rename_what_is_of('segments', 'segments_before')
        op.execute("ALTER SEQUENCE segments_seq_seq RENAME TO segments_before_seq_seq")
        op.rename_table('protected_segments', 'protected_before')
        _rename_what_is_of('protected_segments', 'protected_before')
        op.create_table('protected_segments',
        _seq(False),
        sa.Column('model', sa.String(length=64), nullable=False),
        sa.Column('received_at', sa.BigInteger(), nullable=False),
        sa.Column('payload', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*key),
        **_by_day()
        )
    op.create_table('segments',
    _seq(True),
    sa.Column('model', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('received_at', sa.BigInteger(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('event_clock', sa.Boolean(), nullable=False),
    sa.Column('sampling_rate', sa.Float(), nullable=False),
    sa.Column('declaration', sa.Integer(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint(*key),
    sqlite_autoincrement=True,
    **_by_day()
    )
    rate = "json_extract(envelope, '$.sampling_rate')"
    if in_parts:
        rate = "(envelope->>'sampling_rate')::float8"
        _make_days()
    into = f"{_KEPT}, sampling_rate"
    op.execute(f"INSERT INTO segments ({into}) SELECT {_KEPT}, coalesce({rate}, 1.0) FROM segments_before")
    if in_parts:
        op.execute(f"INSERT INTO protected_segments ({_PROTECTED}) SELECT {_PROTECTED} FROM protected_before")
        op.drop_table('protected_before')
    _go_on_counting('segments_before', 'segments')
    op.drop_table('segments_before')
    op.create_index('segments_by_model', 'segments', ['model', 'seq'])


def downgrade() -> None:
    in_parts = op.get_bind().dialect.name == 'postgresql'
    op.drop_index('segments_by_model', 'segments')
    op.rename_table('segments', 'segments_after')
    if in_parts:
        _rename_what_is_of('segments', 'segments_after')
        op.execute("ALTER SEQUENCE segments_seq_seq RENAME TO segments_after_seq_seq")
        op.rename_table('protected_segments', 'protected_after')
        _rename_what_is_of('protected_segments', 'protected_after')
        op.create_table('protected_segments',
        _seq(False),
        sa.Column('model', sa.String(length=64), nullable=False),
        sa.Column('received_at', sa.BigInteger(), nullable=False),
        sa.Column('payload', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('seq')
        )
        op.execute(f"INSERT INTO protected_segments ({_PROTECTED}) SELECT {_PROTECTED} FROM protected_after")
        op.drop_table('protected_after')
    op.create_table('segments',
    _seq(True),
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
    _go_on_counting('segments_after', 'segments')
    op.drop_table('segments_after')
    op.create_index('segments_by_model', 'segments', ['model', 'seq'])
    op.drop_table('batches')
