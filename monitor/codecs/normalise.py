"""From a request's columns to a Batch: each column typed by the declaration, bad rows set aside with a reason.

The same rows give the same Batch in whatever format they came: columns stand in one order, an optional column is there
only where a good row has a value in it, and a dictionary lists its words in the order of the rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Batch, Kind
from monitor.codecs.columns import Columns
from monitor.codecs.refusals import Refusals
from monitor.codecs.times import instants
from monitor.codecs.values import (
    Column,
    as_array,
    class_scores,
    finite,
    missing,
    numbers,
    rankings,
    scores,
    texts,
    vectors,
)
from monitor.model import FeatureType, Schema, dimensions

ROLES = ("champion", "challenger", "shadow")
MAX_ID = 128
_OWN_TEXTS = ("status", "subject_key", "request_id", "trace_id")


def normalise(columns: Columns, schema: Schema, kind: Kind, batch_id: str, now: datetime) -> Batch:
    """The good rows of a request as a Batch, and its rejects.

    ``notes`` has ``undeclared`` (wire names that were sent and are not kept, with their values' number) and ``absent``
    (declared features that were not sent at all, with the number of good rows), each only where there are any.
    """
    typed = _Typing(columns, schema, kind, now)
    typed.identity(batch_id)
    if kind != "outcomes":
        typed.prediction()
    if kind != "predictions":
        typed.outcome()
    if kind != "outcomes":
        typed.inputs()
    return typed.batch()


def infer_features(columns: Columns) -> dict[str, FeatureType]:
    """The features of a reference: text, booleans and dictionaries are categories, numbers are numeric.

    A column without a single value is left out, as nothing says what it is.

    >>> infer_features(Columns({"features.age": [40, None], "features.plan": ["a", "b"], "features.x": [None] * 2}, 2))
    {'age': 'numeric', 'plan': 'categorical'}
    """
    found: dict[str, FeatureType] = {}
    for wire, column in columns.data.items():
        if wire.startswith("features."):
            kind = _feature_type(column)
            if kind is not None:
                found[wire.removeprefix("features.")] = kind
    return found


def _feature_type(column: Column) -> FeatureType | None:
    if isinstance(column, pa.Array) and pa.types.is_dictionary(column.type):
        return "categorical"
    array = as_array(column)
    if array is None:       # values of many types: numbers only where none of them is a text or a boolean
        return "categorical" if {str, bool} & set(map(type, column)) else "numeric"
    if array.null_count == len(array):
        return None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        lengths = pc.unique(pc.list_value_length(array).drop_null()).to_pylist()
        return f"embedding[{lengths[0]}]" if len(lengths) == 1 and lengths[0] else "categorical"
    is_number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)
    return "numeric" if is_number else "categorical"


class _Typing:
    """One pass over a request's columns, each taken once by its wire name."""

    def __init__(self, columns: Columns, schema: Schema, kind: Kind, now: datetime) -> None:
        self.columns, self.schema, self.kind, self.now = columns, schema, kind, now
        self.n = columns.n_rows
        self.left = dict(columns.data)
        self.refusals = Refusals(columns.rejects)
        self.typed: dict[str, pa.Array] = {}    # in the order of the Batch's columns
        self.always: set[str] = {"prediction_id", "timestamp"}
        self.categories: set[str] = set()
        self.protected: dict[str, pa.Array] = {}
        self.absent: list[str] = []

    @property
    def classifies(self) -> bool:
        return self.schema.spec.classifies

    def take(self, wire: str) -> Column:
        """A column, or nulls where it was not sent."""
        return self.left.pop(wire) if wire in self.left else pa.nulls(self.n)

    def text(self, wire: str, longest: int = 1024) -> pa.StringArray:
        return texts(self.take(wire), wire, self.refusals, longest)

    def need(self, absent: np.ndarray[Any, Any], field: str, mend: str) -> None:
        self.refusals.where(absent, field, f"is missing; {mend}")

    def identity(self, batch_id: str) -> None:
        ids = self.text("prediction_id", MAX_ID)
        self.refusals.where(pc.equal(ids, ""), "prediction_id", "is empty; send a text, or leave it out")
        if self.kind == "outcomes":
            self.need(missing(ids), "prediction_id", "send the id of the prediction that it is about")
        elif ids.null_count:
            ids = pc.coalesce(ids, pa.array([f"{batch_id}/{row}" for row in range(self.n)], pa.string()))
        times = instants(self.take("timestamp"), "timestamp", self.now, self.refusals)
        if self.kind != "reference":
            self.need(missing(times), "timestamp", "send RFC 3339 with a zone, such as 2026-01-31T12:00:00Z")
        self.typed |= {"prediction_id": ids, "timestamp": times}

    def prediction(self) -> None:
        role = self.text("role").fill_null("champion")
        known = pc.is_in(role, pa.array(ROLES))
        self.refusals.where(pc.invert(known), "role", f"is unknown; send one of {', '.join(ROLES)}")
        version = self.text("model_version").fill_null("unversioned")
        self.typed |= {"model_version": version, "role": role}
        self.always |= {"model_version", "role"}
        if self.classifies:
            label, found = self.text("prediction_label"), self.scores()
            absent = missing(label) & missing(next(iter(found.values())))
            self.need(absent, "prediction_label", "send prediction_label or prediction_score")
            self.typed |= {"prediction_label": label, **found}
        elif self.schema.spec.task == "ranking":
            wire, mend = "prediction_score", "send a map from item to score"
            ranked = rankings(self.take(wire), wire, mend, self.refusals)
            self.need(missing(ranked), wire, mend)
            self.typed[wire] = ranked
        else:
            value = finite(self.take("prediction_value"), "prediction_value", self.refusals)
            self.need(missing(value), "prediction_value", "send the number that the model predicted")
            self.typed["prediction_value"] = value
        self.typed["model_decision"] = self.text("model_decision")
        self.typed["latency_ms"] = self.latency()
        self.typed |= {wire: self.text(wire) for wire in _OWN_TEXTS}

    def scores(self) -> dict[str, pa.DoubleArray]:
        """The score of the positive label, or that of each class of many under its own name."""
        spec, sent = self.schema.spec, self.take("prediction_score")
        if not spec.classes:
            return {"prediction_score": scores(sent, "prediction_score", spec.positive_label, self.refusals)}
        found = class_scores(sent, "prediction_score", spec.classes, self.refusals)
        return {f"prediction_score.{name}": array for name, array in found.items()}

    def latency(self) -> pa.DoubleArray:
        known = numbers(self.take("latency_ms"), "latency_ms", self.refusals)      # a NaN is a missing one
        return finite(known, "latency_ms", self.refusals)

    def outcome(self) -> None:
        actual: pa.Array
        if self.classifies:
            wire, mend = "actual_label", "send the label that turned out to be true"
            actual = self.text(wire)
        elif self.schema.spec.task == "ranking":
            wire, mend = "actual_relevance", "send a map from each relevant item to its relevance, such as {item: 1}"
            actual = rankings(self.take(wire), wire, mend, self.refusals)
        else:
            wire, mend = "actual_value", "send the number that turned out to be true"
            actual = finite(self.take(wire), wire, self.refusals)
        if self.kind == "outcomes":
            self.need(missing(actual), wire, mend)
        self.typed |= {wire: actual, "final_decision": self.text("final_decision")}

    def inputs(self) -> None:
        for name, kind in self.schema.features.items():
            wire = f"features.{name}"
            if wire not in self.left:
                self.absent.append(wire)
            self.always.add(wire)
            if kind == "numeric":
                self.typed[wire] = numbers(self.take(wire), wire, self.refusals)
            elif size := dimensions(kind):
                self.typed[wire] = vectors(self.take(wire), wire, size, self.refusals)
            else:
                self.typed[wire] = self.text(wire)
                self.categories.add(wire)
        for wire in sorted(wire for wire in self.left if wire.startswith("tags.")):
            self.typed[wire] = self.text(wire)
            self.categories.add(wire)
        for name in self.schema.spec.protected_attributes:
            self.protected[f"protected.{name}"] = self.text(f"protected.{name}")

    def batch(self) -> Batch:
        rows = self.refusals.kept(self.n)
        table = {"row": pa.array(rows)}
        for wire, array in self.typed.items():
            good = self._good(array, rows)
            if wire in self.always or good.null_count < len(good):
                table[wire] = good.dictionary_encode() if wire in self.categories else good
        protected = {wire: self._good(array, rows).dictionary_encode() for wire, array in self.protected.items()}
        notes: dict[str, dict[str, int]] = {}
        undeclared = {wire: n for wire, column in self.left.items() if (n := _count(column))}
        if undeclared:
            notes["undeclared"] = undeclared
        if self.absent:
            notes["absent"] = dict.fromkeys(self.absent, len(rows))
        return Batch(
            kind=self.kind,
            table=pa.RecordBatch.from_pydict(table),
            protected=pa.RecordBatch.from_pydict(protected) if protected else None,
            rejects=self.refusals.rejects,
            envelope=self.columns.envelope,
            notes={**notes},
        )

    def _good(self, array: pa.Array, rows: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
        return array if len(rows) == self.n else array.take(pa.array(rows))


def _count(column: Column) -> int:
    return len(column) - (column.count(None) if isinstance(column, list) else column.null_count)
