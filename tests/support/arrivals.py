"""Predictions and outcomes in the order in which they reach Vigil, as Arrow bodies."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ARROW = "application/vnd.apache.arrow.stream"
Post = tuple[str, bytes]       # kind of batch, body


def interleaved(predictions: pa.Table, outcomes: pa.Table, size: int) -> Iterator[tuple[str, pa.Table]]:
    """Parts of at most ``size`` rows, each outcome behind the predictions that were there when it became known."""
    outcomes = outcomes.take(pc.sort_indices(outcomes["timestamp"]))
    known_at, sent = outcomes["timestamp"].to_numpy(), 0
    for start in range(0, len(predictions), size):
        part = predictions.slice(start, size)
        upto = int(np.searchsorted(known_at, part["timestamp"].to_numpy()[-1], "right"))
        for at in range(sent, upto, size):
            yield "outcomes", outcomes.slice(at, min(size, upto - at))
        sent = upto
        yield "predictions", part
    for at in range(sent, len(outcomes), size):
        yield "outcomes", outcomes.slice(at, size)


def body(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
