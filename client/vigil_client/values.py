"""Whatever a model service has at hand, as JSON's values: scalars of numpy and Arrow, Decimal, dates, NaN.

Runs in the background thread. Nothing here imports numpy, pandas or Arrow: their values are known by what they can do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

_JSON = frozenset((int, float, str, bool, type(None)))
_MISSING = frozenset(("NaTType", "NAType"))      # pandas' own words for a missing value
_DEEPEST = 4
_SLICE = 256        # values between two chances for another thread to run
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode


class Now(int):
    """Nanoseconds since 1970: when a row was logged, told from a number that the caller gave as its timestamp."""


class Unreadable(TypeError):
    """A value of a type that has no place in a row. Its text names the type, never the value."""


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON's; NaN and the like are ``None``. Infinities stay, as the service keeps them where it can.

    >>> plain(Decimal("0.5")), plain(float("nan")), plain((1, 2)), plain(datetime(2026, 7, 1, tzinfo=timezone.utc))
    (0.5, None, [1, 2], '2026-07-01T00:00:00+00:00')
    >>> plain(object())
    Traceback (most recent call last):
        ...
    vigil_client.values.Unreadable: a value of type object
    """
    kind = type(value)
    if kind is float:
        return None if value != value else value
    if kind in _JSON:
        return value
    if kind is Now:
        return (_EPOCH + timedelta(microseconds=int(value) // 1000)).isoformat()
    if kind.__name__ in _MISSING:
        return None
    if depth >= _DEEPEST:
        raise Unreadable("a value nested too deep")
    return _converted(value, depth + 1)


def _converted(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (str, UUID)):
        return str(value)
    if isinstance(value, Decimal):
        return plain(float(value), depth) if not value.is_nan() else None
    if isinstance(value, Mapping):
        return {str(plain(k, depth)): _finite(plain(v, depth)) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_finite(plain(v, depth)) for v in value]
    if type(value).__name__ == "datetime64":      # its tolist() may be a number without a unit
        return None if str(value) == "NaT" else str(value)
    for name in ("as_py", "tolist", "to_list", "to_pylist"):      # Arrow's scalars, numpy's and torch's, series
        method = getattr(value, name, None)
        if callable(method):
            return plain(method(), depth)
    if isinstance(value, int):
        return plain(int(value), depth)
    if isinstance(value, float):
        return plain(float(value), depth)
    raise Unreadable(f"a value of type {type(value).__name__}")


def _finite(value: Any) -> Any:
    """Within a list or a map no infinity has a meaning."""
    return None if type(value) is float and math.isinf(value) else value


def column_json(values: Sequence[Any], unreadable: list[str]) -> Iterator[str]:
    """The inside of a JSON list, in parts that belong together with commas. A value that cannot be read is null, and
    its reason is added to ``unreadable``.

    >>> unreadable = []
    >>> list(column_json([1, 0.5, None, "a", float("nan"), float("inf"), b"x"], unreadable)), unreadable
    (['1,0.5,null,"a",null,1e999,null'], ['a value of type bytes'])
    """
    for start in range(0, len(values), _SLICE):
        part = values[start : start + _SLICE]
        text = None
        if _JSON.issuperset(map(type, part)):
            try:
                text = _encode(part)[1:-1]
            except ValueError:      # NaN or an infinity
                text = None
        yield text if text is not None else ",".join([_one(value, unreadable) for value in part])


def _one(value: Any, unreadable: list[str]) -> str:
    try:
        found = plain(value)
        if type(found) is float and math.isinf(found):
            return "1e999" if found > 0 else "-1e999"      # JSON has no word for it, but its numbers have no end
        return _encode(found)
    except Unreadable as error:
        unreadable.append(str(error))
    except Exception as error:      # a foreign object's own method failed
        unreadable.append(f"a value of type {type(value).__name__}: {type(error).__name__}")
    return "null"
