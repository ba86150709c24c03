"""The registers of people: their accounts, the sessions of browsers, and the secrets that Vigil signs with.

They change, as the rows of the lanes never do: each change of an account stands in the audit trail.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    insert,
    select,
)

from monitor.log.tables import metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("email", String(254), unique=True),
    Column("role", String(16), nullable=False),
    Column("models", JSON(none_as_null=True)),
    Column("sensitive", Boolean, nullable=False),
    Column("password_hash", String(256)),
    Column("issuer", String(512)),
    Column("subject", String(256)),
    Column("pagerduty_id", String(64), unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    UniqueConstraint("issuer", "subject"),
)

# A session is of an account or of a key, and known by the hash of its token, which is nowhere kept.
sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("account", String(32)),
    Column("key_prefix", String(16)),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("sessions_by_account", "account"),
    Index("sessions_by_expiry", "expires_at"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A person. ``models`` ``None``: all of them. ``issuer`` and ``subject``: who vouches for the person, and as whom;
    ``password``: whether there is one. Instants are microseconds since 1970."""

    id: str
    name: str
    email: str | None
    role: str
    models: frozenset[str] | None
    sensitive: bool
    password: bool
    issuer: str | None
    subject: str | None
    pagerduty_id: str | None
    created_at: int
    disabled_at: int | None

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Account:
        """From a row of ``accounts``."""
        kept = {k: v for k, v in row.items() if k not in ("password_hash", "models")}
        models = None if row["models"] is None else frozenset(row["models"])
        return cls(**kept, models=models, password=row["password_hash"] is not None)

    @property
    def rights(self) -> dict[str, Any]:
        """What an administrator decides about it, as the audit trail keeps it."""
        models = None if self.models is None else sorted(self.models)
        return {
            "role": self.role, "models": models, "sensitive": self.sensitive, "email": self.email,
            "pagerduty_id": self.pagerduty_id, "disabled": self.disabled_at is not None,
        }  # fmt: skip


def canonical(name: str) -> str:
    """A name as accounts have it: a telephone's keyboard begins words with capitals.

    >>> canonical(" Ana ")
    'ana'
    """
    return name.strip().lower()


def find_account(db: Connection, *where: ColumnElement[bool]) -> Account | None:
    row = db.execute(select(accounts).where(*where)).mappings().first()
    return None if row is None else Account.of(row)


def load_secret(db: Connection, name: str) -> bytes | None:
    found: bytes | None = db.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar()
    return found


def make_secret(db: Connection, name: str) -> bytes:
    """The secret of a name, made of 256 random bits where there is none yet; within ``writing``."""
    found = load_secret(db, name)
    if found is None:
        found = random.token_bytes(32)
        db.execute(insert(secrets).values(name=name, value=found))
    return found
