"""Segments into the log's tables: a group of them with a few statements, however many they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Table, select

from monitor.batch import Kind
from monitor.database import among, insert_many, next_numbers
from monitor.log.port import Segment
from monitor.log.tables import batches, protected_segments, rejects, segments

Named = tuple[str, Kind, str]      # an idempotency key is of one model and kind

SEGMENT = ("model", "kind", "received_at", "rows", "event_clock", "sampling_rate", "declaration", "payload")
_BATCH = (
    "batch_id", "seq", "part", "model", "kind", "idempotency_key", "received_at", "rows", "event_clock", "envelope",
)  # fmt: skip
_PROTECTED = ("seq", "model", "received_at", "payload")
_REJECT = ("model", "batch_id", "at", "row", "field", "reason")
_Rows = list[tuple[Any, ...]]


def append(db: Connection, new: Sequence[Segment]) -> list[Segment | None]:
    """Write segments in their order, within ``writing``. ``None`` stands where an idempotency key was there already,
    in the log or earlier in ``new``."""
    known = _known(db, new)
    fresh: list[Segment] = []
    taken: list[bool] = []
    for segment in new:
        names = _names(segment)
        taken.append(not names & known)
        if taken[-1]:
            known |= names
            fresh.append(segment)
    numbers = next_numbers(db, segments.c.seq, len(fresh)) if fresh else []
    numbered = [replace(segment, seq=seq) for segment, seq in zip(fresh, numbers, strict=True)]
    for table, columns, rows in _rows(numbered):
        insert_many(db, table, columns, rows)
    written = iter(numbered)
    return [next(written) if was_taken else None for was_taken in taken]


def _names(s: Segment) -> set[Named]:
    return {(s.model, s.kind, part.idempotency_key) for part in s.parts if part.idempotency_key}


def _known(db: Connection, new: Iterable[Segment]) -> set[Named]:
    """The idempotency keys of these segments that the log has."""
    asked: dict[tuple[str, Kind], set[str]] = defaultdict(set)
    for segment in new:
        for model, kind, key in _names(segment):
            asked[model, kind].add(key)
    found: set[Named] = set()
    for (model, kind), keys in asked.items():
        query = select(batches.c.idempotency_key).where(batches.c.model == model, batches.c.kind == kind)
        same = among(batches.c.idempotency_key, sorted(keys))
        found |= {(model, kind, key) for key in db.execute(query.where(same)).scalars()}
    return found


def _rows(new: Sequence[Segment]) -> Iterable[tuple[Table, tuple[str, ...], _Rows]]:
    yield segments, (*SEGMENT, "seq"), [(*(getattr(s, name) for name in SEGMENT), s.seq) for s in new]
    yield batches, _BATCH, [
        (p.batch_id, s.seq, i, s.model, s.kind, p.idempotency_key, s.received_at, p.rows, s.event_clock, p.envelope)
        for s in new
        for i, p in enumerate(s.parts)
    ]
    yield protected_segments, _PROTECTED, [
        (s.seq, s.model, s.received_at, s.protected) for s in new if s.protected is not None
    ]
    yield rejects, _REJECT, [
        (s.model, p.batch_id, s.received_at, r.row, r.field, r.reason) for s in new for p in s.parts for r in p.rejects
    ]
