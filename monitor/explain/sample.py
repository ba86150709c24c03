"""A sample of a model's raw rows: at most so many, the same ones each time, at a cost that no volume raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from detectors.domain_classifier import MOST_ROWS
from detectors.summaries.summary import Floats, Ints
from monitor.codecs.segment import column_of, from_ipc
from monitor.database import reading
from monitor.fold.digest import row_digests
from monitor.fold.join import SERVING
from monitor.fold.rows import column, micros
from monitor.log.sql import SqlLog
from monitor.log.tables import segments
from monitor.times import span_micros

MOST_READ = 50_000      # rows that are read of one window,
MOST_SEGMENTS = MOST_ROWS       # in so many segments at most, evenly spread
PROBES = 32             # segments looked into, at each step of the search for those of a window
TOGETHER = 64           # segments read at a time
AHEAD = span_micros(timedelta(minutes=5))      # a prediction may be so far ahead of its arrival

Stored = Sequence[tuple[int, int]]      # segments: the number and the rows of each
Encode = Callable[[pa.RecordBatch], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows: ``digests`` of their identities, their ``times`` in microseconds, their ``values`` (n, columns)."""

    digests: Ints
    times: Ints
    values: Floats

    def take(self, at: Ints) -> Rows:
        return Rows(self.digests[at], self.times[at], self.values[at])

    def in_time(self) -> Rows:
        return self.take(np.argsort(self.times, kind="stable"))


def reference_rows(log: SqlLog, seq: int, encode: Encode) -> Rows:
    """A sample of the reference's rows, in the order of time."""
    return _least(encode, ((table, 1.0) for table in _tables(log, [seq]))).in_time()


def window_rows(
    log: SqlLog, model: str, upto: int, start: int, end: int, encode: Encode, thinned_to: float | None = None
) -> Rows:
    """A sample of the serving predictions of ``[start, end)`` that are folded (``upto``), in the order of time.

    Each identity counts once. Where a window has more segments or rows than are read, evenly spread ones stand for all.
    ``thinned_to``: the lowest sampling rate of the window, where there are several: as many rows of every other one are
    left out as would not have been sent at this, so that any row there was is as likely as any other.
    """
    stored = log.sizes(model, "predictions", start - AHEAD, upto)
    picked = _spread(_overlapping(stored, lambda seq: _times(log, seq), start, end))
    seqs = [seq for seq, _ in picked]
    shares = {1.0: seqs} if thinned_to is None else _by_share(log, seqs, thinned_to)
    tables = ((_inside(table, start, end), share) for share, some in shares.items() for table in _tables(log, some))
    return _least(encode, tables).in_time()


def _by_share(log: SqlLog, seqs: Sequence[int], rate: float) -> dict[float, list[int]]:
    """Segments by the share of their rows that would have been sent at a rate."""
    query = select(segments.c.seq, segments.c.sampling_rate).where(segments.c.seq.in_(seqs)).order_by(segments.c.seq)
    found: dict[float, list[int]] = {}
    with reading(log.engine) as db:
        for seq, of_segment in db.execute(query):
            found.setdefault(min(rate / of_segment, 1.0), []).append(seq)
    return found


def _overlapping(stored: Stored, times: Callable[[int], tuple[int, int]], start: int, end: int) -> Stored:
    """The segments that may hold rows of ``[start, end)``, as far as all cannot be read; ``times`` gives the first and
    the last instant of one.

    The log is about in the order of event time, or in stretches of it (a backfill, say): between two segments that lie
    both before the window, or both behind, none is looked for.

    >>> days = {seq: (seq, seq) for seq in range(2000)}
    >>> found = [seq for seq, _ in _overlapping([(seq, 1000) for seq in days], days.__getitem__, 700, 702)]
    >>> {700, 701} < set(found), len(found)
    (True, 5)
    """
    while _too_many(stored):
        at = np.unique(np.linspace(0, len(stored) - 1, PROBES).astype(np.int64)).tolist()
        spans = [times(stored[i][0]) for i in at]
        if len(at) == len(stored):
            return [s for s, (first, last) in zip(stored, spans, strict=True) if first < end and last >= start]
        kept: dict[int, None] = {}
        for (i, (first, last)), (j, (first2, last2)) in pairwise(zip(at, spans, strict=True)):
            if min(first, first2) < end and max(last, last2) >= start:
                kept.update(dict.fromkeys(range(i, j + 1)))
        narrowed = len(kept) <= len(stored) // 2
        stored = [stored[i] for i in kept]
        if not narrowed:
            break
    return stored


