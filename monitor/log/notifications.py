"""What was told to whom: the queue of notifications, every attempt, and the fence behind which nothing is told again.

It cannot be derived from the lanes, and so it lies in the log. The queue changes, and each change is in ``deliveries``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_ignore

from incidents.delivery import Told
from incidents.notices import Notice, NoticeKind
from incidents.routing import Planned
from monitor.database import among, upsert
from monitor.database.shape import PACKED
from monitor.log.tables import metadata
from monitor.times import from_micros, to_micros

_SEQ = BigInteger().with_variant(Integer, "sqlite")

# How far each lane of a model is taken over: no entry up to there is told again, whatever a rebuild makes of it.
relayed = Table(
    "relayed",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("segment_seq", BigInteger, nullable=False),
    Column("command_seq", BigInteger, nullable=False),
    Column("tick_seq", BigInteger, nullable=False),
)

# One row a notice, channel and step. ``number`` gives their order; ``receiver`` is what channels share that go to one
# place; ``payload`` the bytes of the first attempt, which every later one repeats; ``tried_at`` when that was.
notifications = Table(
    "notifications",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("notice", String(32), nullable=False),
    Column("model", String(64), nullable=False),
    Column("incident", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("receiver", String(160), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("payload", LargeBinary, info=PACKED),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", BigInteger),
    Column("held", Boolean, nullable=False),
    Column("holder", String(64)),
    Column("lease_until", BigInteger),
    Index("notifications_due", "state", "next_at"),
    Index("notifications_in_order", "incident", "channel", "number"),
    Index("notifications_numbered", "number", unique=True),
)

# Append-only: what became of each attempt. Never an address, a secret, or what a receiver said but for its status.
deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("notification", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("status", Integer),
    Column("detail", String(300), nullable=False),
    Column("until", BigInteger),
    Index("deliveries_by_notification", "notification", "seq"),
    sqlite_autoincrement=True,
)

# When the parts that tell last went round without a fault, for whoever asks from another process.
rounds = Table(
    "rounds",
    metadata,
    Column("part", String(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

WAITING, DELIVERED, DROPPED, DEAD = "waiting", "delivered", "dropped", "dead"


class Fence(NamedTuple):
    """Up to which entry each lane of a model was taken over."""

    segment: int = 0
    command: int = 0
    tick: int = 0

    def behind(self, lane: str, seq: int) -> bool:
        return seq <= int(getattr(self, lane))

    def moved(self, to: Fence) -> Fence:
        """Never back: a state that lost its last commits stands further back than what was told."""
        return Fence(*map(max, self, to))


@dataclass(frozen=True, slots=True)
class Queued:
    """A row of the queue. Instants are microseconds since 1970, UTC."""

    id: str
    number: int
    model: str
    channel: str
    receiver: str
    notice: Notice
    step: int
    due_at: int
    next_at: int
    attempts: int
    tried_at: int | None
    held: bool
    payload: bytes | None

    @property
    def planned(self) -> Planned:
        return Planned(self.id, self.notice, self.channel, self.step, from_micros(self.due_at))


def fences(db: Connection) -> dict[str, Fence]:
    query = select(relayed.c.model, relayed.c.segment_seq, relayed.c.command_seq, relayed.c.tick_seq)
    return {row[0]: Fence(*row[1:]) for row in db.execute(query)}


def move(db: Connection, moved: Mapping[str, Fence]) -> None:
    """Set fences. Within ``writing``, by whoever read them in the same transaction."""
    rows = [
        {"model": model, "segment_seq": f.segment, "command_seq": f.command, "tick_seq": f.tick}
        for model, f in moved.items()
    ]
    if rows:
        db.execute(upsert(relayed, ["segment_seq", "command_seq", "tick_seq"]), rows)


def enqueue(db: Connection, planned: Sequence[tuple[Planned, str]], now: int) -> int:
    """Queue what is not there yet, each with its receiver; how many were new. Within ``writing``."""
    if not planned:
        return 0
    ids = [p.id for p, _ in planned]
    there = set(db.execute(select(notifications.c.id).where(among(notifications.c.id, ids))).scalars())
    number = db.execute(select(func.coalesce(func.max(notifications.c.number), 0))).scalar_one()
    new = [(p, receiver) for p, receiver in planned if p.id not in there]
    rows = [_row(p, receiver, number + 1 + i, now) for i, (p, receiver) in enumerate(new)]
    if rows:
        db.execute(insert_or_ignore(notifications).on_conflict_do_nothing(), rows)
    return len(rows)


def note(
    db: Connection, id: str, attempt: int, at: int, outcome: str, status: int | None = None, detail: str = "",
    until: int | None = None,
) -> None:
    """Append to the delivery log."""  # fmt: skip
    row = {"notification": id, "attempt": attempt, "at": at, "outcome": outcome, "status": status}
    db.execute(insert(deliveries).values(**row, detail=detail[:300], until=until))


def told(db: Connection, incidents: Sequence[str]) -> dict[tuple[str, str], list[Told]]:
    """What each (incident, channel) was told, reminders and tests left out, in order."""
    c = notifications.c
    query = select(c.incident, c.channel, c.episode, c.kind, c.attempts, c.state).where(among(c.incident, incidents))
    found: dict[tuple[str, str], list[Told]] = {}
    for row in db.execute(query.order_by(c.number)):
        one = Told(row.episode, NoticeKind(row.kind), row.attempts, row.state == DELIVERED)
        found.setdefault((row.incident, row.channel), []).append(one)
    return found


def of_incident(db: Connection, incident: str, limit: int = 500) -> list[dict[str, Any]]:
    """What was sent about an incident, oldest first: notification, channel, what it said, each attempt's end."""
    n, d = notifications.c, deliveries.c
    query = (
        select(n.id, n.channel, n.kind, n.step, n.state, n.due_at, d.attempt, d.at, d.outcome, d.status, d.detail)
        .outerjoin(deliveries, d.notification == n.id)
        .where(n.incident == incident)
        .order_by(n.number, d.seq)
        .limit(limit)
    )
    return [dict(row) for row in db.execute(query).mappings()]


