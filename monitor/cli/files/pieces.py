"""A file as requests: each a piece of it, with the key that lets it count once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Kind
from monitor.cli.failure import USAGE, Failure
from monitor.cli.files import captures
from monitor.cli.files.names import Declared, to_wire, to_wire_names
from monitor.cli.files.opened import File
from monitor.cli.files.tables import ARROW, arrow_body, table_parts
from monitor.cli.files.texts import CSV, JSON, NDJSON, csv_names, csv_parts, document_parts, line_parts

EVENTS = "application/cloudevents-batch+json"
MAX_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """One request. ``first`` is the number in the file (from 0) of its first row; ``share`` how much of the file is
    read with it. ``key`` names its content, so that the same rows sent again count once. ``query`` is what the file's
    path says of them."""

    first: int
    rows: int
    content_type: str
    body: bytes
    key: str
    share: float = 0.0
    query: Mapping[str, str] = field(default_factory=dict)


def column_names(path: Path) -> list[str]:
    """The columns of a table or a CSV file; none for JSON, whose rows are sent under their own names."""
    file = File.of(path)
    return csv_names(file) if file.form == "csv" else file.names()


def pieces(
    path: Path, kind: Kind, rows: int | None, declared: Declared, rename: Mapping[str, str], format_: str = "rows"
) -> Iterator[Piece]:
    """The requests of a file, each of at most ``rows`` rows and some MiB; all in one where that is ``None``."""
    file = File.of(path)
    query = {} if format_ in ("rows", "kserve") else {"format": format_, **captures.said_by_path(path, format_)}
    media = {"json": JSON, "ndjson": NDJSON, "csv": CSV}.get(file.form, ARROW) if format_ != "kserve" else EVENTS
    first = 0
    for count, share, body in _parts(file, kind, rows, declared, rename, format_):
        name = f"{kind} {media} {sorted(query.items())} ".encode() + body
        key = "file-" + hashlib.sha256(name).hexdigest()[:40]
        yield Piece(first, count, media, body, key, share, query)
        first += count


def _parts(
    file: File, kind: Kind, rows: int | None, declared: Declared, rename: Mapping[str, str], format_: str
) -> Iterator[tuple[int, float, bytes]]:
    if format_ == "kserve":
        return _event_parts(file)
    plain = format_ != "rows"
    if plain and (rename or file.form == "csv"):
        why = "--rename is for rows under names of their own" if rename else f"{format_} writes no CSV"
        raise Failure(f"{file.path}: {why}", "The model's source says how records are read", USAGE)
    if file.form == "ndjson":
        split = captures.fraction_of if format_ == "databricks" else None
        return line_parts(file, rows, rename, split, captures.request_of if format_ == "bentoml" else None)
    if file.form == "json":
        return document_parts(file, rows, rename, plain)
    if file.form == "csv":
        return csv_parts(file, rows, lambda name: to_wire_names(name, kind, declared, rename))
    parts = table_parts(file, rows, (lambda t: t) if plain else lambda t: to_wire(t, kind, declared, rename))
    return _by_fraction(parts) if format_ == "databricks" else parts


def _by_fraction(parts: Iterator[tuple[int, float, bytes]]) -> Iterator[tuple[int, float, bytes]]:
    """Rows of an inference table of two sampling fractions never share a request."""
    for count, share, body in parts:
        with pa.ipc.open_stream(body) as reader:
            table = reader.read_all()
        if "sampling_fraction" not in table.column_names:
            yield count, share, body
            continue
        fractions = table["sampling_fraction"].cast(pa.float64()).fill_null(1.0)
        for rate in fractions.unique().to_pylist():
            part = table.filter(pc.equal(fractions, rate))
            yield part.num_rows, share, arrow_body(part)


def _event_parts(file: File) -> Iterator[tuple[int, float, bytes]]:
    held: list[dict[str, object]] = []
    for event in captures.events_of(file):
        held.append(event)
        if len(held) == MAX_EVENTS:
            yield len(held), 0.0, json.dumps(held).encode()
            held = []
    if held:
        yield len(held), 1.0, json.dumps(held).encode()
