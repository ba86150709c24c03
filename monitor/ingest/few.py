"""A request of few rows on its way to the log: what makes it fit to be typed together with others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from monitor.batch import Kind
from monitor.codecs.columns import Columns
from monitor.model import Schema

MOST_ROWS = 2_000           # of a request that is gathered
MOST_CELLS = 100_000        # and its rows times fields
UNDECLARED = 64             # fields beyond the declared: more would slow down those who wait beside it
_FLAT = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null,
         pa.types.is_timestamp)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Few:
    """A decoded request that waits to be typed; ``answer`` gets its ``Receipt``, or an error, in its own loop."""

    model: str
    kind: Kind
    columns: Columns
    declaration: int
    schema: Schema
    atomic: bool
    answer: asyncio.Future[Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """What requests must have in common to be joined. Of Arrow that is their schema; of JSON's values nothing."""
        data, envelope = self.columns.data, self.columns.envelope
        form: tuple[Any, ...] = ()
        if not isinstance(next(iter(data.values()), []), list):     # then none is: ``may_gather`` saw to it
            form = tuple((name, str(array.type)) for name, array in data.items())  # type: ignore[union-attr]
        alike = (envelope.clock, envelope.sampling_rate, self.columns.untyped, form)
        return self.model, self.kind, self.declaration, id(self.schema), *alike


def may_gather(columns: Columns, kind: Kind, schema: Schema) -> bool:
    """Whether a request is small and plain enough to be typed together with others."""
    data, n = columns.data, columns.n_rows
    if kind == "reference" or not 0 < n <= MOST_ROWS or n * len(data) > MOST_CELLS:
        return False
    if len(data) > len(schema.features) + UNDECLARED:
        return False
    arrays = [column for column in data.values() if not isinstance(column, list)]
    if not arrays:
        return True
    ids = data.get("prediction_id")
    named = ids is not None and not isinstance(ids, list) and (pa.types.is_string(ids.type) or not ids.null_count)
    return len(arrays) == len(data) and named and all(any(is_a(a.type) for is_a in _FLAT) for a in arrays)
