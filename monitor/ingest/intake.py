"""A request's bytes to durable rows: decode, type by the declaration, keep good rows and rejects, append."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from monitor import sources
from monitor.batch import Kind, Reject
from monitor.clock import Now
from monitor.codecs import Columns, decode
from monitor.codecs.infer import infer_features
from monitor.codecs.normalise import normalise
from monitor.codecs.segment import to_ipc
from monitor.errors import Conflict, NotFound, TooLarge
from monitor.ingest.few import Few, may_gather
from monitor.ingest.gather import Gathering
from monitor.ingest.receipt import MOST_ERRORS, Receipt, check_good, new_batch_id, part_of, receipt_of
from monitor.log.port import Declaration, Segment
from monitor.log.sql import SqlLog
from monitor.log.writer import LogWriter, Waiting
from monitor.model import FeatureType, ModelSpec, Schema, dimensions
from monitor.model.declaration import MAX_DIMENSIONS
from monitor.model.parse import MAX_FEATURES
from monitor.times import to_micros

SMALL_BODY = 16_384     # bytes that are decoded at once: a thread would cost more than they do
DECODERS = 2            # large bodies decoded at a time, each of which takes several times its size in memory
FRESH = 1.0             # seconds for which a declaration is taken to be in force: another replica may make a new one

_JSON = "application/json"      # the one format whose values take no more memory than some times their text

_Known = tuple[float, Declaration, ModelSpec, Schema]


class Intake:
    """Takes batches. Large ones are decoded beside the event loop; the append waits for the log's next commit."""

    def __init__(self, log: SqlLog, writer: LogWriter, now: Now, max_rows: int) -> None:
        self.log = log
        self.writer = writer
        self.now = now
        self.max_rows = max_rows
        self._gathering = Gathering(now)
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="vigil-decode")
        self._known: dict[str, _Known] = {}
        self._coming: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}

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
        _, schema = await self._schema(model, inferred)
        if len(body) <= SMALL_BODY and content_type.startswith(_JSON):
            columns = _decoded(content_type, body, kind, query, schema.spec)
        else:
            columns = await self._aside(_decoded, content_type, body, kind, query, schema.spec)
        return await self.take_columns(model, kind, columns, inferred, idempotency_key, atomic=atomic, size=len(body))

    async def take_columns(
        self,
        model: str,
        kind: Kind,
        columns: Columns,
        inferred: Mapping[str, FeatureType] | None,
        idempotency_key: str | None = None,
        *,
        atomic: bool = False,
        size: int = 0,
    ) -> Receipt:
        """Take a batch that is decoded already; ``size`` is what it came to in bytes. A batch of few rows is typed
        and written together with others that wait."""
        if columns.n_rows > self.max_rows:
            raise TooLarge(f"{columns.n_rows} rows in one request", f"Send at most {self.max_rows} rows at a time")
        declaration, schema = await self._schema(model, inferred)
        if kind == "reference" and not schema.spec.features:
            schema = Schema(schema.spec, _bounded(infer_features(columns)))
        if not schema.features and kind == "predictions":
            raise Conflict(
                f"'{model}' declares no features and has no reference to infer them from",
                f"Load a reference (POST /v1/models/{model}/reference), or declare the features",
            )
        if idempotency_key is None and may_gather(columns, kind, schema):
            answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            few = Few(model, kind, columns, declaration.version, schema, atomic, answer)
            self._hand_over(answer.get_loop(), Waiting(model, size, few))
            return await answer
        segment = await self._aside(self._segment, model, kind, columns, declaration, schema, idempotency_key, atomic)
        written = await asyncio.wrap_future(self.writer.submit(segment))
        if written is None:     # another request with the same key came in between
            assert idempotency_key is not None, "only a key can be known already"
            first = await asyncio.to_thread(self._first, model, kind, idempotency_key)
            assert first is not None, "the append found it"
            return first
        return receipt_of(segment.parts[0])

    def declared(self, model: str) -> tuple[Declaration, ModelSpec]:
        """The declaration in force; ``NotFound`` where there is none."""
        latest = self.log.declaration(model)
        if latest is None:
            known = ", ".join(self.log.models()) or "none yet"
            raise NotFound(f"no model '{model}' is declared", f"PUT /v1/models/{model} first; declared are: {known}")
        known_before = self._known.get(model)
        if known_before is not None and known_before[1] == latest:
            return latest, known_before[2]
        return latest, ModelSpec.from_dict(latest.body)

    def names_features(self, model: str) -> bool:
        """Whether the model's declaration is known to name its features, as it stood a moment ago."""
        known = self._known.get(model)
        return known is not None and bool(known[2].features)

    def forget(self, model: str) -> None:
        """Look at the model's declaration anew with its next batch: a new one was made."""
        self._known.pop(model, None)

    def stop(self) -> None:
        self._decoders.shutdown()

    def _hand_over(self, loop: asyncio.AbstractEventLoop, few: Waiting) -> None:
        """Give a request to the writer once the loop has gone through all that came with it: at once if it is alone."""
        if loop not in self._coming:
            self._coming[loop] = []
            loop.call_soon(lambda: self.writer.submit_all(self._coming.pop(loop), self._gathering))
        self._coming[loop].append(few)

    async def _aside(self, work: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work, *args)

    async def _schema(self, model: str, inferred: Mapping[str, FeatureType] | None) -> tuple[Declaration, Schema]:
        """The declaration in force, and what it types rows by; read again once it may have changed."""
        known, at = self._known.get(model), time.monotonic()
        if known is None or known[0] < at:
            until = at + FRESH
            if known is not None and known[0] + FRESH > at:
                self._known[model] = (until, *known[1:])        # for those who come until it is read
            declaration, spec = await asyncio.to_thread(self.declared, model)
            schema = Schema(spec, spec.features or inferred or {})
            if known is not None and known[1] == declaration and known[3].features == schema.features:
                schema = known[3]
            known = self._known[model] = (until, declaration, spec, schema)
        _, declaration, spec, schema = known
        if not spec.features and schema.features != (inferred or {}):
            schema = Schema(spec, inferred or {})
            self._known[model] = (known[0], declaration, spec, schema)
        return declaration, schema

    def _segment(
        self, model: str, kind: Kind, columns: Columns, declaration: Declaration, schema: Schema,
        idempotency_key: str | None, atomic: bool,
    ) -> Segment:  # fmt: skip
        """A segment of one request alone."""
        now = self.now()
        batch_id = new_batch_id(now)
        batch = normalise(columns, schema, kind, batch_id, now)
        check_good(batch.accepted, batch.rejects, atomic)
        return Segment(
            model=model,
            kind=kind,
            received_at=to_micros(now),
            event_clock=batch.envelope.clock == "event",
            sampling_rate=batch.envelope.sampling_rate,
            declaration=declaration.version,
            payload=to_ipc(batch.table),
            protected=None if batch.protected is None else to_ipc(batch.protected),
            parts=(part_of(batch_id, batch.accepted, batch.rejects, batch.notes, batch.envelope, idempotency_key),),
        )

    def _first(self, model: str, kind: Kind, idempotency_key: str) -> Receipt | None:
        """The answer that the same idempotency key got the first time; ``None`` where it is new."""
        row = self.log.batch(model=model, kind=kind, idempotency_key=idempotency_key)
        if row is None:
            return None
        rejects = self.log.rejects(model, limit=MOST_ERRORS, batch=row["batch_id"])
        errors = [Reject(r["row"], r["field"], r["reason"]) for r in rejects]
        notes = row["envelope"].get("notes")
        return Receipt(row["batch_id"], row["rows"], row["rejected"], errors, repeated=True, notes=notes)


def _decoded(content_type: str, body: bytes, kind: Kind, query: Mapping[str, str], spec: ModelSpec) -> Columns:
    """The columns of a body, in one of Vigil's own formats or in that of the system that ``format`` names."""
    if "format" in query:
        columns = sources.decode(query["format"], content_type, body, kind, query, spec)
    else:
        columns = decode(content_type, body, kind, query)
    return sources.by_request(columns) if kind == "outcomes" else columns


def _bounded(features: Mapping[str, FeatureType]) -> Mapping[str, FeatureType]:
    """Inferred features, held to what a declaration may name; ``TooLarge`` beyond it."""
    mend = "Declare the features that are to be watched"
    if len(features) > MAX_FEATURES:
        raise TooLarge(f"the reference has {len(features)} features", f"{mend}, at most {MAX_FEATURES}")
    for name, kind in features.items():
        if (dimensions(kind) or 0) > MAX_DIMENSIONS:
            raise TooLarge(f"feature '{name}' is an {kind}", f"{mend}, an embedding with at most {MAX_DIMENSIONS}")
    return features
