"""The audit trail: who did what, when and from where, with what was before and after. Nothing in it is ever changed.

Each entry has the hash of the one before it, so that an entry that was changed, taken out or put in is seen by
``verify``. A trail whose end was cut off verifies: whoever wants to see that too notes the last hash somewhere else
and gives it as ``seen``.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Connection, Index, Integer, String, Table, insert, select

from monitor.log.tables import metadata

GENESIS = "0" * 64

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("who", JSON, nullable=False),
    Column("what", String(64), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("source", String(32), nullable=False),
    Column("prev_hash", String(64), nullable=False, unique=True),
    Column("hash", String(64), nullable=False),
    Index("audit_by_time", "at"),
    sqlite_autoincrement=True,
)
_CHUNK = 1_000
_SIGNED = ("at", "who", "what", "subject", "before", "after", "source")


@dataclass(frozen=True, slots=True)
class Entry:
    """``who``: ``id`` (a name) and ``kind``; ``at`` in microseconds since 1970; ``source``: the way it came in."""

    seq: int
    at: int
    who: dict[str, Any]
    what: str
    subject: str
    before: Any
    after: Any
    source: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who does something, and the way that it comes in: ``console``, ``api``, ``link``, ``machine``, ..."""

    who: Mapping[str, str]
    source: str


def at_the_machine() -> Author:
    """Who works on the database itself, with the command line: the user of the operating system."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):     # a container's user need not have a name
        user = "unknown"
    return Author({"id": user, "kind": "os_user"}, "machine")


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``verify`` found: how many entries hold, the hash of the last of them, and the first that does not."""

    entries: int
    head: str
    broken: int | None = None
    why: str = ""


def note(
    db: Connection, at: int, who: Mapping[str, Any], what: str, subject: str, before: Any, after: Any, source: str
) -> None:
    """Add an entry, within the ``writing`` of the log that does what it tells: both are there, or none."""
    last = db.execute(select(audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).scalar() or GENESIS
    row = {
        "at": at, "who": dict(who), "what": what, "subject": subject[:256], "before": before, "after": after,
        "source": source,
    }  # fmt: skip
    db.execute(insert(audit).values(**row, prev_hash=last, hash=chained(last, row)))


def chained(before: str, row: Mapping[str, Any]) -> str:
    """The hash of an entry: SHA-256 of the hash before it, a line feed, and its fields as canonical JSON.

    >>> row = dict(at=1, who={"id": "ana", "kind": "person"}, what="key.revoke", subject="3f9a", before=None,
    ...            after=None, source="console")
    >>> chained(GENESIS, row)[:16]
    '4161de443bfbdc5d'
    """
    signed = {name: row[name] for name in _SIGNED}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def page(
    db: Connection,
    begin: int | None = None,
    end: int | None = None,
    before: int | None = None,
    limit: int = 100,
    text: str = "",
) -> list[Entry]:
    """Entries, the latest first: from ``begin`` up to but not ``end``, of lower numbers than ``before``, and with
    ``text`` in what was done or to what."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if begin is not None:
        query = query.where(audit.c.at >= begin)
    if end is not None:
        query = query.where(audit.c.at < end)
    if before is not None:
        query = query.where(audit.c.seq < before)
    if text:
        query = query.where(audit.c.what.icontains(text, autoescape=True)
                            | audit.c.subject.icontains(text, autoescape=True))  # fmt: skip
    return [Entry(**row) for row in db.execute(query).mappings()]


def verify(db: Connection, seen: str | None = None) -> Checked:
    """Whether every entry is as it was written, in its place; and whether ``seen``, a hash that was noted earlier, is
    still among them."""
    head, n, found = GENESIS, 0, seen is None or seen == GENESIS
    for entry in _all(db):
        row = {name: getattr(entry, name) for name in _SIGNED}
        if entry.prev_hash != head:
            return Checked(n, head, entry.seq, "an entry before it was changed, taken out or put in")
        if chained(head, row) != entry.hash:
            return Checked(n, head, entry.seq, "it is not as it was written")
        head, n = entry.hash, n + 1
        found = found or entry.hash == seen
    if not found:
        return Checked(n, head, None, "the hash that was seen is not among them: entries at the end were cut off")
    return Checked(n, head)


def _all(db: Connection) -> Iterator[Entry]:
    after = 0
    while True:
        rows = db.execute(select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(_CHUNK)).mappings().all()
        yield from (Entry(**row) for row in rows)
        if len(rows) < _CHUNK:
            return
        after = rows[-1]["seq"]
