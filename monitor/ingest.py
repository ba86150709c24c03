"""A request's bytes to a durable segment: decode, type by the declaration, keep good rows and rejects, append."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.batch import Batch, Kind, Reject
from monitor.clock import Now
from monitor.codecs import decode
from monitor.codecs.normalise import infer_features, normalise
from monitor.codecs.segment import to_ipc
from monitor.errors import Conflict, NoGoodRow, NotFound, TooLarge
from monitor.log.port import Declaration, Part, Segment
from monitor.log.sql import SqlLog
from monitor.log.writer import LogWriter
from monitor.model import FeatureType, ModelSpec, Schema, dimensions
from monitor.model.declaration import MAX_DIMENSIONS
from monitor.model.parse import MAX_FEATURES
from monitor.times import to_micros

MOST_ERRORS = 20       # rejected rows that the answer lists; all can be read back


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a batch: what was taken, durable by now, and what was not."""

    batch_id: str
    accepted: int
    rejected: int
    errors: list[Reject]
    repeated: bool = False
    notes: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "batch_id": self.batch_id,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "errors": [e.as_dict() for e in self.errors],
        }
        if self.repeated:
            out["repeated"] = True
        if self.notes:
            out["notes"] = dict(self.notes)
        return out


class Intake:
    """Takes batches. Decoding runs beside the event loop; the append waits for the log's next commit."""

    def __init__(self, log: SqlLog, writer: LogWriter, now: Now, max_rows: int) -> None:
        self.log = log
        self.writer = writer
        self.now = now
        self.max_rows = max_rows
        self._declared: dict[str, tuple[Declaration, ModelSpec]] = {}

    async def take(
        self,
        model: str,
        kind: Kind,
        content_type: str,
        body: bytes,
        query: Mapping[str, str],
        inferred: Mapping[str, FeatureType] | None,
        idempotency_key: str | None = None,
        *,
        atomic: bool = False,
    ) -> Receipt:
        """Take a batch. ``inferred``: the features of the model's reference, for a declaration that names none.
        ``atomic``: all rows or none. A batch whose ``idempotency_key`` is known gets the answer of the first.

        Raises ``NotFound`` for an unknown model, ``MalformedBody`` and its like for bytes that cannot be read,
        ``NoGoodRow`` where every row was rejected, ``NotDurable`` where nothing could be written.
        """
        if idempotency_key is not None:
            first = await asyncio.to_thread(self._first, model, kind, idempotency_key)
            if first is not None:
                return first
        segment, batch = await asyncio.to_thread(
            self._read, model, kind, content_type, body, query, inferred, idempotency_key, atomic
        )
        written = await asyncio.wrap_future(self.writer.submit(segment))
        if written is None:     # another request with the same key came in between
            assert idempotency_key is not None, "only a key can be known already"
            first = await asyncio.to_thread(self._first, model, kind, idempotency_key)
            assert first is not None, "the append found it"
            return first
        rejects = batch.rejects
        batch_id = segment.parts[0].batch_id
        return Receipt(batch_id, batch.accepted, len(rejects), rejects[:MOST_ERRORS], notes=batch.notes)

    def declared(self, model: str) -> tuple[Declaration, ModelSpec]:
        """The declaration in force; ``NotFound`` where there is none."""
        latest = self.log.declaration(model)
        if latest is None:
            known = ", ".join(self.log.models()) or "none yet"
            raise NotFound(f"no model '{model}' is declared", f"PUT /v1/models/{model} first; declared are: {known}")
        cached = self._declared.get(model)
        if cached is None or cached[0] != latest:
            cached = (latest, ModelSpec.from_dict(latest.body))
            self._declared[model] = cached
        return cached

    def _read(
        self,
        model: str,
        kind: Kind,
        content_type: str,
        body: bytes,
        query: Mapping[str, str],
        inferred: Mapping[str, FeatureType] | None,
        idempotency_key: str | None,
        atomic: bool,
    ) -> tuple[Segment, Batch]:
        declaration, spec = self.declared(model)
        columns = decode(content_type, body, kind, query)
        if columns.n_rows > self.max_rows:
            raise TooLarge(f"{columns.n_rows} rows in one request", f"Send at most {self.max_rows} rows at a time")
        now, batch_id = self.now(), f"b_{secrets.token_hex(12)}"
        features = spec.features or (_bounded(infer_features(columns)) if kind == "reference" else inferred)
        if not features and kind == "predictions":
            raise Conflict(
                f"'{model}' declares no features and has no reference to infer them from",
                f"Load a reference (POST /v1/models/{model}/reference), or declare the features",
            )
        batch = normalise(columns, Schema(spec, features or {}), kind, batch_id, now)
        _check_good(batch, atomic)
        part = Part(batch_id, batch.accepted, idempotency_key, _envelope(batch), batch.rejects)
        segment = Segment(
            model=model,
            kind=kind,
            received_at=to_micros(now),
            event_clock=batch.envelope.clock == "event",
            sampling_rate=batch.envelope.sampling_rate,
            declaration=declaration.version,
            payload=to_ipc(batch.table),
            protected=None if batch.protected is None else to_ipc(batch.protected),
            parts=(part,),
        )
        return segment, batch

    def _first(self, model: str, kind: Kind, idempotency_key: str) -> Receipt | None:
        """The answer that the same idempotency key got the first time; ``None`` where it is new."""
        row = self.log.batch(model=model, kind=kind, idempotency_key=idempotency_key)
        if row is None:
            return None
        rejects = self.log.rejects(model, limit=MOST_ERRORS, batch=row["batch_id"])
        errors = [Reject(r["row"], r["field"], r["reason"]) for r in rejects]
        notes = row["envelope"].get("notes")
        return Receipt(row["batch_id"], row["rows"], row["rejected"], errors, repeated=True, notes=notes)


