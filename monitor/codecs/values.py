"""One column at a time, from what was sent to what is kept: numbers, canonical text, scores.

Each function has a fast way over the whole column and, where that fails, a way row by row that finds the rows to
refuse. Both take the same values and give the same result. A refused value reads as null; its row is dropped later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.refusals import Refusals, Refused
from monitor.model import canonical_label

Column: TypeAlias = "list[Any] | pa.Array"      # JSON's values, or Arrow's
MAX_TEXT = 1024
MAX_ITEMS = 1000       # of one ranked list
_MOST_FLOAT32 = 3.4e38


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


def numbers(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    """Numbers as float64, infinities among them; NaN and null are missing. Text and booleans refuse their row."""
    return _drop_nan(_doubles(column, field, refusals))


def finite(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    """Numbers as float64; NaN and infinities refuse their row."""
    doubles = _doubles(column, field, refusals)
    refusals.where(pc.invert(pc.is_finite(doubles)), field, "is not finite; send a finite number, or leave it out")
    return _drop_nan(doubles)


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
    rows = column if isinstance(column, list) else column.to_pylist()

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

    return pa.array(refusals.one_by_one(rows, field, read), pa.map_(pa.string(), pa.float64()))


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
        try:
            array = column.cast(wanted)
        except pa.ArrowInvalid:
            column = column.to_pylist()
        else:
            flat = np.asarray(array.fill_null([0.0] * size).flatten().fill_null(np.nan)).reshape(-1, size)
            refusals.where(~np.isfinite(flat).all(axis=1), field, mend)
            return array

    def read(value: Any) -> list[float]:
        plain = isinstance(value, list) and len(value) == size and set(map(type, value)) <= {int, float}
        if not plain or not all(abs(x) <= _MOST_FLOAT32 for x in value):
            raise Refused(mend)
        return [float(x) for x in value]

    return pa.array(refusals.one_by_one(column, field, read), wanted)


def texts(column: Column, field: str, refusals: Refusals, longest: int = MAX_TEXT) -> pa.StringArray:
    """Text, whole numbers and booleans as canonical text (``canonical_label``), at most ``longest`` characters."""
    array = as_array(column)
    text = None if array is None else _as_text(array)
    if text is None:

        def read(value: Any) -> str | None:
            if isinstance(value, float) and math.isnan(value):
                return None
            value = float(value) if isinstance(value, Decimal) else value
            if not isinstance(value, str | int | float):
                raise Refused(f"is {_kind(value)}; send a text, a whole number, or true or false")
            found = canonical_label(value)
            if any("\ud800" <= c <= "\udfff" for c in found):
                raise Refused("holds half of a surrogate pair; send whole Unicode characters")
            return found

        text = pa.array(refusals.one_by_one(listed(column), field, read), pa.string())
    return _checked(text, field, refusals, longest)


def missing(array: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a column has no value; shape (rows,)."""
    out: np.ndarray[Any, np.dtype[np.bool_]] = array.is_null().to_numpy(zero_copy_only=False)
    return out


def _doubles(column: Column, field: str, refusals: Refusals) -> pa.DoubleArray:
    array = as_array(column)
    if array is not None:
        kind = array.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
            return array.cast(pa.float64(), safe=False)
    return pa.array(refusals.one_by_one(listed(column), field, _double), pa.float64())


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Refused(f"is {_kind(value)}; send a number, or null for a missing value")
    try:
        return float(value)
    except OverflowError:       # a whole number beyond double's range
        return math.inf if value > 0 else -math.inf


def _drop_nan(doubles: pa.DoubleArray) -> pa.DoubleArray:
    nan = pc.is_nan(doubles)
    return pc.if_else(nan, None, doubles) if pc.any(nan).as_py() else doubles


def _as_text(array: pa.Array) -> pa.StringArray | None:
    """The whole column as canonical text, or ``None`` for a type that has none."""
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_floating(kind):
        codes = _drop_nan(array.cast(pa.float64())).dictionary_encode()
        return pa.array(map(canonical_label, codes.dictionary.to_pylist()), pa.string()).take(codes.indices)
    if (
        pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
        or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ):  # fmt: skip
        return array.cast(pa.string())
    return None


def _checked(text: pa.StringArray, field: str, refusals: Refusals, longest: int) -> pa.StringArray:
    # A look at the bytes of the whole column spares a search in each text. (A slice's neighbours may be among them.)
    if _has_zero_byte(text):
        refusals.where(pc.match_substring(text, "\0"), field, "holds a NUL character; send printable text")
    if (pc.max(pc.binary_length(text)).as_py() or 0) > longest:
        too_long = pc.greater(pc.utf8_length(text), longest)
        refusals.where(too_long, field, f"is longer than {longest} characters; shorten it")
    return text


def _has_zero_byte(text: pa.StringArray) -> bool:
    content = text.buffers()[2]
    return content is not None and b"\0" in content.to_pybytes()


def _kind(value: Any) -> str:
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
