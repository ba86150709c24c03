"""What retention takes from the log, in steps so small that an append never waits long for one.

Ages count from arrival. ``cuts`` says of each model how far it was cut, so that whoever makes the state anew knows
which rows are gone; it is written in the transaction that deletes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import JSON, BigInteger, Column, Connection, String, Table, delete, func, select
from sqlalchemy import text as sql

from monitor.codecs.segment import from_ipc
from monitor.database import upsert
from monitor.database.days import DAY, days_of, part_name
from monitor.log.tables import batches, metadata, protected_segments, rejects, segments

SEGMENTS = 16       # of a step: their bytes are what makes a deletion long
ROWS = 2_000        # of rejects and batches, which are small
AHEAD = 300_000_000     # how far an event's time may lie behind its arrival, in microseconds

cuts = Table(
    "cuts",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("rows_upto", BigInteger, nullable=False),
    Column("blind_upto", BigInteger, nullable=False),
    Column("summaries_upto", BigInteger, nullable=False),
    Column("rejects_before", BigInteger, nullable=False),
    Column("cut_to", BigInteger, nullable=False),
    Column("measured_from", BigInteger, nullable=False),
    Column("counts", JSON, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Cuts:
    """How far a model was cut: raw rows of segments up to ``rows_upto``, whose event times all lie before ``cut_to``;
    protected attributes up to ``blind_upto``; summaries and batches up to ``summaries_upto``, none of whose buckets
    ends behind ``measured_from``; rejects that came before ``rejects_before``. ``counts``: what went, in all."""

    model: str
    rows_upto: int = 0
    blind_upto: int = 0
    summaries_upto: int = 0
    rejects_before: int = 0
    cut_to: int = 0
    measured_from: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def find(db: Connection, model: str) -> Cuts:
    row = db.execute(select(cuts).where(cuts.c.model == model)).mappings().first()
    return Cuts(model) if row is None else Cuts(**row)


def note(db: Connection, model: str, went: Mapping[str, int] | None = None, **upto: int) -> None:
    """Record that a model was cut further: each of ``upto`` only ever grows."""
    before = find(db, model)
    furthest = {name: max(value, getattr(before, name)) for name, value in upto.items()}
    total = dict(Counter(before.counts) + Counter(dict(went or {})))
    row = asdict(replace(before, counts=total, **furthest))
    db.execute(upsert(cuts, [name for name in row if name != "model"]), row)


def last_before(db: Connection, model: str, after: int, instant: int) -> int:
    """The last segment of a model behind ``after`` up to which all came before an instant; ``after`` where none did."""
    b = batches.c
    mine = (b.model == model, b.seq > after)
    newer = db.execute(
        select(b.seq).where(*mine, b.received_at >= instant).order_by(b.seq).limit(1)
    ).scalar()
    query = select(func.max(b.seq)).where(*mine)
    found = db.execute(query if newer is None else query.where(b.seq < newer)).scalar()
    return after if found is None else int(found)


def cut_rows(db: Connection, model: str, upto: int, keep: int) -> bool:
    """Delete the rows of some of the first segments up to ``upto``, with their protected attributes, but not those of
    ``keep``, the reference in force; whether there are more."""
    s = segments.c
    query = select(s.seq, s.rows, s.received_at).where(s.model == model, s.seq <= upto, s.seq != keep)
    found = db.execute(query.order_by(s.seq).limit(SEGMENTS)).all()
    done = len(found) < SEGMENTS
    if found:
        seqs, days = [row.seq for row in found], [row.received_at for row in found]
        for table in (segments, protected_segments):
            t = table.c
            between = t.received_at.between(min(days), max(days))
            db.execute(delete(table).where(t.model == model, t.seq.in_(seqs), between))
    went = {"segments": len(found), "rows": sum(row.rows for row in found)}
    note(db, model, went, rows_upto=upto if done else found[-1].seq, cut_to=_after([row.received_at for row in found]))
    return not done


def cut_protected(db: Connection, model: str, upto: int, keep: int) -> bool:
    """Delete the protected attributes of some of the first segments up to ``upto``; whether there are more."""
    p = protected_segments.c
    query = select(p.seq, p.received_at).where(p.model == model, p.seq <= upto, p.seq != keep)
    found = db.execute(query.order_by(p.seq).limit(SEGMENTS)).all()
    if found:
        days = [row.received_at for row in found]
        between = p.received_at.between(min(days), max(days))
        db.execute(delete(protected_segments).where(p.model == model, p.seq.in_([r.seq for r in found]), between))
        note(db, model, {"protected_segments": len(found)}, blind_upto=found[-1].seq)
    return len(found) == SEGMENTS


def blinded_events(db: Connection, model: str, after: int, upto: int) -> list[int]:
    """The segments of events behind ``after``, up to ``upto``, whose bodies went with the protected attributes."""
    s, p = segments.c, protected_segments.c
    there = select(p.seq).where(p.model == model, p.seq == s.seq, p.received_at == s.received_at).exists()
    query = select(s.seq, s.payload).where(s.model == model, s.kind == "events", s.seq > after, s.seq <= upto, ~there)
    return [seq for seq, payload in db.execute(query.order_by(s.seq)) if "data" not in from_ipc(payload).schema.names]


def cut_rejects(db: Connection, model: str, before: int) -> bool:
    """Delete some of the rejects that came before an instant; whether there may be more."""
    r = rejects.c
    ids = list(db.execute(select(r.id).where(r.model == model, r.at < before).order_by(r.id).limit(ROWS)).scalars())
    if ids:
        db.execute(delete(rejects).where(r.model == model, r.id <= ids[-1], r.at < before))
    note(db, model, {"rejects": len(ids)}, rejects_before=before)
    return len(ids) == ROWS


def cut_batches(db: Connection, model: str, upto: int) -> bool:
    """Delete some of what batches up to ``upto`` said of themselves; whether there may be more."""
    b = batches.c
    query = select(b.seq).where(b.model == model, b.seq <= upto).order_by(b.seq).limit(ROWS)
    seqs = list(db.execute(query).scalars())
    if seqs:
        db.execute(delete(batches).where(b.model == model, b.seq <= seqs[-1]))
        note(db, model, {"batches": len(seqs)})
    return len(seqs) == ROWS


def whole_days(db: Connection, table: Table, before: int) -> list[int]:
    """The parts by day of a table (on PostgreSQL) that ended before an instant, oldest first."""
    return [day for day in days_of(db, table) if (day + 1) * DAY <= before]


def models_of_day(db: Connection, table: Table, day: int) -> dict[str, tuple[int, int]]:
    """The models that have segments in a day's part: the first and the last of each."""
    t = table.c
    inside = t.received_at.between(day * DAY, (day + 1) * DAY - 1)
    query = select(t.model, func.min(t.seq), func.max(t.seq)).where(inside).group_by(t.model)
    return {model: (int(first), int(last)) for model, first, last in db.execute(query)}


def drop_day(db: Connection, table: Table, day: int) -> None:
    """Drop the part of a day whole, however much is in it; the caller has seen that all of it may go. ``NotDurable``,
    from ``writing``, where somebody reads the table just then: whoever appends would wait behind this."""
    t = table.c
    inside = t.received_at.between(day * DAY, (day + 1) * DAY - 1)
    if table is segments:
        query = select(t.model, func.count(), func.sum(t.rows)).where(inside).group_by(t.model)
        for model, n, rows in db.execute(query).all():
            note(db, model, {"segments": int(n), "rows": int(rows)}, cut_to=_after([(day + 1) * DAY]))
    else:
        query = select(t.model, func.count(), func.max(t.seq)).where(inside).group_by(t.model)
        for model, n, last in db.execute(query).all():
            note(db, model, {"protected_segments": int(n)}, blind_upto=int(last))
    db.execute(sql("SET LOCAL lock_timeout = '300ms'"))
    db.execute(sql(f"DROP TABLE {part_name(table.name, day)}"))


def _after(arrivals: list[int]) -> int:
    return max(arrivals) + AHEAD if arrivals else 0
