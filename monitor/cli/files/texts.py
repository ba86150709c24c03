"""Files of lines in pieces: one object a line, CSV, and JSON documents. A line is held, never the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from monitor.cli.failure import USAGE, Failure
from monitor.cli.files.opened import File
from monitor.cli.files.tables import MAX_PIECE
from monitor.codecs import decode
from monitor.errors import InvalidInput

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
MAX_LINE = 16 << 20
Part = tuple[int, float, bytes]
"""Rows, the share of the file that is read with them, and the body."""

Boundary = Callable[[bytes], object]
"""What a line belongs to; a piece ends where it must, or where it may (``None``), when this changes."""


def line_parts(
    file: File, rows: int | None, rename: Mapping[str, str], split: Boundary | None = None, keep: Boundary | None = None
) -> Iterator[Part]:
    """A file of one object a line. Lines for which ``split`` differs never share a piece; lines that follow each other
    and for which ``keep`` is the same are never parted."""
    with file.stream() as stream:
        lines: list[bytes] = []
        size, before, joined = 0, None, None
        for line in _lines(file, stream):
            now, group = split(line) if split else None, keep(line) if keep else None
            full = (rows is not None and len(lines) >= rows) or (rows is not None and size + len(line) > MAX_PIECE)
            if lines and (now != before or (full and (group is None or group != joined))):
                yield len(lines), _share(file, stream), b"\n".join(lines)
                lines, size = [], 0
            lines.append(_renamed(file, line, rename) if rename else line)
            size, before, joined = size + len(line), now, group
        if lines:
            yield len(lines), 1.0, b"\n".join(lines)


def document_parts(file: File, rows: int | None, rename: Mapping[str, str], single: bool = False) -> Iterator[Part]:
    """A JSON document: a list of rows, or ``rows`` or ``columns`` with the envelope beside them."""
    found, beside = document_rows(file, single)
    step = rows or max(len(found), 1)
    for i in range(0, len(found), step):
        part = [{rename.get(k, k): v for k, v in r.items()} if isinstance(r, dict) else r for r in found[i : i + step]]
        yield len(part), min((i + step) / len(found), 1.0), json.dumps({**beside, "rows": part}).encode()


def document_rows(file: File, single: bool = False) -> tuple[list[Any], dict[str, Any]]:
    """The rows of a JSON document, whatever of the three shapes it has, and the envelope beside them. ``single``: an
    object that has neither is a record itself."""
    value = file.document()
    match value:
        case list():
            return value, {}
        case {"rows": list(found)}:
            return found, {k: v for k, v in value.items() if k != "rows"}
        case {"columns": dict(columns)} if columns and len({len(c) for c in columns.values()}) == 1:
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            return rows, {k: v for k, v in value.items() if k != "columns"}
        case dict() if single:
            return [value], {}
    mend = 'Write [{...}], {"rows": [{...}]} or {"columns": {...}}'
    raise Failure(f"{file.path} holds no rows", mend, USAGE)


def csv_names(file: File) -> list[str]:
    """The header of a CSV file."""
    with file.stream() as stream:
        first = next(_records(file, stream), b"")
    return _header(file, first)


def csv_parts(file: File, rows: int | None, wire: Callable[[str], list[str]]) -> Iterator[Part]:
    """A CSV file, each piece with the header under the wire's names. The service types its text by the declaration."""
    with file.stream() as stream:
        records = _records(file, stream)
        names = _header(file, next(records, b""))
        named = [(i, to) for i, name in enumerate(names) for to in wire(name)]
        plain = len(named) == len(names) and [i for i, _ in named] == list(range(len(names)))
        header = _line([to for _, to in named])
        for count, share, body in _gathered(file, stream, records, rows):
            yield count, share, header + (body if plain else _chosen(names, [i for i, _ in named], body))


def _gathered(file: File, stream: IO[bytes], records: Iterable[bytes], rows: int | None) -> Iterator[Part]:
    held: list[bytes] = []
    size = 0
    for record in records:
        if held and rows is not None and (len(held) >= rows or size + len(record) > MAX_PIECE):
            yield len(held), _share(file, stream), b"".join(held)
            held, size = [], 0
        held.append(record)
        size += len(record)
    if held:
        yield len(held), 1.0, b"".join(held)


def _chosen(names: list[str], kept: list[int], body: bytes) -> bytes:
    """The lines with some of their columns, or one of them twice; an empty field and a quoted one stay apart."""
    numbered = _line([str(i) for i in range(len(names))])
    try:
        found = decode(CSV, numbered + body, "outcomes", {})
    except InvalidInput as error:
        raise Failure(error.detail, error.mend, USAGE) from error
    listed = {i: [_quoted(v) for v in _values(found.data[str(i)])] for i in set(kept)}
    return "".join(",".join(row) + "\n" for row in zip(*(listed[i] for i in kept), strict=True)).encode()


def _values(column: Any) -> list[Any]:
    return column if isinstance(column, list) else list(column.to_pylist())


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _line(names: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue().encode()


def _header(file: File, record: bytes) -> list[str]:
    try:
        names = next(csv.reader([record.decode("utf-8-sig").rstrip("\r\n")], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise Failure(f"{file.path} has no header of names: {error}", "Save it as UTF-8 with commas", USAGE) from error
    if not names:
        raise Failure(f"{file.path} is empty", "Its first line must name the columns", USAGE)
    return names


def _records(file: File, stream: IO[bytes]) -> Iterator[bytes]:
    """The records of a CSV file: a line, or several where a quoted field holds a line's end; no blank ones."""
    held = b""
    for line in _raw(file, stream):
        held = held + line if held else line
        if held.count(b'"') % 2:
            if len(held) > MAX_LINE:
                raise Failure(f"{file.path} has a quote that is never closed", "See that it is whole CSV", USAGE)
            continue
        if held.strip():
            yield held if held.endswith(b"\n") else held + b"\n"
        held = b""
    if held:
        raise Failure(f"{file.path} has a quote that is never closed", "See that it is whole CSV", USAGE)


def _lines(file: File, stream: IO[bytes]) -> Iterator[bytes]:
    for line in _raw(file, stream):
        if bare := line.strip():
            yield bare


def _raw(file: File, stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            raise Failure(f"{file.path} has a line of over {MAX_LINE >> 20} MiB", "See that it is text in lines", USAGE)
        yield line


def _share(file: File, stream: IO[bytes]) -> float:
    """How much of the file is read; of a packed one nobody knows."""
    size = file.path.stat().st_size
    return min(stream.tell() / size, 1.0) if size and file.packed is None else 0.0


def _renamed(file: File, line: bytes, rename: Mapping[str, str]) -> bytes:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{file.path} is not JSON: {error}", "It must have one object a line", USAGE) from error
    return json.dumps({rename.get(k, k): v for k, v in row.items()} if isinstance(row, dict) else row).encode()