def _too_many(stored: Stored) -> bool:
    return len(stored) > MOST_SEGMENTS or sum(n for _, n in stored) > MOST_READ


def _spread(stored: Stored) -> Stored:
    """As many of them as are read, evenly spread, and one at least."""
    if not _too_many(stored):
        return stored
    rows = sum(n for _, n in stored)
    most = max(1, min(MOST_SEGMENTS, len(stored) * MOST_READ // rows))
    return [stored[i] for i in np.linspace(0, len(stored) - 1, most).astype(np.int64)]


def _times(log: SqlLog, seq: int) -> tuple[int, int]:
    (payload,) = log.payloads([seq]) or (None,)
    values = None if payload is None else column_of(payload, "timestamp")
    found = micros(values, 1 if values is None else len(values))
    return int(found.min()), int(found.max())


def _tables(log: SqlLog, seqs: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """The rows of segments, those of one shape together: a service may send them one by one."""
    for at in range(0, len(seqs), TOGETHER):
        alike: dict[pa.Schema, list[pa.RecordBatch]] = {}
        for payload in log.payloads(seqs[at : at + TOGETHER]):
            table = from_ipc(payload)
            alike.setdefault(table.schema, []).append(table)
        for tables in alike.values():
            yield from pa.Table.from_batches(tables).combine_chunks().to_batches()


def _inside(table: pa.RecordBatch, start: int, end: int) -> pa.RecordBatch:
    at = _instants(table)
    serving = np.asarray(pc.equal(table.column("role"), SERVING))
    return table.filter(pa.array((at >= start) & (at < end) & serving))


def _instants(table: pa.RecordBatch) -> Ints:
    return micros(column(table, "timestamp"), table.num_rows)


def _least(encode: Encode, tables: Iterable[tuple[pa.RecordBatch, float]]) -> Rows:
    """The rows whose identities have the smallest digests: the same ones whatever the order of the tables, and any row
    as likely as any other; of each table a share alone is looked at."""
    total: Rows | None = None
    for table, share in tables:
        if table.num_rows:
            digests, looked_at = _stretched(_digests(table), share)
            kept = np.sort(looked_at[_smallest(digests[looked_at])])
            part = table.take(pa.array(kept))
            found = Rows(digests[kept], _instants(part), encode(part))
            total = found if total is None else _merged(total, found)
    return total or Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 0)))


def _merged(a: Rows, b: Rows) -> Rows:
    digests, times = np.concatenate([a.digests, b.digests]), np.concatenate([a.times, b.times])
    both = Rows(digests, times, np.concatenate([a.values, b.values]))
    return both.take(np.sort(_smallest(both.digests)))


def _stretched(digests: Ints, share: float) -> tuple[Ints, Ints]:
    """A share of some digests, the smallest, spread out over the numbers of all; and where they stand.

    >>> low = np.iinfo(np.int64).min
    >>> [found.tolist() for found in _stretched(np.array([low, low + 2**60, 5]), 0.25)]
    [[-9223372036854775808, -4611686018427387904, 5], [0, 1]]
    """
    if share >= 1.0:
        return digests, np.arange(digests.size)
    places = digests.astype(np.float64) + 2.0**63
    at = np.flatnonzero(places < share * _ALL)
    out = digests.copy()
    out[at] = (np.minimum(places[at] / share, _ALL) - 2.0**63).clip(max=_TOP).astype(np.int64)
    return out, at


_ALL = 2.0**64
_TOP = np.nextafter(2.0**63, 0)


def _smallest(digests: Ints) -> Ints:
    """Where the ``MOST_ROWS`` smallest stand, the first of equal ones."""
    return np.unique(digests, return_index=True)[1][:MOST_ROWS].astype(np.int64)


def _digests(table: pa.RecordBatch) -> Ints:
    identity = {"id": table.column("prediction_id"), "version": table.column("model_version")}
    return row_digests(pa.RecordBatch.from_pydict(identity))
