"""Events as the log keeps them: a row each, in the order that they came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import pyarrow as pa

from monitor.events.pairing import Half

_SCHEMA = pa.schema([
    ("row", pa.int32()),
    ("event_id", pa.string()),
    ("node", pa.string()),
    ("side", pa.string()),
    ("source", pa.int32()),
    ("time", pa.timestamp("us", "UTC")),
    ("attributes", pa.string()),
    ("content_type", pa.string()),
])  # fmt: skip
_BODY = pa.schema([("data", pa.large_binary())])


def to_rows(halves: Sequence[Half]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """What tells the events apart (``row``: their place in the request, ``source``: that of the declared source that
    takes them), and their bodies, in the same order. The bodies may hold protected attributes."""
    told = [
        pa.array([h.place for h in halves], pa.int32()),
        pa.array([h.id for h in halves], pa.string()),
        pa.array([h.node for h in halves], pa.string()),
        pa.array([h.side for h in halves], pa.string()),
        pa.array([h.source for h in halves], pa.int32()),
        pa.array([h.time for h in halves], pa.timestamp("us", "UTC")),
        pa.array([h.attributes for h in halves], pa.string()),
        pa.array([h.content_type for h in halves], pa.string()),
    ]
    bodies = [pa.array([h.data for h in halves], pa.large_binary())]
    return pa.RecordBatch.from_arrays(told, schema=_SCHEMA), pa.RecordBatch.from_arrays(bodies, schema=_BODY)


def from_rows(told: pa.RecordBatch, bodies: pa.Array, at: int, parts: Iterable[int], first: int = 0) -> list[Half]:
    """The events of a segment that came at ``at``; ``parts`` are the rows of each of its batches, numbered from
    ``first``.

    >>> half = Half("r", "predictor", "request", 7, 5, "{}", "application/json", b"[]", 1, 0, 3)
    >>> told, bodies = to_rows([half])
    >>> from_rows(told, bodies.column("data"), 7, [1]) == [half]
    True
    """
    part = list(chain.from_iterable([number] * rows for number, rows in enumerate(parts, first)))
    times = told.column("time").cast(pa.int64()).to_pylist()
    named = (told.column(name).to_pylist() for name in ("event_id", "node", "side", "attributes", "content_type"))
    places = (told.column("source").to_pylist(), told.column("row").to_pylist())
    return [
        Half(id_, node, side, at, time, attributes, content_type, data, source, part[i], place)
        for i, (id_, node, side, attributes, content_type, time, data, source, place) in enumerate(
            zip(*named, times, bodies.to_pylist(), *places, strict=True)
        )
    ]
