"""A column as it was sent: JSON's values in a list, or an Arrow array; and what of it can be read.

The modules beside type it, one column at a time. Each function there has a fast way over the whole column and, where
that fails, a way row by row that finds the rows to refuse. Both take the same values and give the same result. A
refused value reads as null; its row is dropped later.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Column: TypeAlias = "list[Any] | pa.Array"      # JSON's values, or Arrow's


def as_array(column: Column) -> pa.Array | None:
    """The column as one Arrow array of one type, without a dictionary; ``None`` where its values are of many types."""
    if isinstance(column, list):
        try:
            array = pa.array(column)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            return None
        # Arrow takes a boolean among numbers for a 1, and no such thing was sent.
        mixed = pa.types.is_floating(array.type) or pa.types.is_integer(array.type)
        return None if mixed and bool in set(map(type, column)) else array
    return _spelt_out(column)


def listed(column: Column) -> list[Any]:
    """The column as Python's values; those of Arrow's other types are no more than there or missing."""
    if isinstance(column, list):
        return column
    array = _spelt_out(column)
    if _readable(array.type):
        return list(array.to_pylist())
    return [Unreadable if there else None for there in array.is_valid().to_pylist()]


class Unreadable:
    """Stands for a value of an Arrow type that has no place in a row: a date, a list, bytes."""


def _spelt_out(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type) and _readable(array.type.value_type):
        return array.dictionary_decode()
    return array


def _readable(kind: pa.DataType) -> bool:
    t = pa.types
    return bool(
        t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) or t.is_boolean(kind)
        or t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_null(kind)
    )  # fmt: skip


def missing(array: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a column has no value; shape (rows,)."""
    out: np.ndarray[Any, np.dtype[np.bool_]] = array.is_null().to_numpy(zero_copy_only=False)
    return out


def kind_of_type(kind: pa.DataType) -> str:
    """What the values of an Arrow type are, as ``kind_of`` says it."""
    t = pa.types
    if t.is_dictionary(kind):
        return kind_of_type(kind.value_type)
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return "text"
    if t.is_boolean(kind):
        return "true or false"
    if t.is_struct(kind) or t.is_map(kind):
        return "an object"
    return "a list" if t.is_nested(kind) else "of a type that is not taken here"


def kind_of(value: Any) -> str:
    """What a value is, for a reason: never the value."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float() | Decimal():
            return "a number"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return "of a type that is not taken here"
