"""Segments of the log into the state: joins, summaries, streams and counts, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import Connection

from detectors.summaries.mixing import Words
from detectors.summaries.space import Space
from detectors.summaries.summary import Summary
from monitor.batch import Batch, Reject
from monitor.codecs.segment import from_ipc
from monitor.database import upsert
from monitor.fold.ids import hash_ids
from monitor.fold.join import Folded, count_predictions, fold_outcomes, fold_predictions
from monitor.fold.rows import Ints, Outcomes, Predictions, read_outcomes, read_predictions
from monitor.fold.strata import Stratum
from monitor.judge.watch import Watch
from monitor.log.port import Part, Segment
from monitor.model import ModelSpec
from monitor.store import refusals, summaries
from monitor.store.joins import Joins
from monitor.store.keys.runs import Search
from monitor.store.models import ModelState
from monitor.store.tables import folded
from monitor.times import span_micros
from monitor.worker.exchanges import take_events
from monitor.worker.streaming import step_values

MOST_CONFLICTS = 100      # rows of a batch that are named as conflicts; all are counted


@dataclass(slots=True)
class Touched:
    """The buckets that a fold changed, so that only their windows are looked at."""

    predictions: set[int] = field(default_factory=set)
    outcomes: set[int] = field(default_factory=set)

    def add(self, other: Touched) -> None:
        self.predictions |= other.predictions
        self.outcomes |= other.outcomes

    def clear(self) -> None:
        self.predictions.clear()
        self.outcomes.clear()


def batch_of(segments: Sequence[Segment]) -> Batch:
    """The rows of alike segments as they were made durable, one after another."""
    return _batch(segments, [from_ipc(s.payload) for s in segments])


def _batch(segments: Sequence[Segment], tables: Sequence[pa.RecordBatch]) -> Batch:
    apart = [from_ipc(s.protected) for s in segments if s.protected is not None]
    return Batch(segments[0].kind, _together(tables), _together(apart) if apart else None)


def _together(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches as one; a column that one of them lacks is null in its rows."""
    if len(parts) == 1:
        return parts[0]
    whole = pa.concat_tables([pa.Table.from_batches([part]) for part in parts], promote_options="default")
    (batch,) = whole.unify_dictionaries().combine_chunks().to_batches()
    return batch


@dataclass(frozen=True, slots=True)
class Piece:
    """Segments that are folded together, read as far as no state is needed: that may be done ahead of their turn.

    ``rows`` and, of predictions, ``counted``, what they add where all of them count."""

    batch: Batch
    segments: Sequence[Segment]
    rows: Predictions | Outcomes
    search: Search
    counted: dict[Stratum, Summary] = field(default_factory=dict)


def prepare(watch: Watch, segments: Sequence[Segment]) -> list[Piece]:
    """Read alike segments of predictions or outcomes."""
    return [_piece(watch, batch, part) for batch, part in _foldable(segments)]


def _piece(watch: Watch, batch: Batch, segments: Sequence[Segment]) -> Piece:
    space, spec = watch.reference.space, watch.spec
    if batch.kind == "outcomes":
        truths = read_outcomes(space, spec, batch.table)
        return Piece(batch, segments, truths, Search.of(truths.ids))
    rows = read_predictions(space, spec, batch.table, batch.protected)
    counted = count_predictions(space, span_micros(spec.grain), rows, segments[0].sampling_rate)
    return Piece(batch, segments, rows, Search.of(rows.ids), counted)


def fold_pieces(db: Connection, model: ModelState, watch: Watch, joins: Joins, pieces: Sequence[Piece]) -> Touched:
    """Fold predictions or outcomes of segments that are alike: it is the same as to fold one after another, for what
    they share is read and written once."""
    touched = Touched()
    for piece in pieces:
        touched.add(_fold(db, model, watch, joins, piece))
    return touched


def _foldable(segments: Sequence[Segment]) -> Iterator[tuple[Batch, list[Segment]]]:
    """Segments in the pieces that are folded together: those whose columns have other types, since another reference
    stood when they were typed, are apart, and so are outcomes of ids that came just before, for a correction takes back
    what was there."""
    tables = [from_ipc(segment.payload, packed_ids=True) for segment in segments]
    again = _come_again([hash_ids(table.column("prediction_id")) for table in tables]) if _correct(segments) else set()
    start, types = 0, dict[str, pa.DataType]()
    for i, table in enumerate(tables):
        own = dict(zip(table.schema.names, table.schema.types, strict=True))
        if i > start and (i in again or any(types.get(name, kind) != kind for name, kind in own.items())):
            yield _batch(segments[start:i], tables[start:i]), list(segments[start:i])
            start, types = i, {}
        types |= own
    yield _batch(segments[start:], tables[start:]), list(segments[start:])


def _correct(segments: Sequence[Segment]) -> bool:
    """Whether a row of one segment may correct what one before it says."""
    return segments[0].kind == "outcomes" and len(segments) > 1


