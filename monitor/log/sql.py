"""The log in SQL: append, read, and the three lanes (data, commands, ticks) of each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Select, Table, func, insert, select

from monitor.batch import Kind
from monitor.database import add_days, reading, writing
from monitor.database.days import day_of
from monitor.log import audit
from monitor.log.append import SEGMENT, append
from monitor.log.notifications import notifications
from monitor.log.port import Command, Declaration, Part, Segment, Tick
from monitor.log.tables import batches, commands, declarations, protected_segments, rejects, segments, ticks
from monitor.log.waiting import between, heads


class SqlLog:
    """The log on a database of its own. Every append is durable when it returns; ``NotDurable`` says that it is not."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._days: set[int] = set()        # those whose parts are known to be there

    def append(self, new: Sequence[Segment]) -> list[Segment | None]:
        """Write segments in one commit, in their order. ``None`` stands where an idempotency key was there already: a
        batch that has one stands alone in its segment."""
        days = {day_of(segment.received_at) for segment in new} - self._days
        with writing(self.engine) as db:
            add_days(db, (segments, protected_segments), days)
            written = append(db, new)
        self._days |= days      # only now: what was made in a transaction that fails is not there
        return written

    def read(self, model: str, after: int, limit: int, rows: int = 2**31 - 1) -> list[Segment]:
        """The next segments of a model behind ``after``, in order, with their protected attributes: up to ``limit``,
        and no more behind the one with which they come to ``rows``. None where there are no more."""
        with reading(self.engine) as db:
            while marks := _marks(db, model, after, limit, rows):
                if found := _read(db, model, marks):
                    return found
                after = marks[-1][0]        # retention took them all
        return []

    def sizes(self, model: str, kind: Kind, received_from: int, upto: int) -> list[tuple[int, int]]:
        """The segments of a kind that came at or after an instant, up to and with ``upto``: the sequence number and the
        rows of each, in order. What they hold is not read."""
        query = select(segments.c.seq, segments.c.rows).where(
            segments.c.model == model, segments.c.kind == kind, segments.c.received_at >= received_from,
            segments.c.seq <= upto,
        )  # fmt: skip
        with reading(self.engine) as db:
            return [(seq, rows) for seq, rows in db.execute(query.order_by(segments.c.seq))]

    def payloads(self, seqs: Sequence[int]) -> list[bytes]:
        """The rows of some segments, in order, without their protected attributes. One that is gone is left out."""
        query = select(segments.c.payload).where(segments.c.seq.in_(seqs)).order_by(segments.c.seq)
        with reading(self.engine) as db:
            return list(db.execute(query).scalars())

    def head(self) -> dict[str, int]:
        """The last sequence number of each model that has data."""
        with reading(self.engine) as db:
            return heads(db)

    def rows_after(self, model: str, after: int) -> int:
        """How many rows of a model lie behind ``after``: what the fold still has to do."""
        with reading(self.engine) as db:
            return between(db, model, after)[0]

    def rows_between(self, model: str, after: int, upto: int | None = None) -> tuple[int, int]:
        """How many rows of a model lie behind ``after``, up to and with ``upto``; and the last sequence number among
        them, 0 where there are none."""
        with reading(self.engine) as db:
            rows, last, _ = between(db, model, after, upto)
        return rows, last

    def batch(self, batch_id: str | None = None, **by: str) -> dict[str, Any] | None:
        """What a batch was, without its rows; by its id, or by ``model``, ``kind`` and ``idempotency_key``."""
        query = select(batches, _reject_count(), _is_there()).where(*[batches.c[k] == v for k, v in by.items()])
        if batch_id is not None:
            query = query.where(batches.c.batch_id == batch_id)
        with reading(self.engine) as db:
            row = db.execute(query).mappings().first()
        return None if row is None else dict(row)

    def rejects(self, model: str, after: int = 0, limit: int = 100, batch: str | None = None) -> list[dict[str, Any]]:
        """Rejected rows with their reasons, oldest first, behind the id ``after``."""
        query = select(rejects).where(rejects.c.model == model, rejects.c.id > after)
        if batch is not None:
            query = query.where(rejects.c.batch_id == batch)
        query = query.order_by(rejects.c.id).limit(limit)
        with reading(self.engine) as db:
            return [dict(row) for row in db.execute(query).mappings()]

    def append_command(self, command: Command) -> Command:
        with writing(self.engine) as db:
            row = {name: getattr(command, name) for name in _COMMAND_COLUMNS}
            seq = _inserted(db.execute(insert(commands).values(**row)))
            done = {k: v for k, v in command.body.items() if k != "command" and v not in (None, "")}
            what, of = f"incident.{command.body.get('command')}", command.incident or command.model
            audit.note(db, command.at, command.actor, what, of, None, {"seq": seq, **done}, "commands")
        return Command(**row, seq=seq)

    def commands(self, model: str, after: int = 0) -> list[Command]:
        query = select(commands).where(commands.c.model == model, commands.c.seq > after).order_by(commands.c.seq)
        with reading(self.engine) as db:
            return [Command(**row) for row in db.execute(query).mappings()]

    def append_tick(self, tick: Tick) -> Tick:
        with writing(self.engine) as db:
            row = {"model": tick.model, "after_seq": tick.after_seq, "at": tick.at}
            seq = _inserted(db.execute(insert(ticks).values(**row)))
        return Tick(**row, seq=seq)  # type: ignore[arg-type]

    def ticks(self, model: str, after: int = 0) -> list[Tick]:
        query = select(ticks).where(ticks.c.model == model, ticks.c.seq > after).order_by(ticks.c.seq)
        with reading(self.engine) as db:
            return [Tick(**row) for row in db.execute(query).mappings()]

    def lane_ends(self, model: str) -> tuple[int, int]:
        """The last numbers of a model's commands and ticks, 0 where there are none."""
        with reading(self.engine) as db:
            ends = [db.execute(select(func.max(t.c.seq)).where(t.c.model == model)).scalar() for t in (commands, ticks)]
        return ends[0] or 0, ends[1] or 0

    def model_of(self, incident: str) -> str | None:
        """The model of an incident that somebody was told of, or gave a command to."""
        known = [
            select(t.c.model).where(t.c.incident == incident).limit(1) for t in (notifications, commands) if incident
        ]
        with reading(self.engine) as db:
            return next((name for query in known if (name := db.execute(query).scalar()) is not None), None)

    def declare(self, model: str, at: int, by: str, body: dict[str, Any]) -> Declaration:
        """Record a declaration as the model's next version; the same body again is the version that stands."""
        with writing(self.engine) as db:
            last = _latest(db, model)
            if last is not None and last.body == body:
                return last
            if last is None:
                most = db.execute(select(func.coalesce(func.max(declarations.c.number), 0))).scalar_one()
                new = Declaration(model, 1, most + 1, at, by, body)
            else:
                new = replace(last, version=last.version + 1, at=at, by=by, body=body)
            db.execute(insert(declarations).values(asdict(new)))
            before = None if last is None else {"version": last.version}
            audit.note(db, at, {"id": by}, "model.declare", model, before, {"version": new.version}, "declarations")
        return new

    def declaration(self, model: str, version: int | None = None) -> Declaration | None:
        """A version of a model's declaration; the latest where none is named."""
        with reading(self.engine) as db:
            return _latest(db, model, version)

    def models(self) -> list[str]:
        with reading(self.engine) as db:
            return list(db.execute(select(declarations.c.model).distinct().order_by(declarations.c.model)).scalars())


