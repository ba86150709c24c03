"""The records of a capture: what one line, or one row of a table, says of a request that was answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import Any

import pyarrow as pa

from monitor.codecs.columns import Columns
from monitor.sources.payload import Payload, Side, Unreadable
from monitor.sources.protocols import read_payload, read_value
from monitor.sources.rows import Misfitting

Record = Mapping[str, Any]
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


def records_of(columns: Columns) -> list[Record]:
    """Rows of a table or lines of a file as records; a value that is null is left out."""
    listed = {name: _listed(column) for name, column in columns.data.items()}
    rows = range(columns.n_rows)
    return [{name: values[i] for name, values in listed.items() if values[i] is not None} for i in rows]


def _listed(column: list[Any] | pa.Array) -> list[Any]:
    if isinstance(column, list):
        return column
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)     # else to_pylist asks for pandas
    values: list[Any] = column.to_pylist()
    return values


def inner(record: Record, key: str) -> Record:
    """An object within a record; empty where there is none. A map of Arrow is read as one."""
    found = record.get(key)
    if isinstance(found, list) and all(isinstance(item, tuple) and len(item) == 2 for item in found):
        found = dict(found)
    return {k: v for k, v in found.items() if v is not None} if isinstance(found, Mapping) else {}


def word(record: Record, *keys: str) -> str | None:
    """The first of some fields that holds a text or a whole number, as text."""
    for key in keys:
        found = record.get(key)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return None


def need_word(record: Record, *keys: str) -> str:
    found = word(record, *keys)
    if found is None:
        raise Misfitting(keys[0], f"is missing; the record must name its request: {' or '.join(keys)}")
    return found


def number(record: Record, key: str) -> float | None:
    found = record.get(key)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def instant(found: Any, key: str, zone: tzinfo | None = None) -> datetime:
    """A time in ISO 8601, or Arrow's; ``zone`` is the system's own, where it writes none. Numbers are of no known unit.

    >>> instant("2022-02-14T17:25:49Z", "inferenceTime").isoformat()
    '2022-02-14T17:25:49+00:00'
    """
    if isinstance(found, str) and _DATE_TIME.fullmatch(found):
        with suppress(ValueError):
            found = datetime.fromisoformat(found.upper())
    if not isinstance(found, datetime):
        raise Misfitting(key, "is no time in ISO 8601; send 2026-01-31T12:00:00Z")
    if found.tzinfo is None and zone is None:
        raise Misfitting(key, "has no time zone; send it with one, or name BentoML's as 'time_zone' in the source")
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise Misfitting(key, "is no date that exists in UTC") from None


def payload(found: Any, where: str, side: Side, content_type: str = "", header: bool = False) -> Payload:
    """A request or a response that a record holds, as text or as JSON that is read already."""
    if found is None:
        raise Misfitting(where, "is missing; let the service capture requests and responses")
    try:
        if isinstance(found, str | bytes):
            return read_payload(found, side, content_type, header)
        return read_value(found, side)
    except Unreadable as error:
        raise Misfitting(where, str(error)) from None
