"""``text/csv``: a header of wire names (``features.age``), then a row a line; quoted as in RFC 4180.

Source of the format: https://www.rfc-editor.org/rfc/rfc4180. The envelope comes in the query.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.csv

from monitor.batch import Kind, Reject
from monitor.codecs.columns import MAX_COLUMNS, MAX_ROWS, Columns, check_shape, read_envelope
from monitor.codecs.json_text import BOM
from monitor.errors import MalformedBody, TooLarge

_MEND = 'Send RFC 4180: commas, lines that end alike, fields with a comma, a line end or a " in quotes, each " doubled'


def decode_csv(body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """All as text: what is a number, the declaration says, so that the zip code 02139 keeps its zero.

    An empty field is a missing value, and a quoted empty one an empty text. Blank lines are passed over. A row that has
    more or fewer fields than the header is a reject.

    >>> found = decode_csv(b'prediction_id,features.zip\\r\\na,02139\\r\\nb,""\\r\\nc,\\r\\nd\\r\\n', "predictions", {})
    >>> found.data["features.zip"].to_pylist(), found.rejects[0].reason
    (['02139', '', None, None], 'has 1 fields and the header has 2; quote a field that holds a comma or a line end')
    """
    envelope = read_envelope({}, query)
    _check_text(body)
    header, rest = _header(body.removeprefix(BOM))
    check_shape(0, header)
    if twice := [name for name, n in Counter(header).items() if n > 1]:
        raise MalformedBody(f"The column {twice[0][:60]!a} is given twice", "Send it once")
    try:
        table, ragged = _read(rest, header)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise MalformedBody(f"The body is not CSV: {str(error)[:200]}", _MEND) from None
    n_rows = table.num_rows + len(ragged)
    check_shape(n_rows, header)
    if ragged:
        at = np.full(n_rows, -1, np.int64)
        good = np.ones(n_rows, bool)
        good[[r.row for r in ragged]] = False
        at[good] = np.arange(table.num_rows)
        table = table.take(pa.array(at, mask=~good))
    data = {name: _one(column) for name, column in zip(header, table.columns, strict=True)}
    return Columns(dict(data), n_rows, envelope, ragged, untyped=True)


def _check_text(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8 text at byte {error.start}", "Send CSV encoded as UTF-8") from None
    if max(body.count(b"\n"), body.count(b"\r")) > MAX_ROWS:
        raise TooLarge(f"Over {MAX_ROWS} lines in one batch", "Send several smaller batches")
    if body.count(b'"') % 2:
        raise MalformedBody("The quotes of the body do not pair: a quoted field is not closed", _MEND)


def _header(body: bytes) -> tuple[list[str], bytes]:
    """The names of the columns, and the lines below them."""
    ends = [at for end in (b"\n", b"\r") if (at := body.find(end)) >= 0]
    at = min(ends, default=len(body))
    line, rest = body[:at], body[at:]
    if line.count(b",") >= MAX_COLUMNS:
        raise TooLarge(f"Over {MAX_COLUMNS} columns", "Send declared fields")
    try:
        names = next(csv.reader([line.decode()], strict=True), [])
    except csv.Error as error:
        raise MalformedBody(f"The header is not CSV: {error}", _MEND) from None
    if not names:
        raise MalformedBody("The first line is blank", "Begin with a header of names, such as prediction_id,timestamp")
    return names, rest


def _read(rest: bytes, header: list[str]) -> tuple[pa.Table, list[Reject]]:
    """The rows that fit the header, as text, and rejects of those that do not, by their numbers among all."""
    ragged: list[Reject] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        reason = f"has {row.actual_columns} fields and the header has {row.expected_columns}"
        ragged.append(Reject(row.number - 1, "", f"{reason}; quote a field that holds a comma or a line end"))
        return "skip"

    if not rest.strip(b"\r\n"):
        return pa.table({name: pa.array([], pa.string()) for name in header}), ragged
    # One block, so that no row straddles two; unthreaded, so that rows are numbered.
    reading = pa.csv.ReadOptions(use_threads=False, block_size=len(rest) + 1, column_names=header)
    parsing = pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip)
    converting = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), check_utf8=False, null_values=[""],
        strings_can_be_null=True, quoted_strings_can_be_null=False,
    )  # fmt: skip
    return pa.csv.read_csv(pa.BufferReader(rest), reading, parsing, converting), ragged


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], pa.string())])