_COMMAND_COLUMNS = [c.name for c in commands.c if c.name != "seq"]


def _inserted(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def _is_there() -> Any:
    """Whether the rows of a batch are in the log still: ``there``."""
    s, b = segments.c, batches.c
    return select(s.seq).where(s.seq == b.seq, s.received_at == b.received_at).exists().label("there")


def _reject_count() -> Any:
    return (
        select(func.count())
        .select_from(rejects)
        .where(rejects.c.batch_id == batches.c.batch_id)
        .scalar_subquery()
        .label("rejected")
    )


def _marks(db: Connection, model: str, after: int, limit: int, rows: int) -> list[tuple[int, int]]:
    """Number and arrival of the next segments: they tell which parts of the log to look into."""
    query = select(batches.c.seq, batches.c.received_at, batches.c.rows).where(
        batches.c.model == model, batches.c.seq > after, batches.c.part == 0
    )
    marks = []
    for seq, at, n in db.execute(query.order_by(batches.c.seq).limit(limit)):
        marks.append((seq, at))
        rows -= n       # a large segment has one part
        if rows <= 0:
            break
    return marks


def _read(db: Connection, model: str, marks: Sequence[tuple[int, int]]) -> list[Segment]:
    """The segments of these marks that are there, in order."""
    arrivals = [at for _, at in marks]

    def mine(table: Table, *columns: str) -> Select[Any]:
        query = select(*(table.c[name] for name in ("seq", *columns))).order_by(table.c.seq)
        query = query.where(table.c.model == model, table.c.seq.between(marks[0][0], marks[-1][0]))
        return query.where(table.c.received_at.between(min(arrivals), max(arrivals)))

    found = db.execute(mine(segments, *(name for name in SEGMENT if name != "rows"))).mappings().all()
    if not found:
        return []
    apart = {row.seq: row.payload for row in db.execute(mine(protected_segments, "payload"))}
    parts: dict[int, list[Part]] = {}
    told = mine(batches, "batch_id", "rows", "idempotency_key", "envelope").order_by(batches.c.part)
    for row in db.execute(told.where(batches.c.rows > 0)):      # of one that was erased whole nothing is there to fold
        parts.setdefault(row.seq, []).append(Part(row.batch_id, row.rows, row.idempotency_key, row.envelope))
    return [Segment(**s, parts=tuple(parts[s["seq"]]), protected=apart.get(s["seq"])) for s in found]


def _latest(db: Connection, model: str, version: int | None = None) -> Declaration | None:
    query = select(declarations).where(declarations.c.model == model).order_by(declarations.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(declarations.c.version == version)
    row = db.execute(query).mappings().first()
    return None if row is None else Declaration(**row)


def iter_segments(log: SqlLog, model: str, upto: int, chunk: int = 32, after: int = 0) -> Iterator[Segment]:
    """All segments of a model behind ``after``, up to and with ``upto``, for a refold or a rebuild."""
    while batch := log.read(model, after, chunk):
        for segment in batch:
            if segment.seq > upto:
                return
            yield segment
        after = batch[-1].seq
