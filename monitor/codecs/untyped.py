"""Text that a format without types (CSV) gave, as the values that JSON would have given, where the declaration asks.

The rule is one of single values, never of a column: what a row says does not depend on the rows beside it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from monitor.codecs.values import Column
from monitor.model import canonical_label

_QUICK = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE)
_PLAIN = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,15})\.0")
_BOOLEANS = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}


def values_of(text: Column) -> Column:
    """Numbers as float64; where other text stands among them a list: numbers, lists and objects of JSON, other text.

    >>> values_of(pa.array(["1", ".5", None])).to_pylist(), values_of(pa.array([" 7 ", "", "x", "[1, 2]"]))
    ([1.0, 0.5, None], [7.0, None, 'x', [1, 2]])
    """
    assert isinstance(text, pa.Array), "a format without types gives arrays of text"
    if pc.all(pc.match_substring_regex(text, _QUICK)).as_py() is not False:
        try:
            return text.cast(pa.float64())
        except pa.ArrowInvalid:     # beyond double's range
            pass
    return [None if value is None else _value(value.strip()) for value in text.to_pylist()]


def _value(text: str) -> Any:
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    if text[0] in "[{":
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text
    return text


def labels_of(text: Column) -> pa.StringArray:
    """Labels and categories: a whole float and a boolean as other formats have them, all else as it stands.

    >>> labels_of(pa.array(["21.0", "02139", "1.50", "True", "yes", None])).to_pylist()
    ['21', '02139', '1.50', 'true', 'yes', None]
    """
    assert isinstance(text, pa.Array), "a format without types gives arrays of text"
    coded = text.dictionary_encode()
    words = coded.dictionary.to_pylist()
    spelt = [_label(word) for word in words]
    return text if spelt == words else pa.array(spelt, pa.string()).take(coded.indices)


def _label(word: str) -> str:
    return canonical_label(float(word)) if _WHOLE.fullmatch(word) else _BOOLEANS.get(word, word)


def are_numbers(text: pa.StringArray) -> bool:
    """Whether a column is one of numbers, for a reference that no declaration types. ``02139`` is none.

    >>> are_numbers(pa.array(["1", "2.5", None])), are_numbers(pa.array(["10001", "02139"]))
    (True, False)
    """
    return bool(pc.all(pc.match_substring_regex(text, _PLAIN)).as_py())
