"""Events of payload loggers to predictions: halves paired by the log's own clock, and read by the declared source.

It is part of the fold: the state follows from the log alone, halves that wait among it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

import numpy as np
import pyarrow as pa
import structlog
from sqlalchemy import Connection

from monitor.batch import Batch, Reject
from monitor.codecs.normalise import normalise
from monitor.codecs.segment import from_ipc
from monitor.codecs.times import AHEAD
from monitor.errors import InvalidInput
from monitor.events.families import annotations_of, fields_of
from monitor.events.pairing import WAIT, Half, Pair, pair
from monitor.events.stored import from_rows
from monitor.fold.rows import Ints
from monitor.log.port import Part, Segment
from monitor.model import ModelSpec, Schema
from monitor.model.sources import Source
from monitor.sources.exchange import Exchange, Misfit, to_columns
from monitor.sources.payload import Payload, Side, Unreadable
from monitor.sources.protocols import read_payload
from monitor.store import halves, refusals
from monitor.store.models import ModelState
from monitor.times import from_micros, span_micros

ROWS_AT_ONCE = 50_000       # of exchanges typed together, so that a segment of large requests takes bounded memory
MOST_REFUSALS = 100         # kept of the rows of one exchange; all are counted

Read = tuple[Pair, Exchange | Misfit]

# What a body that nobody foresaw could raise. Not a lack of memory, say: that is no property of the body.
_OWN_FAULTS = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)

logger = structlog.get_logger("vigil.worker")


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions after normalise. ``parts``: the batch that each row is told with, shape (rows,), by its number among
    those of the segments. ``table['row']`` is the place of the event in its request."""

    batch: Batch
    parts: Ints


@dataclass(frozen=True, slots=True)
class Taken:
    """What segments of events come to: predictions, and what became of each of their batches (``events``,
    ``duplicate_events``, ``exchanges``, ``refused``). ``orphans`` are those that were given up meanwhile, whose batches
    are told already."""

    counts: list[Counter[str]]
    orphans: Counter[str]
    predictions: list[Predictions] = field(default_factory=list)

    @property
    def total(self) -> Counter[str]:
        """What the model counts of it, beside the predictions."""
        return sum(self.counts, self.orphans)

    def count(self, last: Sequence[Half], rejects: Sequence[Reject], owner: Ints) -> None:
        for half in last:
            self.counts[half.part]["exchanges"] += 1
        for reject in rejects:
            self.counts[last[owner[reject.row]].part]["refused"] += 1


def take_events(db: Connection, model: ModelState, spec: ModelSpec, segments: Sequence[Segment]) -> Taken:
    """Pair the events of alike segments with each other and with those that wait, and read what is complete by
    ``spec``, the declaration of the segments. Rows that cannot be taken are kept as refusals. It is the same as to take
    one segment after another."""
    parts = [(segment, part) for segment in segments for part in segment.parts]
    new = list(_halves_of(segments))
    paired = pair(new, halves.find(db, model.id, (half.id for half in new)))
    halves.keep(db, model.id, paired.known.values())
    arrived = max(segment.received_at for segment in segments)
    orphans = _orphans(paired.orphans + halves.expire(db, model.id, arrived - span_micros(WAIT)))
    out = Taken([Counter(events=part.rows) for _, part in parts], orphans)
    for number, n in paired.duplicates.items():
        out.counts[number]["duplicate_events"] += n
    reading = _Reading(db, model, parts, Schema(spec, spec.features or model.features or {}), out)
    for source, pairs in groupby(paired.pairs, lambda p: p.last.source):
        for chunk in _chunks((p, _exchange(p)) for p in pairs):
            reading.take(spec.sources[source], chunk)
    return out


def expire(db: Connection, model: ModelState, at: int) -> None:
    """Give up what has waited for its other half since before ``at`` by more than ``WAIT``; the model's counts tell
    how many. To be called with every tick: it does not matter when, but for what the counts say until then."""
    if (model.counts or {}).get("events"):
        model.count(_orphans(halves.expire(db, model.id, at - span_micros(WAIT))))


def _orphans(sides: Counter[str]) -> Counter[str]:
    return Counter({f"orphan_{side}s": n for side, n in sides.items()})


def due(db: Connection, model: ModelState, at: int) -> bool:
    """Whether ``expire`` would find a half that waited too long: worth a tick, where no data come."""
    oldest = halves.oldest(db, model.id) if (model.counts or {}).get("events") else None
    return oldest is not None and oldest <= at - span_micros(WAIT)


def forget(db: Connection, model: int) -> None:
    """Before the whole log of a model is folded anew."""
    halves.forget(db, model)
    refusals.forget(db, model)


def _halves_of(segments: Iterable[Segment]) -> Iterator[Half]:
    """The events; none where retention has cut their bodies, which may hold protected attributes, from the log."""
    first = 0
    for segment in segments:
        told, bodies = from_ipc(segment.payload), None
        if "data" in told.schema.names:
            bodies = told.column("data")
        elif segment.protected is not None:
            bodies = from_ipc(segment.protected).column("data")
        if bodies is not None:
            yield from from_rows(told, bodies, segment.received_at, (part.rows for part in segment.parts), first)
        first += len(segment.parts)


def _exchange(pair: Pair) -> Exchange | Misfit:
    """A pair as its bodies read. Its time is that of the request, else of the response, else its arrival."""
    request, response = pair.request, pair.response
    time = next((t for t in (request.time, response.time) if t is not None), pair.last.at)
    # The request's attributes are the logger's own; a response has the same ones.
    said: Mapping[str, str] = json.loads(response.attributes) | json.loads(request.attributes)
    inputs, outputs = _payload(request, "inputs"), _payload(response, "outputs")
    if isinstance(inputs, Misfit):
        return inputs
    if isinstance(outputs, Misfit):
        return outputs
    return Exchange(
        request.id, from_micros(time), inputs, outputs, annotations=annotations_of(said), fields=fields_of(said)
    )


