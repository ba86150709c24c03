"""``application/x-ndjson``: a row a line, each a JSON object. The envelope comes in the query.

Source of the format: https://github.com/ndjson/ndjson-spec. Blank lines are passed over, and CR LF ends a line too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.batch import Kind, Reject
from monitor.codecs.columns import MAX_ROWS, NESTED, Columns, read_envelope
from monitor.codecs.json_body import from_alike, from_rows
from monitor.codecs.json_shapes import decode_alike
from monitor.codecs.json_text import BOM, check_objects, parse
from monitor.errors import MalformedBody, TooLarge

MOST_BAD = 10_000
_LINES = msgspec.json.Decoder()


def decode_ndjson(body: bytes, kind: Kind, query: Mapping[str, str]) -> Columns:
    """A line that is no JSON is a reject of its row alone, with the number of the line (from 1) in the reason.

    Rows are numbered without blank lines. ``MalformedBody`` where over ``MOST_BAD`` lines are none.

    >>> found = decode_ndjson(b'{"prediction_id": "a"}\\n\\n{"prediction_id":\\n', "predictions", {})
    >>> found.data, [r.reason for r in found.rejects]
    ({'prediction_id': ['a', None]}, ['line 3 is not JSON at byte 17: Expecting value; send one whole object a line'])
    """
    body = body.removeprefix(BOM)
    if len(body) > MAX_ROWS and body.count(b"\n") > MAX_ROWS:
        raise TooLarge(f"Over {MAX_ROWS} lines in one batch", "Send several smaller batches")
    check_objects(body)
    envelope = read_envelope({}, query)
    lines = body.removesuffix(b"\n").split(b"\n")
    n_lines = len(lines)
    if all(line.startswith(b"{") and line.endswith((b"}", b"}\r")) for line in lines):
        # Else a reader of many values is not asked: it takes any white space between them for a line's end.
        alike = decode_alike(body, NESTED[kind], lines=True)
        if alike is not None and alike[1] == n_lines:
            return from_alike(alike[0], n_lines, envelope)
        try:
            rows = _LINES.decode_lines(body)
            if len(rows) == n_lines:        # else two values stood on a line
                return from_rows(rows, False, kind, envelope, [])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    rejects: list[Reject] = []
    rows, has_tokens = [], False
    for number, line in enumerate(lines, start=1):
        if line and not line.isspace():
            value, has = _row(line, number, len(rows), rejects)
            if len(rejects) > MOST_BAD:     # it is something else: no need to say so a million times
                raise MalformedBody(f"Over {MOST_BAD} lines are not JSON: {rejects[0].reason}", "Send fewer at a time")
            rows.append(value)
            has_tokens |= has
    return from_rows(rows, has_tokens, kind, envelope, rejects)


def _row(line: bytes, number: int, row: int, rejects: list[Reject]) -> tuple[Any, bool]:
    try:
        return parse(line)
    except MalformedBody as fault:
        reason = fault.detail.replace("The body", f"line {number}", 1)
        rejects.append(Reject(row, "", f"{reason}; send one whole object a line"))
        return {}, False
