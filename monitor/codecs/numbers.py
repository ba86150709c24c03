"""Columns of numbers, as float64."""

from __future__ import annotations

import math
from decimal import Decimal
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.json_text import NotJson
from monitor.codecs.refusals import Refusals, Refused
from monitor.codecs.values import Column, as_array, kind_of, kind_of_type, listed

_NUMBERS = {int, float, NoneType}
_NUMBER = "send a number, or null for a missing value"


def numbers(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    """Numbers as float64, infinities among them; NaN and null are missing. Text and booleans refuse their row."""
    return drop_nan(_doubles(column, field, refusals))


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