def _payload(half: Half, side: Side) -> Payload | Misfit:
    try:
        return read_payload(half.data, side, half.content_type)
    except Unreadable as error:
        return Misfit(half.side, str(error))
    except _OWN_FAULTS as error:
        return _misfit(half.side, error)


def _misfit(where: str, error: Exception) -> Misfit:
    """An exchange that cannot be taken. A fault of Vigil's own is logged: it must not stop the fold for good."""
    if isinstance(error, InvalidInput):
        return Misfit(where, f"cannot be taken: {error}")
    logger.error("an exchange could not be read", exc_info=error)
    return Misfit(where, "cannot be read, for a fault of Vigil's own that its log tells; report it")


def _rows(exchange: Exchange | Misfit) -> int:
    return 1 if isinstance(exchange, Misfit) else exchange.inputs.n_rows


def _chunks(read: Iterable[Read]) -> Iterator[list[Read]]:
    chunk: list[Read] = []
    rows = 0
    for one in read:
        n = _rows(one[1])
        if chunk and rows + n > ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(one)
        rows += n
    if chunk:
        yield chunk


@dataclass(frozen=True, slots=True)
class _Reading:
    """Types exchanges by the declaration, and sets the rows aside that cannot be taken. ``parts`` are the batches that
    their events came in, with their segments."""

    db: Connection
    model: ModelState
    parts: Sequence[tuple[Segment, Part]]
    schema: Schema
    out: Taken

    def take(self, source: Source, chunk: list[Read]) -> None:
        now = from_micros(self.parts[-1][0].received_at)
        try:
            columns = to_columns(source, [exchange for _, exchange in chunk], self.schema.features)
            batch = normalise(columns, self.schema, "predictions", self.parts[0][1].batch_id, now)
        except (InvalidInput, *_OWN_FAULTS) as error:
            self._apart(source, chunk, error)
            return
        owner, starts = _owners(chunk, {reject.row for reject in columns.rejects})
        last = [pair.last for pair, _ in chunk]
        batch = _not_ahead(batch, np.array([half.at for half in last], np.int64)[owner])
        self.out.count(last, batch.rejects, owner)
        for i, rows in groupby(batch.rejects, lambda reject: int(owner[reject.row])):
            segment, part = self.parts[last[i].part]
            told = [_told(reject, last[i], int(reject.row - starts[i])) for reject in islice(rows, MOST_REFUSALS)]
            refusals.add(self.db, self.model.id, part.batch_id, segment.received_at, "refused", told)
        if batch.accepted:
            self.out.predictions.append(_with_places(batch, last, owner))

    def _apart(self, source: Source, chunk: list[Read], error: Exception) -> None:
        """One of the exchanges is at fault: that is none of its neighbours'."""
        if len(chunk) > 1:
            for one in chunk:
                self.take(source, [one])
        elif isinstance(chunk[0][1], Misfit):
            raise error
        else:
            self.take(source, [(chunk[0][0], _misfit("request", error))])


def _not_ahead(batch: Batch, arrived: Ints) -> Batch:
    """The rows whose time is not ahead of their own ``arrival``, shape (rows of the columns,): ``normalise`` was told
    that of the last."""
    at = arrived[batch.table.column("row").to_numpy()]
    good = batch.table.column("timestamp").cast(pa.int64()).to_numpy() <= at + span_micros(AHEAD)
    if good.all():
        return batch
    rows = batch.table.column("row").filter(pa.array(~good)).to_pylist()
    why = "is ahead of the server's clock; check the sender's clock and unit"
    rejects = sorted([*batch.rejects, *(Reject(row, "timestamp", why) for row in rows)], key=lambda r: r.row)
    protected = None if batch.protected is None else batch.protected.filter(pa.array(good))
    return replace(batch, table=batch.table.filter(pa.array(good)), protected=protected, rejects=rejects)


def _owners(chunk: Sequence[Read], misfits: Set[int]) -> tuple[Ints, Ints]:
    """Which exchange each row of the columns is of, shape (rows,), and at which row each begins, shape (exchanges,).
    ``misfits`` are the rows that stand for a whole exchange."""
    sizes, start = [], 0
    for _, exchange in chunk:
        sizes.append(1 if start in misfits or isinstance(exchange, Misfit) else exchange.inputs.n_rows)
        start += sizes[-1]
    of = np.array(sizes, np.int64)
    return np.repeat(np.arange(of.size), of), of.cumsum() - of


def _told(reject: Reject, last: Half, row: int) -> Reject:
    """A refused row as its batch tells it: by the event's place, with the request and the row within it."""
    where = f"request {last.id!a}" if reject.field in ("request", "response") else f"row {row} of request {last.id!a}"
    return Reject(last.place, reject.field, f"{reject.reason} ({where})")


def _with_places(batch: Batch, last: Sequence[Half], owner: Ints) -> Predictions:
    """The batch with ``row`` as the place of the event that completed the exchange, and the part of each row."""
    owners = owner[batch.table.column("row").to_numpy()]
    places, parts = np.array([half.place for half in last], np.int32), np.array([half.part for half in last], np.int64)
    at = batch.table.schema.get_field_index("row")
    table = batch.table.set_column(at, "row", pa.array(places[owners]))
    return Predictions(Batch("predictions", table, batch.protected, notes=batch.notes), parts[owners])
