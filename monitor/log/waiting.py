"""What the log holds beyond a cursor, at a cost that does not grow with what is folded already."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from monitor.log.tables import batches, segments

# How far the arrivals of two segments may differ from the order of their numbers: by what a batch waits for its
# commit, and by what the clocks of several services are apart. Counts alone rest on it.
OUT_OF_ORDER = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """``head``: the last sequence number of a model, 0 before any; ``rows`` lie behind the cursor, and ``oldest`` is
    when the first of them came, in microseconds."""

    head: int
    rows: int
    oldest: int | None


def waiting(db: Connection, model: str, after: int) -> Waiting:
    """How much of a model lies behind ``after``: what the fold still has to do."""
    head = db.execute(select(func.max(batches.c.seq)).where(batches.c.model == model)).scalar() or 0
    rows, _, oldest = between(db, model, after, head)
    return Waiting(head, rows, oldest)


def between(db: Connection, model: str, after: int, upto: int | None = None) -> tuple[int, int, int | None]:
    """What a model has behind ``after`` and up to ``upto``: the rows, the last sequence number (0 where there is
    nothing), and the first arrival."""
    if upto is not None and upto <= after:
        return 0, 0, None
    first = select(batches.c.received_at).where(batches.c.model == model, batches.c.seq > after)
    came = db.execute(first.order_by(batches.c.seq).limit(1)).scalar()
    if came is None:
        return 0, 0, None
    s = segments.c
    # From that day on, so that of a log in parts by day the parts before it are not even looked at.
    query = select(func.coalesce(func.sum(s.rows), 0), func.coalesce(func.max(s.seq), 0), func.min(s.received_at))
    query = query.where(s.model == model, s.seq > after, s.received_at >= came - OUT_OF_ORDER)
    rows, last, oldest = db.execute(query if upto is None else query.where(s.seq <= upto)).one()
    return int(rows), int(last), oldest


def heads(db: Connection) -> dict[str, int]:
    """The last sequence number of each model that has data. One look into the index a model, however many batches."""
    found: dict[str, int] = {}
    query = select(func.min(batches.c.model))
    name = db.execute(query).scalar()
    while name is not None:
        found[name] = int(db.execute(select(func.max(batches.c.seq)).where(batches.c.model == name)).scalar_one())
        name = db.execute(query.where(batches.c.model > name)).scalar()
    return found


def last_arrival(db: Connection) -> int | None:
    """When the last segment came, of whichever model; ``None`` before any."""
    query = select(batches.c.received_at).limit(1)
    last = (query.where(batches.c.model == model, batches.c.seq == seq) for model, seq in heads(db).items())
    return max((int(db.execute(one).scalar_one()) for one in last), default=None)
