"""accounts of people, sessions, secrets to sign with, and the audit trail"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    op.create_table('accounts',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=True),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('models', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('sensitive', sa.Boolean(), nullable=False),
    sa.Column('password_hash', sa.String(length=256), nullable=True),
    sa.Column('issuer', sa.String(length=512), nullable=True),
    sa.Column('subject', sa.String(length=256), nullable=True),
    sa.Column('pagerduty_id', sa.String(length=64), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('disabled_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('name'),
    sa.UniqueConstraint('email'),
    sa.UniqueConstraint('pagerduty_id'),
    sa.UniqueConstraint('issuer', 'subject')
    )
    op.create_table('sessions',
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('account', sa.String(length=32), nullable=True),
    sa.Column('key_prefix', sa.String(length=16), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('seen_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('hash')
    )
    op.create_index('sessions_by_account', 'sessions', ['account'])
    op.create_index('sessions_by_expiry', 'sessions', ['expires_at'])
    op.create_table('secrets',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('value', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('audit',
    sa.Column('seq', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('who', sa.JSON(), nullable=False),
    sa.Column('what', sa.String(length=64), nullable=False),
    sa.Column('subject', sa.String(length=256), nullable=False),
    sa.Column('before', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('after', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('source', sa.String(length=32), nullable=False),
    sa.Column('prev_hash', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sa.UniqueConstraint('prev_hash'),
    sqlite_autoincrement=True
    )
    op.create_index('audit_by_time', 'audit', ['at'])


def downgrade() -> None:
    op.drop_table('audit')
    op.drop_table('secrets')
    op.drop_table('sessions')
    op.drop_table('accounts')
