"""Files of rows as request bodies: Parquet and Arrow become Arrow streams, JSON stays JSON; large ones in pieces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.batch import Kind
from monitor.cli.failure import USAGE, Failure

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
SUFFIXES = (".parquet", ".arrow", ".arrows", ".ipc", ".feather", ".json", ".jsonl", ".ndjson")

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


@dataclass(frozen=True, slots=True)
class Piece:
    """One request. ``first`` is the number in the file (from 0) of its first row; ``key`` names it, so that the same
    piece of the same file counts once."""

    first: int
    rows: int
    content_type: str
    body: bytes
    key: str


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


def column_names(file: Path) -> list[str]:
    """The columns of a Parquet or Arrow file; none for JSON, whose rows are sent under their own names."""
    if file.suffix not in SUFFIXES:
        raise Failure(f"'{file}' has none of the known endings", f"Name it {', '.join(SUFFIXES)}", USAGE)
    return [] if _is_json(file) else list(_table(file).column_names)


def pieces(
    file: Path, kind: Kind, rows: int | None, declared: Declared, rename: Mapping[str, str]
) -> Iterator[Piece]:
    """The requests of a file, each of at most ``rows`` rows; all in one where that is ``None``."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    first = 0
    parts = _json_parts(file, rows, rename) if _is_json(file) else _arrow_parts(file, kind, rows, declared, rename)
    for count, content_type, body in parts:
        name = f"{digest} {kind} {first} {count} {sorted(rename.items())}"
        yield Piece(first, count, content_type, body, "file-" + hashlib.sha256(name.encode()).hexdigest()[:40])
        first += count


def _arrow_parts(
    file: Path, kind: Kind, rows: int | None, declared: Declared, rename: Mapping[str, str]
) -> Iterator[tuple[int, str, bytes]]:
    table = _table(file)
    step = rows or max(table.num_rows, 1)
    for i in range(0, table.num_rows, step):
        part = to_wire(table.slice(i, step), kind, declared, rename)
        yield part.num_rows, ARROW, arrow_body(part)


def _json_parts(file: Path, rows: int | None, rename: Mapping[str, str]) -> Iterator[tuple[int, str, bytes]]:
    found, rest = _json_rows(file)
    step = rows or max(len(found), 1)
    for i in range(0, len(found), step):
        part = [{rename.get(k, k): v for k, v in r.items()} if isinstance(r, dict) else r for r in found[i : i + step]]
        yield len(part), JSON, json.dumps({**rest, "rows": part}).encode()


def _json_rows(file: Path) -> tuple[list[Any], dict[str, Any]]:
    """The rows of a JSON file, whatever of the three shapes it has, and the envelope beside them."""
    text = file.read_text("utf-8")
    try:
        if file.suffix in (".jsonl", ".ndjson"):
            return [json.loads(line) for line in text.splitlines() if line.strip()], {}
        value: Any = json.loads(text)
    except ValueError as error:
        raise Failure(f"{file} is not JSON: {error}", "A file of one object a line is named .jsonl", USAGE) from error
    match value:
        case list():
            return value, {}
        case {"rows": list(found)}:
            return found, _beside(value, "rows")
        case {"columns": dict(columns)} if columns and len({len(c) for c in columns.values()}) == 1:
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], _beside(
                value, "columns"
            )
    raise Failure(f"{file} holds no rows", 'Write [{...}], {"rows": [{...}]} or {"columns": {...}}', USAGE)


def _beside(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k != name}


def _table(file: Path) -> pa.Table:
    try:
        if file.suffix == ".parquet":
            return pq.read_table(file)
        with pa.memory_map(str(file)) as source:
            try:
                return pa.ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                return pa.ipc.open_stream(source).read_all()
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        mend = "See that it is whole, and that its ending is the right one"
        raise Failure(f"{file} cannot be read: {reason}", mend, USAGE) from error


def _is_json(file: Path) -> bool:
    return file.suffix in (".json", ".jsonl", ".ndjson")