def _bounded(features: Mapping[str, FeatureType]) -> Mapping[str, FeatureType]:
    """Inferred features, held to what a declaration may name; ``TooLarge`` beyond it."""
    mend = "Declare the features that are to be watched"
    if len(features) > MAX_FEATURES:
        raise TooLarge(f"the reference has {len(features)} features", f"{mend}, at most {MAX_FEATURES}")
    for name, kind in features.items():
        if (dimensions(kind) or 0) > MAX_DIMENSIONS:
            raise TooLarge(f"feature '{name}' is an {kind}", f"{mend}, an embedding with at most {MAX_DIMENSIONS}")
    return features


_MEND = "Mend the rows that are listed"


def _check_good(batch: Batch, atomic: bool) -> None:
    """All or none where that was asked for, and at least one good row otherwise."""
    n, rejected = len(batch.rejects), [r.as_dict() for r in batch.rejects[:MOST_ERRORS]]
    if n and atomic:
        said = "1 row is" if n == 1 else f"{n} rows are"
        raise NoGoodRow(f"{said} not valid, and atomic=true takes all or none", _MEND, rejected)
    if not n and not batch.accepted:
        raise NoGoodRow("the batch has no rows", "Send at least one row", rejected)
    if not batch.accepted:
        raise NoGoodRow("no row of the batch could be taken", _MEND, rejected)


def _envelope(batch: Batch) -> dict[str, Any]:
    """What the batch said of itself, and what was noted of it."""
    e = batch.envelope
    named = {"source": e.source, "environment": e.environment, "schema_version": e.schema_version}
    out: dict[str, Any] = {k: v for k, v in named.items() if v is not None} | {"sampling_rate": e.sampling_rate}
    refused = Counter(r.field.removeprefix("features.") for r in batch.rejects if r.field.startswith("features."))
    out |= {"refused": dict(refused)} if refused else {}        # by feature: what the fold counts as type errors
    return out | {"notes": dict(batch.notes)} if batch.notes else out
