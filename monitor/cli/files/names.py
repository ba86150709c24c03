"""What the columns of a file are called on the wire."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from monitor.batch import Kind

_PREDICTION = (
    "model_version", "role", "prediction_label", "prediction_score", "prediction_value", "model_decision",
    "latency_ms", "status", "subject_key", "request_id", "trace_id", "features", "protected",
)  # fmt: skip
_OUTCOME = ("actual_label", "actual_value", "final_decision")
_ALL = ("prediction_id", "timestamp", "tags")
FIELDS: dict[Kind, frozenset[str]] = {
    "predictions": frozenset((*_ALL, *_PREDICTION)),
    "outcomes": frozenset((*_ALL, *_OUTCOME)),
    "reference": frozenset((*_ALL, *_PREDICTION, *_OUTCOME)),
}
_NESTED = ("features.", "tags.", "protected.")


@dataclass(frozen=True, slots=True)
class Declared:
    """The names that a model declares: its features (none: any column is one) and its protected attributes."""

    features: Collection[str] = ()
    protected: Collection[str] = ()


def bare_columns(names: Iterable[str], kind: Kind, rename: Mapping[str, str]) -> list[str]:
    """The columns that are no field of the interface: only the model's declaration can say what they are."""
    named = (rename.get(n, n) for n in names)
    return [n for n in named if n not in FIELDS[kind] and not n.startswith(_NESTED)]


def to_wire_names(column: str, kind: Kind, declared: Declared, rename: Mapping[str, str]) -> list[str]:
    """What a file's column is called on the wire; nothing where it is to be left out.

    After ``rename``, a field of the interface stays what it is; a declared feature becomes ``features.NAME``, a
    protected attribute ``protected.NAME`` (one may be both).

    >>> declared = Declared(["sex"], ["sex"])
    >>> [to_wire_names(c, "predictions", declared, {"score": "prediction_score"}) for c in ("score", "sex", "year")]
    [['prediction_score'], ['features.sex', 'protected.sex'], []]
    """
    name = rename.get(column, column)
    if name in FIELDS[kind] or name.startswith(_NESTED):
        return [name]
    if kind == "outcomes":
        return []
    wire = [f"features.{name}"] if name in declared.features or not declared.features else []
    return wire + ([f"protected.{name}"] if name in declared.protected else [])


def to_wire(table: pa.Table, kind: Kind, declared: Declared, rename: Mapping[str, str]) -> pa.Table:
    """A table under the interface's names."""
    return pa.table(
        {wire: table.column(c) for c in table.column_names for wire in to_wire_names(c, kind, declared, rename)}
    )


def arrow_body(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body
