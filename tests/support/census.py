"""The shipped census stream as a model service would send it: Arrow bodies in the order of their arrival."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from arrivals import ARROW, Post, body, interleaved

__all__ = ["ARROW", "DATA", "MODEL", "Post", "arrivals", "declaration", "reference"]

DATA = Path(__file__).parents[2] / "data" / "census"
MODEL = "census-employment"
PROTECTED = ("SEX", "RAC1P")
_NOT_FEATURES = ("prediction_id", "timestamp", "score", "prediction", "label", "year")


def declaration() -> bytes:
    return (DATA / "model.yaml").read_bytes()


def reference() -> Post:
    return "reference", body(_named(pq.read_table(DATA / "reference.parquet"), "reference"))


def arrivals(rows: slice = slice(None), size: int = 1_000) -> Iterator[Post]:
    """Predictions of ``rows`` and their outcomes, ``size`` rows at most a body."""
    predictions = pq.read_table(DATA / "predictions.parquet")
    start, stop, _ = rows.indices(len(predictions))
    predictions = predictions.slice(start, stop - start)
    outcomes = pq.read_table(DATA / "outcomes.parquet")
    outcomes = outcomes.filter(pc.is_in(outcomes["prediction_id"], predictions["prediction_id"].combine_chunks()))
    for kind, part in interleaved(predictions, outcomes, size):
        yield kind, body(_named(part, kind))


def _named(table: pa.Table, kind: str) -> pa.Table:
    columns = {"prediction_id": table["prediction_id"], "timestamp": table["timestamp"]}
    if kind != "outcomes":
        columns |= {"prediction_score": table["score"], "prediction_label": table["prediction"]}
        columns |= {f"features.{n}": table[n] for n in table.column_names if n not in _NOT_FEATURES}
        columns |= {f"protected.{n}": table[n] for n in PROTECTED}
    if kind != "predictions":
        columns["actual_label"] = table["label"]
    return pa.table(columns)
