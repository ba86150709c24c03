"""Requests of few rows, typed and written together: their columns are joined, typed once, and told apart again.

What each gets is what it would have got alone: the numbers of its rows, its rejects, its notes and its own answer. To
type 25 features costs about the same for one row as for a thousand, and so does a segment.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Batch, Reject
from monitor.clock import Now
from monitor.codecs import normalise
from monitor.codecs.columns import Columns
from monitor.codecs.refusals import SEPARATOR
from monitor.codecs.segment import to_ipc
from monitor.errors import NoGoodRow
from monitor.ingest.few import UNDECLARED, Few
from monitor.ingest.receipt import check_good, made_up_id, new_batch_ids, part_of, receipt_of
from monitor.log.port import Part, Segment
from monitor.log.writer import Append
from monitor.times import to_micros

_GROUP_ROWS = 20_000


class Gathering:
    """Makes segments of what waits; ``now`` is when they arrived."""

    def __init__(self, now: Now) -> None:
        self.now = now

    def __call__(self, waiting: Sequence[Few]) -> list[Append]:
        """One segment for each group of requests that are alike. Nobody's fault is another's."""
        now = self.now()
        groups: dict[tuple[Any, ...], list[Few]] = {}
        for few in waiting:
            if not few.answer.cancelled():      # whoever has gone writes nothing
                groups.setdefault(few.key, []).append(few)
        return list(chain.from_iterable(_joined(part, now) for group in groups.values() for part in _bounded(group)))


def _bounded(group: list[Few]) -> Iterator[list[Few]]:
    """A group in parts of a bounded number of rows and fields."""
    part: list[Few] = []
    rows, most, names = 0, len(group[0].schema.features) + 2 * UNDECLARED, set[str]()
    for few in group:
        wider = names | few.columns.data.keys()
        if part and (rows + few.columns.n_rows > _GROUP_ROWS or len(wider) > most):
            yield part
            part, rows, wider = [], 0, set(few.columns.data)
        part.append(few)
        rows, names = rows + few.columns.n_rows, wider
    yield part


def _joined(group: list[Few], now: datetime) -> list[Append]:
    ids = new_batch_ids(now, len(group))
    try:
        batch = normalise(join(group, ids), group[0].schema, group[0].kind, "", now)
        parts = split(batch, group, ids)
    except Exception as error:
        if len(group) == 1:
            _tell([(group[0], error)])
            return []
        return [append for few in group for append in _joined([few], now)]
    good: list[tuple[Few, Part]] = []
    for few, part in zip(group, parts, strict=True):
        try:
            check_good(part.rows, part.rejects, few.atomic)
            good.append((few, part))
        except NoGoodRow as error:
            _tell([(few, error)])
    if sum(part.rows for _, part in good) < batch.accepted:      # rows of an atomic request that is refused
        return _joined([few for few, _ in good], now) if good else []
    return [_append(good, own_rows(batch, group), batch.protected, now)] if good else []


def join(group: Sequence[Few], ids: Sequence[str]) -> Columns:
    """The columns of requests that are alike, one below the other. What one of them lacks is null in its rows, and
    predictions that came without an id get the one that is made of their own batch's."""
    n_rows = [few.columns.n_rows for few in group]
    starts = [0, *accumulate(n_rows)]
    rejects = [
        Reject(start + r.row, r.field, r.reason)
        for start, few in zip(starts, group, strict=False)
        for r in few.columns.rejects
    ]
    sent = [few.columns.data for few in group]
    names = dict.fromkeys(chain.from_iterable(sent))
    data: dict[str, Any] = {name: _stacked(name, sent, n_rows) for name in names}
    if group[0].kind == "predictions":
        data["prediction_id"] = _named(data.get("prediction_id"), ids, n_rows)
    first = group[0].columns
    return Columns(data, starts[-1], first.envelope, rejects, first.untyped)


def _stacked(name: str, sent: Sequence[dict[str, Any]], n_rows: Sequence[int]) -> list[Any] | pa.Array:
    if isinstance(sent[0].get(name), pa.Array):     # of one schema: all of them have it
        return pa.concat_arrays([data[name] for data in sent])
    out: list[Any] = []
    for data, n in zip(sent, n_rows, strict=True):
        out += data[name] if name in data else [None] * n
    return out


def _named(column: list[Any] | pa.Array | None, ids: Sequence[str], n_rows: Sequence[int]) -> list[Any] | pa.Array:
    """The ids of predictions, with those made up where none was sent."""
    if isinstance(column, pa.Array) and not column.null_count:
        return column
    if isinstance(column, list) and None not in column:
        return column
    made = [made_up_id(batch_id, row) for batch_id, n in zip(ids, n_rows, strict=True) for row in range(n)]
    if isinstance(column, pa.Array):
        return pc.coalesce(column, pa.array(made, column.type))
    return made if column is None else [own if sent is None else sent for sent, own in zip(column, made, strict=True)]


