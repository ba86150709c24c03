"""Columns of what a model gave: probabilities, maps from class or item to number; and embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.numbers import finite
from monitor.codecs.refusals import Refusals, Refused
from monitor.codecs.values import Column

MAX_ITEMS = 1000       # of one ranked list
_MOST_FLOAT32 = 3.4e38
_AT_ONCE = 1_000       # rows of a column that are Python's values at a time


def scores(column: Column, field: str, positive: str, refusals: Refusals) -> pa.DoubleArray:
    """Probabilities of the positive label, given as numbers or as maps from class to probability."""
    mend = "send the probability of the positive label"
    return _probabilities(_of_class(column, field, positive, "is the positive_label", refusals), field, mend, refusals)


def class_scores(column: Column, field: str, classes: Sequence[str], refusals: Refusals) -> dict[str, pa.DoubleArray]:
    """The probability of each class, given as maps from class to probability; all classes of a row or none."""
    mend = f"is no map; send one from class to probability, of {', '.join(classes)}"
    if isinstance(column, list):

        def as_map(value: Any) -> Any:
            if not isinstance(value, dict):
                raise Refused(mend)
            return value

        column = refusals.one_by_one(column, field, as_map)
    elif not pa.types.is_struct(column.type):
        refusals.where(column.is_valid(), field, mend)
        column = pa.nulls(len(column))
    found = {}
    for name in classes:
        one = _of_class(column, field, name, "is one of the declared classes", refusals)
        found[name] = _probabilities(one, field, "send the probability of each class", refusals)
    return found


def rankings(column: Column, field: str, mend: str, refusals: Refusals) -> pa.MapArray:
    """Maps from item to a finite number, as they were sent: the scores of a list, or the relevance of its items."""

    def read(value: Any) -> list[tuple[str, float]]:
        pairs = list(value.items()) if isinstance(value, dict) else value      # Arrow's maps are lists of pairs
        if not isinstance(pairs, list) or not all(isinstance(p, tuple) and len(p) == 2 for p in pairs):
            raise Refused(f"is no map; {mend}")
        known = [(str(item), number) for item, number in pairs if number is not None]
        if not 1 <= len(known) <= MAX_ITEMS:
            raise Refused(f"has {len(known)} items; {mend}, with 1 to {MAX_ITEMS} items")
        if len({item for item, _ in known}) < len(known):
            raise Refused(f"names one item twice; {mend}, with each item once")
        if not all(type(number) in (int, float) and math.isfinite(number) for _, number in known):
            raise Refused(f"holds something that is no finite number; {mend}")
        return [(item, float(number)) for item, number in known]

    wanted = pa.map_(pa.string(), pa.float64())
    if isinstance(column, list):
        return pa.array(refusals.one_by_one(column, field, read), wanted)
    if not (pa.types.is_map(column.type) or pa.types.is_struct(column.type) or pa.types.is_null(column.type)):
        refusals.where(column.is_valid(), field, f"is no map; {mend}")
        return pa.nulls(len(column), wanted)
    parts = [pa.array([], wanted)]
    for start in range(0, len(column), _AT_ONCE):       # the values as Python's take many times the room of Arrow's
        part = column.slice(start, _AT_ONCE).to_pylist()
        parts.append(pa.array(refusals.one_by_one(part, field, read, start), wanted))
    return pa.concat_arrays(parts)


def _of_class(column: Column, field: str, name: str, why: str, refusals: Refusals) -> Column:
    no_class = f"has no class '{name}', which {why}; send its probability"
    if isinstance(column, list):
        if dict not in set(map(type, column)):
            return column

        def of_class(value: Any) -> Any:
            if isinstance(value, dict) and value.get(name) is None:
                raise Refused(no_class)
            return value[name] if isinstance(value, dict) else value

        return refusals.one_by_one(column, field, of_class)
    if pa.types.is_struct(column.type):
        known = column.type.get_field_index(name) >= 0
        inner = pc.struct_field(column, [name]) if known else pa.nulls(len(column))
        refusals.where(pc.and_(column.is_valid(), inner.is_null()), field, no_class)
        return inner
    return column


def _probabilities(column: Column, field: str, mend: str, refusals: Refusals) -> pa.DoubleArray:
    probabilities = finite(column, field, refusals)
    outside = pc.or_(pc.less(probabilities, 0.0), pc.greater(probabilities, 1.0))
    refusals.where(outside, field, f"is outside of 0 to 1; {mend}")
    return probabilities


def vectors(column: Column, field: str, size: int, refusals: Refusals) -> pa.FixedSizeListArray:
    """Lists of ``size`` finite numbers, as float32: the embeddings of rows."""
    mend = f"is no list of {size} finite numbers; send the whole embedding, or leave it out"
    wanted = pa.list_(pa.float32(), size)
    if isinstance(column, pa.Array):
        if not _lists_numbers(column.type):
            refusals.where(column.is_valid(), field, mend)
            return pa.nulls(len(column), wanted)
        whole = pc.equal(pc.list_value_length(column), size)
        refusals.where(pc.invert(whole), field, mend)
        array = pc.if_else(whole, column, None).cast(wanted, safe=False)
        flat = np.asarray(array.fill_null([0.0] * size).flatten().fill_null(np.nan)).reshape(-1, size)
        refusals.where(~np.isfinite(flat).all(axis=1), field, mend)
        return array

    def read(value: Any) -> list[float]:
        plain = isinstance(value, list) and len(value) == size and set(map(type, value)) <= {int, float}
        if not plain or not all(abs(x) <= _MOST_FLOAT32 for x in value):
            raise Refused(mend)
        return [float(x) for x in value]

    return pa.array(refusals.one_by_one(column, field, read), wanted)


def _lists_numbers(kind: pa.DataType) -> bool:
    t = pa.types
    if not (t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)):
        return False
    return bool(t.is_integer(kind.value_type) or t.is_floating(kind.value_type))
