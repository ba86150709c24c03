"""The shipped flights stream, for its two models, as Arrow bodies in the order of their arrival."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from arrivals import Post, body, interleaved

DATA = Path(__file__).parents[2] / "data" / "flights"
FEATURES = (
    "carrier", "origin", "dest", "day_of_week", "hour", "minute", "distance", "temp", "wind_speed", "precip", "visib",
)  # fmt: skip
CLASSIFIER, REGRESSOR = "flights-delay", "flights-arrival"


def declaration(model: str) -> bytes:
    return (DATA / "models" / f"{model}.yaml").read_bytes()


def reference(model: str) -> Post:
    table = pq.read_table(DATA / "reference.parquet")
    return "reference", body(_named(table, model, predictions=True, outcomes=True))


def arrivals(model: str, size: int = 8_000) -> Iterator[Post]:
    predictions = pq.read_table(DATA / "predictions.parquet")
    outcomes = pq.read_table(DATA / "outcomes.parquet")
    for kind, part in interleaved(predictions, outcomes, size):
        yield kind, body(_named(part, model, predictions=kind == "predictions", outcomes=kind == "outcomes"))


def _named(table: pa.Table, model: str, *, predictions: bool, outcomes: bool) -> pa.Table:
    columns = {"prediction_id": table["prediction_id"], "timestamp": table["timestamp"]}
    classify = model == CLASSIFIER
    if predictions:
        columns |= {f"features.{n}": table[n] for n in FEATURES}
        if classify:
            columns |= {"prediction_score": table["score"], "prediction_label": table["prediction"]}
            columns["protected.origin"] = table["origin"]
        else:
            columns["prediction_value"] = table["predicted_arr_delay"]
    if outcomes:
        columns["actual_label" if classify else "actual_value"] = table["label" if classify else "arr_delay"]
    return pa.table(columns)
