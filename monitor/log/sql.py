"""The log in SQL: append, read, and the three lanes (data, commands, ticks) of each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, and_, func, insert, select

from monitor.batch import Kind
from monitor.database import reading, writing
from monitor.log.port import Command, Declaration, Part, Segment, Tick
from monitor.log.tables import batches, commands, declarations, protected_segments, rejects, segments, ticks


class SqlLog:
    """The log on a database of its own. Every append is durable when it returns; ``NotDurable`` says that it is not."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def append(self, new: Sequence[Segment]) -> list[Segment | None]:
        """Write segments in one commit, in their order. ``None`` stands where an idempotency key was there already: a
        batch that has one stands alone in its segment."""
        with writing(self.engine) as db:
            return [self._append_one(db, segment) for segment in new]

    def _append_one(self, db: Connection, s: Segment) -> Segment | None:
        if any(self._known(db, s, part.idempotency_key) for part in s.parts if part.idempotency_key):
            return None
        row = {name: getattr(s, name) for name in _SEGMENT_COLUMNS}
        seq = _inserted(db.execute(insert(segments).values(**row)))
        of = {"model": s.model, "kind": s.kind, "received_at": s.received_at, "event_clock": s.event_clock, "seq": seq}
        db.execute(insert(batches), [of | _named(part, number) for number, part in enumerate(s.parts)])
        if s.protected is not None:
            apart = {"seq": seq, "model": s.model, "received_at": s.received_at, "payload": s.protected}
            db.execute(insert(protected_segments).values(**apart))
        refused = [
            {"model": s.model, "batch_id": part.batch_id, "at": s.received_at, **r.as_dict()}
            for part in s.parts
            for r in part.rejects
        ]
        if refused:
            db.execute(insert(rejects), refused)
        return replace(s, seq=seq)

    def _known(self, db: Connection, s: Segment, key: str) -> bool:
        same = and_(batches.c.model == s.model, batches.c.kind == s.kind, batches.c.idempotency_key == key)
        return db.execute(select(batches.c.seq).where(same)).first() is not None

    def read(self, model: str, after: int, limit: int) -> list[Segment]:
        """The next segments of a model behind ``after``, in order, with their protected attributes."""
        query = (
            select(segments, protected_segments.c.payload.label("protected"))
            .outerjoin(protected_segments, protected_segments.c.seq == segments.c.seq)
            .where(segments.c.model == model, segments.c.seq > after)
            .order_by(segments.c.seq)
            .limit(limit)
        )
        with reading(self.engine) as db:
            found = db.execute(query).mappings().all()
            if not found:
                return []
            first, last = found[0]["seq"], found[-1]["seq"]
            mine = select(batches).where(batches.c.seq >= first, batches.c.seq <= last).order_by(batches.c.part)
            parts: dict[int, list[Part]] = {}
            for row in db.execute(mine).mappings():
                part = Part(row["batch_id"], row["rows"], row["idempotency_key"], row["envelope"])
                parts.setdefault(row["seq"], []).append(part)
        return [_segment(row, parts[row["seq"]]) for row in found]

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
        query = select(segments.c.model, func.max(segments.c.seq)).group_by(segments.c.model)
        with reading(self.engine) as db:
            return {model: int(seq) for model, seq in db.execute(query)}

    def rows_after(self, model: str, after: int) -> int:
        """How many rows of a model lie behind ``after``: what the fold still has to do."""
        query = select(func.coalesce(func.sum(segments.c.rows), 0)).where(
            segments.c.model == model, segments.c.seq > after
        )
        with reading(self.engine) as db:
            return int(db.execute(query).scalar_one())

    def batch(self, batch_id: str | None = None, **by: str) -> dict[str, Any] | None:
        """What a batch was, without its rows; by its id, or by ``model``, ``kind`` and ``idempotency_key``."""
        query = select(batches, _reject_count()).where(*[batches.c[k] == v for k, v in by.items()])
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
        return new

    def declaration(self, model: str, version: int | None = None) -> Declaration | None:
        """A version of a model's declaration; the latest where none is named."""
        with reading(self.engine) as db:
            return _latest(db, model, version)

    def models(self) -> list[str]:
        with reading(self.engine) as db:
            return list(db.execute(select(declarations.c.model).distinct().order_by(declarations.c.model)).scalars())


_SEGMENT_COLUMNS = [c.name for c in segments.c if c.name != "seq"]
_COMMAND_COLUMNS = [c.name for c in commands.c if c.name != "seq"]


def _inserted(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def _reject_count() -> Any:
    return (
        select(func.count())
        .select_from(rejects)
        .where(rejects.c.batch_id == batches.c.batch_id)
        .scalar_subquery()
        .label("rejected")
    )


def _named(part: Part, number: int) -> dict[str, Any]:
    names = ("batch_id", "rows", "idempotency_key", "envelope")
    return {"part": number, **{name: getattr(part, name) for name in names}}


def _segment(row: Any, parts: Sequence[Part]) -> Segment:
    kept = [name for name in _SEGMENT_COLUMNS if name != "rows"]
    return Segment(**{k: row[k] for k in (*kept, "seq", "protected")}, parts=tuple(parts))


def _latest(db: Connection, model: str, version: int | None = None) -> Declaration | None:
    query = select(declarations).where(declarations.c.model == model).order_by(declarations.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(declarations.c.version == version)
    row = db.execute(query).mappings().first()
    return None if row is None else Declaration(**row)


def iter_segments(log: SqlLog, model: str, upto: int, chunk: int = 32) -> Iterator[Segment]:
    """All segments of a model up to and with ``upto``, for a refold or a rebuild."""
    after = 0
    while batch := log.read(model, after, chunk):
        for segment in batch:
            if segment.seq > upto:
                return
            yield segment
        after = batch[-1].seq
