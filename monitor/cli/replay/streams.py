"""A recorded stream: a folder of Parquet files and declarations, as what a model service would have sent, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitor.batch import Kind
from monitor.cli.failure import USAGE, Failure
from monitor.cli.files import Declared, to_wire
from monitor.model import ModelSpec, parse_declaration

SHIPPED = Path(__file__).resolve().parents[3] / "data"
FILES: tuple[Kind, ...] = ("reference", "predictions", "outcomes")

# How the shipped columns are called on the wire (data/README.md); a folder of one's own may use the wire's names.
RENAME = {
    "binary_classification": {
        "score": "prediction_score", "prediction": "prediction_label", "label": "actual_label"
    },
    "regression": {"predicted_arr_delay": "prediction_value", "arr_delay": "actual_value"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stream:
    """One model's part of a recording: tables under the wire's names, predictions and outcomes by time."""

    spec: ModelSpec
    declaration: bytes
    reference: pa.Table
    predictions: pa.Table
    outcomes: pa.Table

    @property
    def rows(self) -> int:
        return int(self.predictions.num_rows + self.outcomes.num_rows)

    @property
    def expected(self) -> dict[str, int]:
        """What must be counted in the end, whatever is sent twice on the way."""
        ids = pc.unique(self.predictions["prediction_id"])
        outcomes = pc.unique(self.outcomes["prediction_id"])
        joined = int(pc.sum(pc.is_in(outcomes, value_set=ids)).as_py() or 0)
        return {"predictions": len(ids), "joined": joined, "orphans": len(outcomes) - joined}


@dataclass(frozen=True, slots=True)
class Recording:
    """``figures``: what other tools computed from the same files, where the folder says so."""

    name: str
    streams: list[Stream]
    figures: dict[str, Any]

    @property
    def rows(self) -> int:
        return sum(s.rows for s in self.streams)


@dataclass(frozen=True, slots=True)
class Post:
    """One batch on its way: ``at`` is the time of its last row."""

    stream: Stream
    kind: Kind
    table: pa.Table
    at: datetime


def open_recording(where: str) -> Recording:
    """The recording of that name among those that ship, or in that folder."""
    folder = SHIPPED / where if (SHIPPED / where).is_dir() else Path(where)
    missing = [f"{n}.parquet" for n in FILES if not (folder / f"{n}.parquet").is_file()]
    if missing:
        shipped = ", ".join(sorted(f.parent.name for f in SHIPPED.glob("*/predictions.parquet"))) or "none here"
        mend = f"Name a folder of reference.parquet, predictions.parquet, outcomes.parquet, or one of: {shipped}"
        raise Failure(f"'{where}' lacks {', '.join(missing)}", mend, USAGE)
    declarations = sorted(folder.rglob("*.yaml"))
    if not declarations:
        raise Failure(f"'{where}' has no declaration", "Put the model's declaration beside the data: model.yaml", USAGE)
    tables = {n: pq.read_table(folder / f"{n}.parquet") for n in FILES}
    figures = folder / "expected.json"
    return Recording(
        folder.name,
        [_stream(file.read_bytes(), tables) for file in declarations],
        json.loads(figures.read_text("utf-8")) if figures.exists() else {},
    )


def in_order(streams: list[Stream], rows: int) -> Iterator[Post]:
    """Batches of at most ``rows`` rows as they would have come: predictions at their time, and after each batch of
    them the outcomes that were known by then."""
    sent = [0] * len(streams)
    known_at = [_instants(s.outcomes) for s in streams]
    for first in range(0, max(s.predictions.num_rows for s in streams), rows):
        for i, stream in enumerate(streams):
            batch = stream.predictions.slice(first, rows)
            if batch.num_rows:
                yield Post(stream, "predictions", batch, _last(batch))
                upto = int(np.searchsorted(known_at[i], _instants(batch)[-1], "right"))
                yield from _outcomes(stream, sent[i], upto, rows)
                sent[i] = max(sent[i], upto)
    for i, stream in enumerate(streams):
        yield from _outcomes(stream, sent[i], stream.outcomes.num_rows, rows)


def _outcomes(stream: Stream, first: int, end: int, rows: int) -> Iterator[Post]:
    for i in range(first, end, rows):
        batch = stream.outcomes.slice(i, min(rows, end - i))
        yield Post(stream, "outcomes", batch, _last(batch))


def _stream(declaration: bytes, tables: dict[Kind, pa.Table]) -> Stream:
    spec = parse_declaration(declaration, "yaml")
    declared = Declared(tuple(spec.features or ()), tuple(spec.protected_attributes))
    rename = RENAME[spec.task]
    wire = {kind: to_wire(table, kind, declared, rename) for kind, table in tables.items()}
    return Stream(spec, declaration, wire["reference"], _sorted(wire["predictions"]), _sorted(wire["outcomes"]))


def _sorted(table: pa.Table) -> pa.Table:
    """By time, rows of the same instant in the file's order."""
    times = _instants(table)
    if bool((times[1:] >= times[:-1]).all()):
        return table.combine_chunks()
    return table.take(pa.array(np.argsort(times, kind="stable"))).combine_chunks()


def _instants(table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Microseconds since 1970."""
    return np.asarray(table["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy())


def _last(table: pa.Table) -> datetime:
    return datetime.fromtimestamp(int(_instants(table)[-1]) / 1e6, UTC)