def _come_again(hashes: Sequence[Words]) -> set[int]:
    """The segments that have an id of one before them; none, as a rule, which one sort of all tells."""
    whole = np.sort(np.concatenate(hashes))
    if not (whole[1:] == whole[:-1]).any():
        return set()
    return {i for i in range(1, len(hashes)) if np.isin(hashes[i], np.concatenate(hashes[:i])).any()}


def _fold(db: Connection, model: ModelState, watch: Watch, joins: Joins, piece: Piece) -> Touched:
    batch, segments, rows = piece.batch, piece.segments, piece.rows
    if isinstance(rows, Predictions):
        result = _predictions(db, model, watch, joins, piece, _clocks(model, segments), seqs_of(segments))
    else:
        stored, predicted = joins.outcomes(db, piece.search), joins.entries(db, piece.search)
        result = fold_outcomes(watch.reference.space, rows, stored, predicted)
        if result.outcomes is not None:
            joins.add_outcomes(result.outcomes, seqs_of(segments)[result.kept])
    replayed = segments[0].event_clock
    instant = _latest(rows.timestamps) if replayed else max(s.received_at for s in segments)
    model.take_time(instant, replayed=replayed)
    touched = _keep(db, model, watch, result, batch, segments[-1].seq)
    _record(db, model, segments, result, np.asarray(batch.table.column("row")))
    return touched


def fold_events(
    db: Connection, model: ModelState, watch: Watch, joins: Joins, spec: ModelSpec, segments: Sequence[Segment]
) -> Touched:
    """Fold the predictions that alike segments of events complete; ``spec``: the declaration of the segments."""
    taken, touched, last = take_events(db, model, spec, segments), Touched(), segments[-1]
    parts = [(segment, part) for segment in segments for part in segment.parts]
    counts, conflicts = taken.counts, [list[int]() for _ in parts]
    model.count(taken.total)
    of = np.repeat(np.arange(len(segments)), [len(s.parts) for s in segments])       # the segment of each batch
    clocks, seqs = _arrivals(model, segments)[of], np.array([s.seq for s in segments])[of]
    model.take_time(max(s.received_at for s in segments), replayed=False)
    for one in taken.predictions:
        piece = _piece(watch, one.batch, segments)
        result = _predictions(db, model, watch, joins, piece, clocks[one.parts], seqs[one.parts])
        touched.add(_keep(db, model, watch, result, one.batch, last.seq))
        for name, n in result.counts.items():
            for i, total in enumerate(np.bincount(one.parts, n, len(parts)).tolist()):
                counts[i][name] += int(total)
        for row in _conflicts(result).tolist():
            conflicts[int(one.parts[row])].append(int(one.batch.table.column("row")[row].as_py()))
    told = [_told(db, model, *parts[i], counts[i], conflicts[i]) for i in range(len(parts))]
    db.execute(upsert(folded, ["seq", "counts", "conflicts"]), told)
    return touched


def _predictions(
    db: Connection, model: ModelState, watch: Watch, joins: Joins, piece: Piece, clocks: Ints, seqs: Ints
) -> Folded:
    """Fold predictions. Late rows are those whose drift window was closed before they came; ``clocks``: where the
    model's clock stood then; ``seqs``: the segment of each; shape (rows,)."""
    rows, grain = piece.rows, span_micros(watch.spec.grain)
    assert isinstance(rows, Predictions), "outcomes are folded otherwise"
    known, waiting = joins.entries(db, piece.search), None
    # Only an orphan waits, the outcome of another version's prediction of the same id, or one whose prediction was cut.
    if known is not None or model.joins_at or (model.counts or {}).get("orphans", 0):
        waiting = joins.outcomes(db, piece.search)
    rate = piece.segments[0].sampling_rate
    result = fold_predictions(watch.reference.space, grain, rows, known, waiting, rate, piece.counted)
    if result.entries is not None:
        joins.add_entries(result.entries, seqs[result.kept])
        result.count("late", result.kept[_late(watch, result.entries.buckets, clocks[result.kept])])
    model.last_prediction = max(model.last_prediction, _latest(rows.timestamps))
    return result


def _keep(db: Connection, model: ModelState, watch: Watch, result: Folded, batch: Batch, seq: int) -> Touched:
    """Store what a fold up to a segment changes but for the joins."""
    _store(db, model, watch.reference.space, result, seq)
    step_values(db, model.id, watch.spec, result, batch.table)
    model.count(result.total)
    return Touched({s.bucket for s in result.predictions}, {s.bucket for s in result.joined})


def note_waiting(db: Connection, model: ModelState, segments: Sequence[Segment]) -> None:
    """Rows that came before any reference: they are folded when one comes."""
    result = Folded(sum(s.rows for s in segments))
    result.kept = np.arange(result.n)
    result.count("waiting_for_reference", result.kept)
    _record(db, model, segments, result, np.arange(result.n))


