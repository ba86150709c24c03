"""Columns of canonical text: ids, labels, categories."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.numbers import drop_nan
from monitor.codecs.refusals import Refusals, Refused
from monitor.codecs.values import Column, as_array, kind_of, listed
from monitor.model import canonical_label

MAX_TEXT = 1024
_CODED = pa.dictionary(pa.int32(), pa.string())


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
                raise Refused(f"is {kind_of(value)}; send a text, a whole number, or true or false")
            found = canonical_label(value)
            if any("\ud800" <= c <= "\udfff" for c in found):
                raise Refused("holds half of a surrogate pair; send whole Unicode characters")
            return found

        text = pa.array(refusals.one_by_one(listed(column), field, read), pa.string())
    return _checked(text, field, refusals, longest)


def categories(column: Column, field: str, refusals: Refusals) -> pa.DictionaryArray:
    """What ``texts`` gives, as a dictionary of the distinct ones in the order of the rows."""
    if isinstance(column, list):
        try:
            coded = pa.array(column, _CODED)
        except (pa.ArrowException, TypeError, ValueError):      # something among them is no text
            return texts(column, field, refusals).dictionary_encode()
        for bad, reason in _faults(coded.dictionary, MAX_TEXT):
            refusals.where(bad.take(coded.indices), field, reason)
        return coded
    return texts(column, field, refusals).dictionary_encode()


def _as_text(array: pa.Array) -> pa.StringArray | None:
    """The whole column as canonical text, or ``None`` for a type that has none."""
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_floating(kind):
        codes = drop_nan(array.cast(pa.float64())).dictionary_encode()
        return pa.array(map(canonical_label, codes.dictionary.to_pylist()), pa.string()).take(codes.indices)
    if (
        pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
        or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ):  # fmt: skip
        return array.cast(pa.string())
    return None


def _checked(text: pa.StringArray, field: str, refusals: Refusals, longest: int) -> pa.StringArray:
    for bad, reason in _faults(text, longest):
        refusals.where(bad, field, reason)
    return text


def _faults(text: pa.StringArray, longest: int) -> Iterator[tuple[pa.BooleanArray, str]]:
    """What text has faults, and what they are."""
    # A look at the bytes of the whole column spares a search in each text. (A slice's neighbours may be among them.)
    content = text.buffers()[2]
    if content is not None and b"\0" in content.to_pybytes():
        yield pc.match_substring(text, "\0"), "holds a NUL character; send printable text"
    offsets = np.frombuffer(text.buffers()[1] or b"", np.int32)
    if offsets.size and np.diff(offsets).max(initial=0) > longest:
        yield pc.greater(pc.utf8_length(text), longest), f"is longer than {longest} characters; shorten it"
