"""Dataclasses to plain JSON values and back, by their own type hints: one place that knows how things are stored."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def rfc3339(instant: datetime) -> str:
    """An instant as RFC 3339 text in UTC, with a fraction only where there is one.

    >>> rfc3339(datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T12:00:00Z'
    """
    if instant.tzinfo is None:
        raise ValueError(f"'{instant}' has no time zone, so it names no instant")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """Read what ``rfc3339`` wrote; any offset is taken and turned into UTC, none is a ``ValueError``.

    >>> instant("2026-01-01T13:00:00+01:00")
    datetime.datetime(2026, 1, 1, 12, 0, tzinfo=datetime.timezone.utc)
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone, so it names no instant")
    return found.astimezone(UTC)


def to_json(value: Any) -> Any:
    """Plain JSON values for a dataclass, and for what may stand in one.

    A class with a ``text`` property and a ``parse`` class method is written as that text.
    """
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, StrEnum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        if hasattr(type(value), "parse"):
            return value.text  # type: ignore[attr-defined]
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is not finite has no JSON; say unknown, with a reason")
    return value


def from_json(kind: type[T], value: Any) -> T:
    """Read what ``to_json`` wrote. A missing, unknown or mistyped key raises ``ValueError`` that names it."""
    found: T = _read(kind, value, kind.__name__)
    return found


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):  # only ever X | None here
        (inner,) = (a for a in args if a is not NoneType)
        return None if value is None else _read(inner, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) != len(value):
            raise ValueError(f"{where} needs {len(kinds)} items and has {len(value)}")
        return tuple(_read(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if origin is dict and isinstance(value, dict):
        return dict(value)
    if is_dataclass(kind) and isinstance(value, dict):
        return _read_fields(kind, value, where)
    if isinstance(value, str) and (kind is datetime or hasattr(kind, "parse")):
        return instant(value) if kind is datetime else kind.parse(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum) and isinstance(value, str):
        return kind(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    raise ValueError(f"{where} cannot be {value!r}")


def _read_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    if unknown := sorted(value.keys() - hints.keys()):
        raise ValueError(f"{where} has no '{unknown[0]}'; it has {', '.join(hints)}")
    for f in fields(kind):
        if f.name not in value and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where} needs '{f.name}'")
    return kind(**{name: _read(hints[name], v, f"{where}.{name}") for name, v in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}
