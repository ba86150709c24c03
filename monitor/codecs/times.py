"""Event times: RFC 3339 text or Arrow timestamps, always with a zone, as microseconds in UTC.

Source: https://www.rfc-editor.org/rfc/rfc3339, section 5.6. A leap second (``:60``) is refused: no clock here has one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.refusals import Refusals, Refused
from monitor.codecs.values import Column, as_array, listed

INSTANT = pa.timestamp("us", "UTC")
AHEAD = timedelta(minutes=5)

_DATE_TIME = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d"
_ZONE = r"([Zz]|[+-]\d\d:\d\d)"
_QUICK = rf"^{_DATE_TIME}(\.\d{{1,6}})?{_ZONE}$".replace("Tt", "T").replace("Zz", "Z")
_RFC3339 = re.compile(rf"({_DATE_TIME})(\.\d+)?{_ZONE}", re.ASCII)
_MEND = "send RFC 3339 with a zone, such as 2026-01-31T12:00:00Z"
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def instants(column: Column, field: str, now: datetime, refusals: Refusals) -> pa.TimestampArray:
    """Times from 1970 to five minutes after ``now``; finer fractions than microseconds are cut off."""
    array = as_array(column)
    if array is None or not pa.types.is_timestamp(array.type):
        array = _from_text(column, array, field, refusals)
    elif array.type.tz is None:
        refusals.where(array.is_valid(), field, f"has no time zone; {_MEND}, or Arrow's timestamp[us, tz=UTC]")
        return pa.nulls(len(array), INSTANT)
    return _within(array, field, now, refusals)


def _from_text(column: Column, array: pa.Array | None, field: str, refusals: Refusals) -> pa.TimestampArray:
    if array is not None and (pa.types.is_string(array.type) or pa.types.is_null(array.type)):
        try:
            if array.null_count == len(array) or _alike(array) or _match(array):
                return array.cast(INSTANT)
        except pa.ArrowInvalid:     # a 30th of February, for one: find it below
            pass
    read = refusals.one_by_one(listed(column), field, _instant)
    return pa.array(read, INSTANT)


def _match(array: pa.StringArray) -> bool:
    return bool(pc.all(pc.match_substring_regex(array, _QUICK)).as_py())


def _alike(array: pa.StringArray) -> bool:
    """Whether all are written as ``_QUICK`` and at one length: most columns are, and it is told at a tenth of the
    time."""
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    size = int(offsets[1] - offsets[0])
    if array.null_count or size not in _FORMS or (np.diff(offsets) != size).any():
        return False
    lowest, spans = _FORMS[size]
    text = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    # Unsigned: a character below the lowest is far above it. A comma passes for a sign, and not through the cast.
    return not (text - np.tile(lowest, len(array)) > np.tile(spans, len(array))).any()


def _form(example: str) -> tuple[Bytes, Bytes]:
    """At each place of a time the lowest character that may stand there, and how many more may."""
    spans = [9 if c == "0" else 2 if c == "+" else 0 for c in example]
    return np.frombuffer(example.encode(), np.uint8), np.array(spans, np.uint8)


# By length; of two forms that are equally long the one that is written more.
_FORMS = {
    len(example): _form(example)
    for zone in ("+00:00", "Z")
    for fraction in ("", ".000", ".000000")
    if (example := f"0000-00-00T00:00:00{fraction}{zone}")
}


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise Refused(f"is no text; {_MEND}")
    found = _RFC3339.fullmatch(value)
    if found is None:
        raise Refused(f"is not RFC 3339 with a zone; {_MEND}")
    fraction = (found[2] or ".0")[:7]
    try:
        return datetime.fromisoformat(f"{found[1]}{fraction:0<7}{found[3]}".upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"is no date and time that exists; {_MEND}") from None


def _within(array: pa.TimestampArray, field: str, now: datetime, refusals: Refusals) -> pa.TimestampArray:
    """Refuse what lies outside of the allowed range, in the array's own unit, so that no cast can overflow."""
    per_second = _PER_SECOND[array.type.unit]
    ticks = array.cast(pa.int64())
    low, high = pc.min_max(ticks).as_py().values()
    latest = int((now + AHEAD).timestamp() * 10**6) * per_second // 10**6
    if low is not None and (low < 0 or high > latest):
        values = ticks.fill_null(0).to_numpy()
        refusals.where(values < 0, field, "is before 1970; check the sender's clock and unit")
        for row in np.flatnonzero(values > latest).tolist():
            ahead = _span((values[row].item() // per_second) - int(now.timestamp()))
            refusals.refuse(row, field, f"is {ahead} ahead of the server's clock; check the sender's clock and unit")
        array = pc.if_else(pa.array((values < 0) | (values > latest)), None, array)
    return array.cast(INSTANT, safe=False)


def _span(seconds: int) -> str:
    """A length of time in the unit that reads best: ``7 minutes``."""
    for name, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} seconds"