def split(batch: Batch, group: Sequence[Few], ids: Sequence[str]) -> list[Part]:
    """What of a joined batch is each request's: how many good rows, its rejects by its own row numbers, its notes."""
    starts = _starts(group)
    accepted = np.bincount(_owners(batch, starts), minlength=len(group)).tolist()
    rejects: list[list[Reject]] = [[] for _ in group]
    for r in batch.rejects:
        owner = bisect_right(starts, r.row) - 1
        rejects[owner].append(Reject(r.row - starts[owner], r.field, r.reason))
    mistyped = _mistyped(batch, group)
    declared = [f"features.{name}" for name in group[0].schema.features] if group[0].kind != "outcomes" else []
    return [
        part_of(
            ids[i], accepted[i], rejects[i], _notes(few.columns, declared, batch, accepted[i], mistyped.get(i, {})),
            few.columns.envelope,
        )
        for i, few in enumerate(group)
    ]  # fmt: skip


def own_rows(batch: Batch, group: Sequence[Few]) -> pa.RecordBatch:
    """The joined table, with ``row`` as each request numbers its own."""
    starts, at = np.array(_starts(group)), batch.table.schema.get_field_index("row")
    rows = batch.table["row"].to_numpy() - starts[_owners(batch, starts)]
    return batch.table.set_column(at, "row", pa.array(rows, pa.int32()))


def _starts(group: Sequence[Few]) -> list[int]:
    return [0, *accumulate(few.columns.n_rows for few in group)][:-1]


def _owners(batch: Batch, starts: Sequence[int] | np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Whose each good row is, by the request's place in its group."""
    rows: np.ndarray[Any, np.dtype[np.int32]] = batch.table["row"].to_numpy()
    return np.searchsorted(starts, rows, side="right") - 1


def _mistyped(batch: Batch, group: Sequence[Few]) -> dict[int, Counter[str]]:
    """By the request's place: how many of its good rows had a wrong type in which field."""
    found: dict[int, Counter[str]] = {}
    if "mistyped" in batch.notes:
        owners = _owners(batch, _starts(group)).tolist()
        for owner, names in zip(owners, batch.table["mistyped"].to_pylist(), strict=True):
            if names is not None:
                found.setdefault(owner, Counter()).update(f"features.{name}" for name in names.split(SEPARATOR))
    return found


def _notes(
    columns: Columns, declared: Sequence[str], batch: Batch, accepted: int, mistyped: Mapping[str, int]
) -> dict[str, Any]:
    """The notes of one request, as ``normalise`` makes them."""
    data, left = columns.data, batch.notes.get("undeclared")
    notes: dict[str, Any] = {}
    if left and (undeclared := {wire: n for wire, column in data.items() if wire in left and (n := _count(column))}):
        notes["undeclared"] = undeclared
    if absent := [wire for wire in declared if wire not in data]:
        notes["absent"] = dict.fromkeys(absent, accepted)
    if mistyped:
        notes["mistyped"] = {wire: mistyped[wire] for wire in declared if wire in mistyped}
    return notes


def _count(column: list[Any] | pa.Array) -> int:
    return len(column) - (column.count(None) if isinstance(column, list) else column.null_count)


def _append(
    good: list[tuple[Few, Part]], table: pa.RecordBatch, protected: pa.RecordBatch | None, now: datetime
) -> Append:
    first = good[0][0]
    segment = Segment(
        model=first.model,
        kind=first.kind,
        received_at=to_micros(now),
        event_clock=first.columns.envelope.clock == "event",
        sampling_rate=first.columns.envelope.sampling_rate,
        declaration=first.declaration,
        payload=to_ipc(table),
        protected=None if protected is None else to_ipc(protected),
        parts=tuple(part for _, part in good),
    )

    def written(_: Segment | None) -> None:
        _tell([(few, receipt_of(part)) for few, part in good])

    def failed(error: Exception) -> None:
        _tell([(few, error) for few, _ in good])

    return Append(segment, written, failed)


def _tell(answers: Sequence[tuple[Few, Any]]) -> None:
    """Answer requests, each in its own loop: with a receipt or an error."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Few, Any]]] = {}
    for few, answer in answers:
        by_loop.setdefault(few.answer.get_loop(), []).append((few, answer))
    for loop, its in by_loop.items():
        with suppress(RuntimeError):        # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(_settle, its)


def _settle(answers: Sequence[tuple[Few, Any]]) -> None:
    for few, answer in answers:
        if few.answer.done():       # gone
            continue
        if isinstance(answer, Exception):
            few.answer.set_exception(answer)
        else:
            few.answer.set_result(answer)
