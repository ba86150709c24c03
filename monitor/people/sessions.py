"""Sessions of browsers: who signed in, until when. Only the hash of a session's token is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from monitor.log.people import Account, sessions

MOST = 20               # sessions of one account or key; the oldest end when more begin
_SEEN_EVERY = 5 * 60 * 1_000_000        # how often "last seen" is written, in microseconds


def hashed(token: str) -> str:
    """What the table knows a token by. 256 random bits need no slow hash: there is nothing to guess."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def begin(db: Connection, at: int, until: int, *, account: str | None = None, key: str | None = None) -> str:
    """A new session's token, of an account or of a key; within ``writing``. Those that have expired go."""
    db.execute(delete(sessions).where(sessions.c.expires_at <= at))
    mine = sessions.c.account == account if account is not None else sessions.c.key_prefix == key
    others = select(sessions.c.hash).where(mine).order_by(sessions.c.created_at.desc(), sessions.c.hash)
    too_many = db.execute(others.offset(MOST - 1)).scalars().all()
    if too_many:
        db.execute(delete(sessions).where(sessions.c.hash.in_(too_many)))
    token = secrets.token_urlsafe(32)
    row = {"account": account, "key_prefix": key, "created_at": at, "seen_at": at, "expires_at": until}
    db.execute(insert(sessions).values(hash=hashed(token), **row))
    return token


def find(db: Connection, token: str, at: int) -> Mapping[Any, Any] | None:
    """The row of a session that has not expired."""
    query = select(sessions).where(sessions.c.hash == hashed(token), sessions.c.expires_at > at)
    return db.execute(query).mappings().first()


def is_stale(row: Mapping[Any, Any], at: int) -> bool:
    """Whether it is time to write that it was seen."""
    return bool(row["seen_at"] + _SEEN_EVERY < at)


def seen(db: Connection, row: Mapping[Any, Any], at: int) -> None:
    db.execute(update(sessions).where(sessions.c.hash == row["hash"]).values(seen_at=at))


def end(db: Connection, token: str) -> None:
    db.execute(delete(sessions).where(sessions.c.hash == hashed(token)))


def end_all(db: Connection, account: Account) -> None:
    """Sign a person out everywhere."""
    db.execute(delete(sessions).where(sessions.c.account == account.id))


def last_seen(db: Connection) -> dict[str, int]:
    """When each account was last seen, of those that are signed in."""
    found: dict[str, int] = {}
    for account, at in db.execute(select(sessions.c.account, sessions.c.seen_at)):
        if account is not None:
            found[account] = max(at, found.get(account, 0))
    return found
