"""The tables of the log. Nothing here is ever changed but by retention and erasure."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from monitor.database.shape import PACKED

metadata = MetaData()

_SEQ = BigInteger().with_variant(Integer, "sqlite")     # SQLite numbers rows by itself for INTEGER alone

segments = Table(
    "segments",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("event_clock", Boolean, nullable=False),
    Column("sampling_rate", Float, nullable=False),
    Column("declaration", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False, info=PACKED),
    Index("segments_by_model", "model", "seq"),
    sqlite_autoincrement=True,
)

# The requests whose rows a segment holds, in their order; ``part`` numbers them. ``rows`` are there, and ``erased``
# were taken out later (null for none).
batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("part", Integer, nullable=False),
    Column("model", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("idempotency_key", String(128)),
    Column("received_at", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("event_clock", Boolean, nullable=False),
    Column("envelope", JSON, nullable=False),
    Column("erased", Integer),
    UniqueConstraint("model", "kind", "idempotency_key"),
    Index("batches_by_model", "model", "seq", "part"),
)

# Special-category data stand apart: their own table, scope and retention.
protected_segments = Table(
    "protected_segments",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=False),
    Column("model", String(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False, info=PACKED),
    Index("protected_by_model", "model", "seq"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("id", _SEQ, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False),
    Column("batch_id", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("row", Integer, nullable=False),
    Column("field", String, nullable=False),
    Column("reason", String, nullable=False),
    Index("rejects_by_model", "model", "id"),
    Index("rejects_by_batch", "batch_id"),
)

commands = Table(
    "commands",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("after_tick", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", JSON, nullable=False),
    Column("incident", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    Index("commands_by_model", "model", "seq"),
    sqlite_autoincrement=True,
)

ticks = Table(
    "ticks",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("model", String(64), nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ticks_by_model", "model", "seq"),
    sqlite_autoincrement=True,
)

declarations = Table(
    "declarations",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Column("body", JSON, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("prefix", String(16), primary_key=True),
    Column("hash", String(128), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("models", JSON),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

# What was handed to management: the first export of a period and revision is served again byte for byte.
exports = Table(
    "exports",
    metadata,
    Column("period", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("format", String(8), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("figures_hash", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
