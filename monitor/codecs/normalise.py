"""From a request's columns to a Batch: each column typed by the declaration, bad rows set aside with a reason.

A feature's value that has a wrong type is drift and no fault of its row: it is taken as missing and told.

The same rows give the same Batch in whatever format they came: columns stand in one order, an optional column is there
only where a good row has a value in it, and a dictionary lists its words in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Batch, Kind
from monitor.codecs.columns import MAX_CELLS, Columns
from monitor.codecs.numbers import finite, many_numbers, numbers
from monitor.codecs.refusals import Mistyped, Refusals
from monitor.codecs.scores import class_scores, rankings, scores, vectors
from monitor.codecs.texts import MAX_TEXT, categories, texts
from monitor.codecs.times import instants
from monitor.codecs.untyped import labels_of, values_of
from monitor.codecs.values import Column, missing
from monitor.errors import TooLarge
from monitor.model import Schema, dimensions

ROLES = ("champion", "challenger", "shadow")
MAX_ID = 128
_OWN_TEXTS = ("status", "subject_key", "request_id", "trace_id")


def normalise(columns: Columns, schema: Schema, kind: Kind, batch_id: str, now: datetime) -> Batch:
    """The good rows of a request as a Batch, and its rejects.

    ``notes`` has ``undeclared`` (wire names that were sent and are not kept, with their values' number), ``absent``
    (declared features that were not sent at all, with the number of good rows) and ``mistyped`` (features whose values
    had a wrong type, with the number of good rows), each only where there are any. Raises ``TooLarge`` where the
    declared features of so many rows would fill too much memory.
    """
    if columns.n_rows * len(schema.features) > MAX_CELLS:
        n, features = columns.n_rows, len(schema.features)
        raise TooLarge(f"{n} rows of {features} features are too many for one batch", "Send fewer rows at a time")
    typed = _Typing(columns, schema, kind, now)
    typed.identity(batch_id)
    if kind != "outcomes":
        typed.prediction()
    if kind != "predictions":
        typed.outcome()
    if kind != "outcomes":
        typed.inputs()
    return typed.batch()


class _Typing:
    """One pass over a request's columns, each taken once by its wire name."""

    def __init__(self, columns: Columns, schema: Schema, kind: Kind, now: datetime) -> None:
        self.columns, self.schema, self.kind, self.now = columns, schema, kind, now
        self.n = columns.n_rows
        self.left = dict(columns.data)
        self.refusals = Refusals(columns.rejects)
        self.mistyped = Mistyped(columns.n_rows)
        self.typed: dict[str, pa.Array] = {}    # in the order of the Batch's columns
        self.always: set[str] = {"prediction_id", "timestamp"}
        self.protected: dict[str, pa.Array] = {}
        self.absent: list[str] = []

    @property
    def classifies(self) -> bool:
        return self.schema.spec.classifies

    def take(self, wire: str) -> Column:
        """A column, or nulls where it was not sent."""
        absent = pa.string() if self.columns.untyped else pa.null()
        return self.left.pop(wire) if wire in self.left else pa.nulls(self.n, absent)

    def values(self, wire: str) -> Column:
        """A column that is meant to hold numbers, lists or maps."""
        column = self.take(wire)
        return values_of(column) if self.columns.untyped else column

    def text(self, wire: str, longest: int = MAX_TEXT) -> pa.StringArray:
        """Ids and other text that stays as it stands."""
        return texts(self.take(wire), wire, self.refusals, longest)

    def labels(self, wire: str) -> Column:
        """A column of labels, decisions or categories: text in which ``1``, ``1.0`` and ``"1"`` are the same."""
        column = self.take(wire)
        return labels_of(column) if self.columns.untyped else column

    def label(self, wire: str) -> pa.StringArray:
        return texts(self.labels(wire), wire, self.refusals)

    def optional(self, wire: str, read: Callable[[str], pa.Array]) -> None:
        """A column that is typed only where it was sent."""
        if wire in self.left:
            self.typed[wire] = read(wire)

    def filled(self, wire: str, default: str) -> pa.StringArray:
        """A text that has a default where it is missing."""
        return self.text(wire, MAX_ID).fill_null(default) if wire in self.left else pa.repeat(default, self.n)

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
        said = "role" in self.left
        role = self.filled("role", "champion")
        if said:
            known = pc.is_in(role, pa.array(ROLES))
            self.refusals.where(pc.invert(known), "role", f"is unknown; send one of {', '.join(ROLES)}")
        version = self.filled("model_version", "unversioned")
        self.typed |= {"model_version": version, "role": role}
        self.always |= {"model_version", "role"}
        if self.classifies:
            label, found = self.label("prediction_label"), self.scores()
            absent = missing(label) & missing(next(iter(found.values())))
            self.need(absent, "prediction_label", "send prediction_label or prediction_score")
            self.typed |= {"prediction_label": label, **found}
        elif self.schema.spec.task == "ranking":
            wire, mend = "prediction_score", "send a map from item to score"
            ranked = rankings(self.values(wire), wire, mend, self.refusals)
            self.need(missing(ranked), wire, mend)
            self.typed[wire] = ranked
        else:
            value = finite(self.values("prediction_value"), "prediction_value", self.refusals)
            self.need(missing(value), "prediction_value", "send the number that the model predicted")
            self.typed["prediction_value"] = value
        self.optional("model_decision", self.label)
        self.optional("latency_ms", self.latency)
        for wire in _OWN_TEXTS:
            self.optional(wire, self.text)

    def scores(self) -> dict[str, pa.DoubleArray]:
        """The score of the positive label, or that of each class of many under its own name."""
        spec, sent = self.schema.spec, self.values("prediction_score")
        if not spec.classes:
            return {"prediction_score": scores(sent, "prediction_score", spec.positive_label, self.refusals)}
        found = class_scores(sent, "prediction_score", spec.classes, self.refusals)
        return {f"prediction_score.{name}": array for name, array in found.items()}

    def latency(self, wire: str) -> pa.DoubleArray:
        known = numbers(self.values(wire), wire, self.refusals)      # a NaN is a missing one
        return finite(known, wire, self.refusals)

    def outcome(self) -> None:
        actual: pa.Array
        if self.classifies:
            wire, mend = "actual_label", "send the label that turned out to be true"
            actual = self.label(wire)
        elif self.schema.spec.task == "ranking":
            wire, mend = "actual_relevance", "send a map from each relevant item to its relevance, such as {item: 1}"
            actual = rankings(self.values(wire), wire, mend, self.refusals)
        else:
            wire, mend = "actual_value", "send the number that turned out to be true"
            actual = finite(self.values(wire), wire, self.refusals)
        if self.kind == "outcomes":
            self.need(missing(actual), wire, mend)
        self.typed[wire] = actual
        self.optional("final_decision", self.label)

    def inputs(self) -> None:
        wires = {f"features.{name}": kind for name, kind in self.schema.features.items()}
        sent = {w: self.left[w] for w, kind in wires.items() if kind == "numeric" and w in self.left}
        read = many_numbers(sent, self.n)
        self.always |= wires.keys()
        for wire, kind in wires.items():
            if wire in read:
                del self.left[wire]
                self.typed[wire] = read[wire]
                continue
            if wire not in self.left:
                self.absent.append(wire)
            if kind == "numeric":
                found = numbers(self.values(wire), wire, self.mistyped)
            elif size := dimensions(kind):
                found = vectors(self.values(wire), wire, size, self.mistyped)
            else:
                found = categories(self.labels(wire), wire, self.mistyped)
            self.typed[wire] = self.mistyped.without(found, wire)
        for wire in sorted(wire for wire in self.left if wire.startswith("tags.")):
            self.typed[wire] = categories(self.labels(wire), wire, self.refusals)
        for name in self.schema.spec.protected_attributes:
            wire = f"protected.{name}"
            self.protected[wire] = categories(self.labels(wire), wire, self.refusals)

    def batch(self) -> Batch:
        rows = self.refusals.kept(self.n)
        table = {"row": pa.array(rows)}
        for wire, array in self.typed.items():
            good = self._good(array, rows)
            if wire in self.always or good.null_count < len(good):
                table[wire] = good
        protected = {wire: self._good(array, rows) for wire, array in self.protected.items()}
        notes: dict[str, dict[str, int]] = {}
        if undeclared := {wire: n for wire, column in self.left.items() if (n := _count(column))}:
            notes["undeclared"] = undeclared
        if self.absent:
            notes["absent"] = dict.fromkeys(self.absent, len(rows))
        if mistyped := self.mistyped.counts(rows):
            notes["mistyped"] = mistyped
        if self.kind != "outcomes":
            table |= self.drift(rows)
        return Batch(
            kind=self.kind,
            table=pa.RecordBatch.from_pydict(table),
            protected=pa.RecordBatch.from_pydict(protected) if protected else None,
            rejects=self.refusals.rejects,
            envelope=self.columns.envelope,
            notes={**notes},
        )

    def drift(self, rows: np.ndarray[Any, np.dtype[np.int32]]) -> dict[str, pa.Array]:
        """What of each row's fields was not as declared, where any was not."""
        found: dict[str, pa.Array] = {}
        if (names := self.mistyped.names(rows, "features.")) is not None:
            found["mistyped"] = names
        sent = np.zeros(self.n, bool)
        for column in self.left.values():
            sent |= _there(column)
        if sent[rows].any():
            found["undeclared"] = pa.array(sent[rows])
        return found

    def _good(self, array: pa.Array, rows: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
        if len(rows) == self.n:
            return array
        if pa.types.is_dictionary(array.type):      # of which nothing stays that only a refused row had
            return array.dictionary_decode().take(pa.array(rows)).dictionary_encode()
        return array.take(pa.array(rows))


def _count(column: Column) -> int:
    return len(column) - (column.count(None) if isinstance(column, list) else column.null_count)


def _there(column: Column) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a column has a value; shape (rows,)."""
    if isinstance(column, list):
        return np.fromiter((value is not None for value in column), bool, len(column))
    return ~missing(column)
