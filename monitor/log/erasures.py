"""Erasures: who asked that a person's rows be erased, when, why, and what went. Never whom: a keyed hash stands for it.

The key is made with the first erasure and lies beside the hashes. It keeps a list of them from being looked up in a
table of hashed names; who has the database, and a name to try, can still try it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    insert,
    select,
    update,
)

from detectors.scope import rfc3339
from monitor.log.audit import note
from monitor.log.tables import batches, metadata
from monitor.times import from_micros

Of = Literal["subject", "prediction"]

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", String(64), nullable=False),
    Column("of", String(12), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Column("reason", String, nullable=False),
    Column("done_at", BigInteger),
    Column("counts", JSON, nullable=False),
    Index("erasures_by_model", "model", "at"),
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a model's log held of someone or something up to the segment ``upto`` is erased. ``counts``: what went."""

    id: str
    model: str
    of: Of
    key: bytes
    hash: str
    upto: int
    at: int
    by: str
    reason: str
    done_at: int | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As it is shown: without the hash, which is of use to a restored copy alone."""
        done = None if self.done_at is None else rfc3339(from_micros(self.done_at))
        said = {"id": self.id, "model": self.model, "of": self.of, "at": rfc3339(from_micros(self.at)), "by": self.by}
        return said | {"reason": self.reason, "done_at": done, "rows": self.counts}


def hashed(key: bytes, of: Of, text: str) -> str:
    """What stands for a subject_key or a prediction_id.

    >>> hashed(b"k" * 32, "subject", "p-1") == hashed(b"k" * 32, "prediction", "p-1")
    False
    """
    return hashlib.blake2b(f"{of}\0{text}".encode(), key=key, digest_size=20).hexdigest()


def ask(db: Connection, model: str, of: Of, name: str, at: int, by: str, reason: str) -> Erasure:
    """Record that rows are to be erased, of what the log has now; within ``writing``."""
    key = db.execute(select(erasures.c.key).order_by(erasures.c.at).limit(1)).scalar() or secrets.token_bytes(32)
    new = Erasure(secrets.token_hex(12), model, of, key, hashed(key, of, name), _head(db, model), at, by, reason)
    db.execute(insert(erasures).values(asdict(new)))
    note(db, at, {"id": by}, "erasure.ask", model, None, {"id": new.id, "of": of, "reason": reason}, "erasures")
    return new


def ask_again(db: Connection, known: Erasure) -> None:
    """Record an erasure of another copy of this log, to be carried out here on what the log has now; within
    ``writing``. What went before stays counted."""
    head = _head(db, known.model)
    mine = erasures.c.id == known.id
    if db.execute(select(erasures.c.id).where(mine)).first() is None:
        db.execute(insert(erasures).values(asdict(known) | {"upto": head, "done_at": None, "counts": {}}))
    else:
        db.execute(update(erasures).where(mine).values(upto=head, done_at=None))


def pending(db: Connection, model: str) -> list[Erasure]:
    return _found(db, erasures.c.model == model, erasures.c.done_at.is_(None))


def of_model(db: Connection, model: str | None = None) -> list[Erasure]:
    """All erasures, oldest first; of one model, if named."""
    return _found(db, *([] if model is None else [erasures.c.model == model]))


def count(db: Connection, ids: Iterable[str], went: Counter[str]) -> None:
    """Add to what erasures have taken, within the transaction that takes it."""
    for id_ in ids:
        before = db.execute(select(erasures.c.counts).where(erasures.c.id == id_)).scalar_one()
        total = dict(Counter(before) + went)
        db.execute(update(erasures).where(erasures.c.id == id_).values(counts=total))


def finish(db: Connection, ids: Iterable[str], at: int) -> None:
    db.execute(update(erasures).where(erasures.c.id.in_(list(ids))).values(done_at=at))


def _head(db: Connection, model: str) -> int:
    query = select(batches.c.seq).where(batches.c.model == model).order_by(batches.c.seq.desc()).limit(1)
    return db.execute(query).scalar() or 0


def _found(db: Connection, *which: Any) -> list[Erasure]:
    query = select(erasures).where(*which).order_by(erasures.c.at, erasures.c.id)
    return [Erasure(**row) for row in db.execute(query).mappings()]
