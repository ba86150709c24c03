"""Thrift's compact protocol, as far as Parquet's headers need it: structs to maps from field to value.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 24          # of structs and lists in each other; Parquet's own reach 8

Struct = dict[int, Any]     # of the field's number, to (kind, value)

_STOP, _TRUE, _FALSE, _BYTE, _I16, I32, I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)


def read_struct(data: bytes, at: int, depth: int = 0) -> tuple[Struct, int]:
    """The struct that begins at a byte, and where it ends. Each field is kept by its number with its kind: a generated
    reader passes over a field of another kind than it expects. Of text, maps and doubles nothing but the kind is kept.

    Raises ``ValueError`` where it is cut off, of no known type, too deep, or has a field twice (which readers merge).

    >>> read_struct(bytes([0x15, 0x08, 0x25, 0x03, 0x00]), 0)
    ({1: (5, 4), 3: (5, -2)}, 5)
    """
    found: Struct = {}
    field = 0
    try:
        while (head := data[at]) != _STOP:
            at += 1
            kind, step = head & 0x0F, head >> 4
            if step:
                field += step
            else:
                field, at = _zigzag(data, at)
            if field in found:
                raise ValueError("a header has a field twice")
            value = None
            if kind not in (_TRUE, _FALSE):      # of a field's boolean the kind is all
                value, at = _value(data, at, kind, depth)
            found[field] = kind, value
    except IndexError:
        raise ValueError("a header is cut off") from None
    return found, at + 1


def number(struct: Struct, field: int, kind: int) -> int | None:
    """A field that holds a whole number of this kind; ``None`` where there is none. ``ValueError`` for another kind."""
    found = struct.get(field)
    return None if found is None else int(_of_kind(found, kind))


def inner(struct: Struct, field: int) -> Struct | None:
    """A field that holds a struct; ``None`` where there is none. ``ValueError`` for another kind."""
    found = struct.get(field)
    return None if found is None else dict(_of_kind(found, _STRUCT))


def structs(struct: Struct, field: int) -> list[Struct]:
    """A field that holds a list of structs, which may be absent. ``ValueError`` for another kind."""
    found = struct.get(field)
    if found is None:
        return []
    items: list[Struct] = _of_kind(found, _LIST)
    if not all(isinstance(item, dict) for item in items):
        raise ValueError("a header has a list of another kind")
    return items


def _of_kind(found: tuple[int, Any], kind: int) -> Any:
    if found[0] != kind:
        raise ValueError("a header has a field of another kind")
    return found[1]


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (_I16, I32, I64):
        value, at = _zigzag(data, at)
        if kind == I32 and not -(2**31) <= value < 2**31:
            raise ValueError("a header holds a number of over 32 bits")
        return value, at
    if kind in (_TRUE, _FALSE, _BYTE):      # within a list a boolean is a byte
        return data[at], at + 1
    if kind == _DOUBLE:
        return None, _within(data, at + 8)
    if kind == _BINARY:
        size, at = _varint(data, at)
        return None, _within(data, at + size)
    if depth >= MAX_DEPTH:
        raise ValueError("a header is nested too deep")
    if kind == _STRUCT:
        return read_struct(data, at, depth + 1)
    if kind in (_LIST, _SET):
        return _list(data, at, depth + 1)
    if kind == _MAP:
        return None, _past_map(data, at, depth + 1)
    raise ValueError("a header has a field of no known type")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    size, kind = data[at] >> 4, data[at] & 0x0F
    at += 1
    if size == 15:
        size, at = _varint(data, at)
    items = []
    for _ in range(size):       # each takes a byte at least, so that a size beyond the data ends in an IndexError
        item, at = _value(data, at, kind, depth)
        items.append(item)
    return items, at


def _past_map(data: bytes, at: int, depth: int) -> int:
    size, at = _varint(data, at)
    if not size:
        return at
    kinds = data[at] >> 4, data[at] & 0x0F
    at += 1
    for _ in range(size):
        for kind in kinds:
            _, at = _value(data, at, kind, depth)
    return at


def _within(data: bytes, at: int) -> int:
    if at > len(data):
        raise IndexError
    return at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            break
    if value >= 2**64 or byte >= 0x80:
        raise ValueError("a header holds a number of over 64 bits")
    return value, at
