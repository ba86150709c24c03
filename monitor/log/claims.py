"""Who keeps a model's house: one process at a time, for a minute at a time, so that no two seals of a model mix."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, select

from monitor.database import upsert
from monitor.log.tables import metadata

LASTS = 60_000_000      # microseconds; who is killed keeps others out no longer

claims = Table(
    "claims",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
)


def claim(db: Connection, model: str, holder: str, now: int) -> bool:
    """Take a model's claim, or hold it for longer; whether it is the holder's. Within ``writing``."""
    found = db.execute(select(claims.c.holder, claims.c.until).where(claims.c.model == model)).first()
    if found is not None and found.holder != holder and found.until > now:
        return False
    db.execute(upsert(claims, ["holder", "until"]), {"model": model, "holder": holder, "until": now + LASTS})
    return True


def release(db: Connection, model: str, holder: str) -> None:
    db.execute(delete(claims).where(claims.c.model == model, claims.c.holder == holder))