def _store(db: Connection, model: ModelState, space: Space, result: Folded, seq: int) -> None:
    rows = summaries.row_counts(space, "predictions", result.predictions)
    summaries.merge(db, model.id, "predictions", result.predictions, rows, seq)
    rows = summaries.row_counts(space, "outcomes", result.joined)
    summaries.merge(db, model.id, "outcomes", result.joined, rows, seq)


def seqs_of(segments: Sequence[Segment]) -> Ints:
    """The segment of each row; shape (rows,)."""
    return np.repeat(np.array([s.seq for s in segments]), [s.rows for s in segments])


def _latest(timestamps: Ints) -> int:
    return int(timestamps.max()) if timestamps.size else 0


def _clocks(model: ModelState, segments: Sequence[Segment]) -> Ints:
    """Where the model's clock stood before each row's segment came; shape (rows,)."""
    return np.repeat(_arrivals(model, segments), [s.rows for s in segments])


def _arrivals(model: ModelState, segments: Sequence[Segment]) -> Ints:
    """Where the model's clock stood before each segment came; shape (segments,). Of a replay there is one."""
    before = model.last_prediction if model.event_clock else model.clock
    arrived = np.maximum.accumulate([before, *(max(model.clock, s.received_at) for s in segments[:-1])])
    return np.asarray(arrived, np.int64)


def _late(watch: Watch, buckets: Ints, clocks: Ints) -> npt.NDArray[np.bool_]:
    """Which rows' drift window ended before the model's clock stood where it stands."""
    track = next(t for t in watch.tracks if t.family == "drift")
    starts, of = np.unique(clocks, return_inverse=True)
    closed = np.array([track.window_of(clock)[0] for clock in starts.tolist()], np.int64)[of]
    return np.asarray(buckets + span_micros(watch.spec.grain) <= closed)


def _record(db: Connection, model: ModelState, segments: Sequence[Segment], result: Folded, rows: Ints) -> None:
    """What became of each batch of some segments, for those who ask. ``rows``: the place of each in its request."""
    parts = [(segment, part) for segment in segments for part in segment.parts]
    ends = np.cumsum([part.rows for _, part in parts])
    totals = {name: np.diff(np.cumsum(n)[ends - 1], prepend=0) for name, n in result.counts.items()}
    conflicts, skipped = _conflicts(result), np.ones(result.n, np.bool_)
    skipped[result.kept] = False
    told = []
    for i, ((segment, part), end) in enumerate(zip(parts, ends.tolist(), strict=True)):
        mine = conflicts[slice(*np.searchsorted(conflicts, [end - part.rows, end]))]
        counts = Counter({name: int(n[i]) for name, n in totals.items() if n[i]})
        said = _told(db, model, segment, part, counts, rows[mine].tolist())
        part_rows, part_skipped = rows[end - part.rows : end], skipped[end - part.rows : end]
        told.append(said | {"skipped": pack_places(part_rows[part_skipped])})
    db.execute(upsert(folded, ["seq", "counts", "conflicts", "skipped"]), told)      # a new reference folds all anew


def pack_places(rows: Ints) -> bytes | None:
    """Places in a request as bytes, ``None`` for none; ``unpack_places`` reads them.

    >>> unpack_places(pack_places(np.array([3, 4, 9]))).tolist()
    [3, 4, 9]
    """
    if not rows.size:
        return None
    steps = np.diff(rows, prepend=0).astype("<i4").tobytes()
    return len(steps).to_bytes(4, "little") + bytes(pa.compress(steps, "zstd", asbytes=True))


def unpack_places(data: bytes | None) -> Ints:
    if data is None:
        return np.empty(0, np.int64)
    steps = pa.decompress(data[4:], int.from_bytes(data[:4], "little"), "zstd", asbytes=True)
    return np.cumsum(np.frombuffer(steps, "<i4").astype(np.int64))


def _told(
    db: Connection, model: ModelState, segment: Segment, part: Part, counts: Counter[str], conflicts: list[int]
) -> dict[str, Any]:
    """What became of a batch; its conflicts are kept beside the rejects."""
    why = _CONFLICT[segment.kind == "outcomes"]
    refused = [Reject(row, *why) for row in conflicts[:MOST_CONFLICTS]]
    refusals.add(db, model.id, part.batch_id, segment.received_at, "conflict", refused)
    return {
        "batch_id": part.batch_id,
        "model": model.id,
        "seq": segment.seq,
        "counts": {name: n for name, n in counts.items() if n},
        "conflicts": conflicts[:MOST_CONFLICTS],
    }


_CONFLICT = (
    ("prediction_id", "is there already with other content, which counts; send another prediction under its own id"),
    ("timestamp", "another outcome of this id has it; send a correction with a later timestamp"),
)


def _conflicts(result: Folded) -> Ints:
    return np.flatnonzero(result.counts.get("conflicts", np.zeros(0)))