def newest(db: Connection, state: str | None, limit: int) -> list[dict[str, Any]]:
    """The queue for people, the latest first, without what is sent."""
    c = notifications.c
    query = select(
        c.id, c.model, c.incident, c.channel, c.kind, c.step, c.state, c.due_at, c.next_at, c.attempts, c.held
    ).order_by(c.number.desc())
    if state is not None:
        query = query.where(c.state == state)
    return [dict(row) for row in db.execute(query.limit(limit)).mappings()]


def went_round(db: Connection, part: str, at: int) -> None:
    db.execute(upsert(rounds, ["at"]), {"part": part, "at": at})


def last_rounds(db: Connection) -> dict[str, int]:
    return {row.part: row.at for row in db.execute(select(rounds))}


def counts(db: Connection) -> list[tuple[str, str, int, int]]:
    """Of each channel and state: how many notifications, and how many attempts at them."""
    c = notifications.c
    query = select(c.channel, c.state, func.count(), func.sum(c.attempts)).group_by(c.channel, c.state)
    return [(row[0], row[1], row[2], int(row[3])) for row in db.execute(query.order_by(c.channel, c.state))]


def read(rows: Iterable[Any]) -> list[Queued]:
    """Rows of the queue as they are worked on."""
    return [
        Queued(
            row.id, row.number, row.model, row.channel, row.receiver, Notice.from_json(row.body), row.step,
            row.due_at, row.next_at, row.attempts, row.tried_at, row.held, row.payload,
        )
        for row in rows
    ]  # fmt: skip


def _row(planned: Planned, receiver: str, number: int, now: int) -> dict[str, Any]:
    notice, due_at = planned.notice, to_micros(planned.due_at)
    return {
        "id": planned.id, "number": number, "notice": notice.id, "model": notice.model, "incident": notice.incident,
        "channel": planned.channel, "receiver": receiver, "kind": notice.kind.value, "episode": notice.episode,
        "step": planned.step, "body": notice.to_json(), "created_at": now, "due_at": due_at, "state": WAITING,
        "next_at": due_at, "attempts": 0, "held": False,
    }  # fmt: skip
