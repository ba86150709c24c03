"""Rows of a shape that was seen before, straight to columns: half the time of objects by way of dictionaries.

A service sends rows of the same fields request after request. Once a body's rows are seen to have one shape, a msgspec
struct of it reads the next ones: each row into slots instead of a dictionary. Rows of any other shape do not fit the
struct and are read the general way, so a shape that is remembered changes how fast a body is read and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from monitor.codecs.columns import ENVELOPE_KEYS

MOST_FIELDS = 1_000     # of a shape that is worth a struct
_FEW = 16               # rows that are sooner taken apart one after the other
_KEPT = 4               # shapes that are tried in turn, the last one first

Shape = tuple[tuple[str, tuple[str, ...] | None], ...]      # a row's fields in order; those of an object, or None
Lists = dict[str, list[Any]]

_recent: list[Shape] = []


def shape_of(row: Mapping[str, Any], nested: tuple[str, ...]) -> Shape:
    """The fields of a row, and of the objects in those that are ``nested``.

    >>> shape_of({"prediction_id": "a", "features": {"age": 4}}, ("features",))
    (('prediction_id', None), ('features', ('age',)))
    """
    return tuple(
        (name, tuple(value) if name in nested and isinstance(value, dict) else None) for name, value in row.items()
    )


def remember(shape: Shape) -> None:
    """Try this shape first from now on. Of the envelope's keys beside the rows nothing need be known."""
    size = len(shape) + sum(len(inner or ()) for _, inner in shape)
    if size <= MOST_FIELDS and shape not in _recent[:1]:
        _recent[:] = [shape, *(other for other in _recent if other != shape)][:_KEPT]


def decode_alike(body: bytes, nested: tuple[str, ...], *, lines: bool) -> tuple[Lists, int, dict[str, Any]] | None:
    """The columns of rows that all have one of the shapes remembered, their number, and the envelope beside them.
    ``lines``: a row a line. ``None`` where they do not, or are no JSON."""
    for shape in tuple(_recent):
        reader = _reader(shape, nested)
        if reader is None:
            continue
        try:
            if lines:
                return *_columns(shape, reader.row.decode_lines(body)), {}
            value = reader.body.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, list):
            return *_columns(shape, value), {}
        given = {key: item for key in ENVELOPE_KEYS if (item := getattr(value, key)) is not msgspec.UNSET}
        return *_columns(shape, value.rows), given
    return None


def _plain(name: str) -> bool:
    return name.isprintable() and '"' not in name and "\\" not in name


class _Reader(msgspec.Struct, frozen=True):
    row: Any
    body: Any


@lru_cache(maxsize=4 * _KEPT)
def _reader(shape: Shape, nested: tuple[str, ...]) -> _Reader | None:
    """What reads rows of a shape; ``None`` for a shape that is not one of this kind of batch."""
    names = [name for name, _ in shape]
    if any((inner is None) == (name in nested) for name, inner in shape) or not names:
        return None
    wires = [name for name, inner in shape if inner is None]
    wires += [f"{name}.{field}" for name, inner in shape for field in inner or ()]
    if len(set(wires)) < len(wires) or not all(map(_plain, wires)):     # of which the general way has more to say
        return None
    types = [Any if inner is None else _struct(inner) for _, inner in shape]
    row = _struct(names, types)
    rest = [(key, Any, msgspec.UNSET) for key in ENVELOPE_KEYS]
    whole = msgspec.defstruct("Body", [("rows", list[row]), *rest], forbid_unknown_fields=True)  # type: ignore[valid-type]
    return _Reader(msgspec.json.Decoder(row), msgspec.json.Decoder(list[row] | whole))  # type: ignore[valid-type]


def _struct(names: list[str] | tuple[str, ...], types: list[Any] | None = None) -> Any:
    """A struct with these keys, all of which must be there, and no others."""
    slots = [f"f{i}" for i in range(len(names))]
    return msgspec.defstruct(
        "Row",
        list(zip(slots, types or [Any] * len(names), strict=True)),
        rename=dict(zip(slots, names, strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )


def _columns(shape: Shape, rows: list[Any]) -> tuple[Lists, int]:
    if not rows:
        return {}, 0
    top = _apart([name for name, _ in shape], rows)
    data = {name: top[name] for name, inner in shape if inner is None}
    for name, inner in shape:
        if inner is not None:
            data |= _apart([f"{name}.{field}" for field in inner], top[name])
    return data, len(rows)


def _apart(names: list[str], rows: list[Any]) -> Lists:
    """A column of each field. Of many rows by way of one list, apart by stride, so that each row is visited once
    while it is in the cache."""
    values = map(msgspec.structs.astuple, rows)
    if len(rows) <= _FEW:
        return {name: list(column) for name, column in zip(names, zip(*values, strict=True), strict=True)}
    flat = list(chain.from_iterable(values))
    return {name: flat[i :: len(names)] for i, name in enumerate(names)}
