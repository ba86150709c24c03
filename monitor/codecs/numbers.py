"""Columns of numbers, as float64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.json_text import NotJson
from monitor.codecs.refusals import Refusals, Refused
from monitor.codecs.values import Column, as_array, kind_of, kind_of_type, listed

_NUMBERS = {int, float, NoneType}
_PLAIN = {int, float}
_FEW_ROWS = 512     # in a column beyond them its values cost more than the column
_NUMBER = "send a number, or null for a missing value"


def numbers(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    """Numbers as float64, infinities among them; NaN and null are missing. Text and booleans refuse their row."""
    return drop_nan(_doubles(column, field, refusals))


def many_numbers(columns: Mapping[str, Column], n_rows: int) -> dict[str, pa.DoubleArray]:
    """Those of the columns that are lists of a few numbers each, as ``numbers`` gives them: what a column costs
    besides its values is paid once for all. The others, which may hold what is no number, are left out.

    >>> {name: a.to_pylist() for name, a in many_numbers({"a": [1, 2.5], "b": [None, 1], "c": [3, 4]}, 2).items()}
    {'a': [1.0, 2.5], 'c': [3.0, 4.0]}
    """
    if n_rows > _FEW_ROWS:
        return {}
    plain = {name: c for name, c in columns.items() if isinstance(c, list) and set(map(type, c)) <= _PLAIN}
    try:
        values = np.array(list(chain.from_iterable(plain.values())), np.float64).reshape(len(plain), n_rows)
    except OverflowError:       # a whole number beyond double's range
        return {}
    if not np.isfinite(values).all():
        return {}
    return {
        name: pa.Array.from_buffers(pa.float64(), n_rows, [None, pa.py_buffer(row)], 0)
        for name, row in zip(plain, values, strict=True)
    }


def finite(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    """Numbers as float64; NaN and infinities refuse their row."""
    doubles = _doubles(column, field, refusals)
    refusals.where(pc.invert(pc.is_finite(doubles)), field, "is not finite; send a finite number, or leave it out")
    return drop_nan(doubles)


def _doubles(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    if isinstance(column, list):
        return _of_list(column, field, refusals)
    array = as_array(column)
    if array is not None:
        kind = array.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
            return array.cast(pa.float64(), safe=False)
        if not pa.types.is_decimal(kind):
            refusals.where(array.is_valid(), field, f"is {kind_of_type(kind)}; {_NUMBER}")
            return pa.nulls(len(array), pa.float64())
    return pa.array(refusals.one_by_one(listed(column), field, _double), pa.float64())


def _of_list(column: list[Any], field: str, refusals: Refusals) -> pa.DoubleArray:
    types = set(map(type, column))
    if not types <= _NUMBERS:
        for row, value in enumerate(column):
            if type(value) not in _NUMBERS:
                said = value.reason if isinstance(value, NotJson) else f"is {kind_of(value)}; {_NUMBER}"
                refusals.refuse(row, field, said)
        column = [value if type(value) in _NUMBERS else None for value in column]
        types.add(NoneType)
    try:
        return pa.array(column if NoneType in types else np.array(column, np.float64), pa.float64())
    except (pa.ArrowInvalid, OverflowError):       # a whole number beyond those that a double holds exactly
        return pa.array(refusals.one_by_one(column, field, _double), pa.float64())


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Refused(f"is {kind_of(value)}; {_NUMBER}")
    try:
        return float(value)
    except OverflowError:       # a whole number beyond double's range
        return math.inf if value > 0 else -math.inf


def drop_nan(doubles: pa.DoubleArray) -> pa.DoubleArray:
    """NaN as null."""
    raw = doubles.buffers()[1]
    if raw is None or not np.isnan(np.frombuffer(raw)).any():      # with what stands under nulls and beside a slice
        return doubles
    return pc.if_else(pc.is_nan(doubles), None, doubles)
