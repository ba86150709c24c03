"""What is wrong with the rows of a batch, gathered while its columns are typed.

A fault in a row's own fields refuses the row (``Refusals``: the first reason of each). A value of a wrong type in a
feature is drift of the sender's schema: it is taken as missing and the row is kept (``Mistyped``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import Reject
from monitor.codecs.json_text import NotJson

T = TypeVar("T")
Mask = np.ndarray[Any, np.dtype[np.bool_]]
SEPARATOR = "\x1f"        # no name on the wire holds a control character
MAX_TOLD = 2**24          # characters of the sets of names that a batch tells of


class Refused(ValueError):
    """Why a single value cannot be taken, with the mend; it repeats no value, which may be a protected attribute's."""


class Refusals:
    def __init__(self, rejects: list[Reject]) -> None:
        self._first: dict[int, Reject] = {}
        for reject in rejects:
            self._first.setdefault(reject.row, reject)

    def refuse(self, row: int, field: str, reason: str) -> None:
        if row not in self._first:
            self._first[row] = Reject(row, field, reason)

    def where(self, bad: pa.BooleanArray | np.ndarray[Any, Any], field: str, reason: str) -> None:
        """Refuse the rows where ``bad`` is true; shape (rows,), null is false."""
        mask = bad.fill_null(False).to_numpy(zero_copy_only=False) if isinstance(bad, pa.Array) else bad
        for row in np.flatnonzero(mask).tolist():
            self.refuse(row, field, reason)

    def one_by_one(self, values: list[Any], field: str, read: Callable[[Any], T], start: int = 0) -> list[T | None]:
        """Read each value that is there; one that ``read`` refuses refuses its row, and reads as missing.
        ``start``: the row of the first value."""
        out: list[T | None] = []
        for row, value in enumerate(values, start):
            try:
                out.append(None if value is None else read(value))
            except Refused as refused:
                self.refuse(row, field, value.reason if isinstance(value, NotJson) else str(refused))
                out.append(None)
        return out

    @property
    def rejects(self) -> list[Reject]:
        """One for each refused row, in the order of the rows."""
        return [self._first[row] for row in sorted(self._first)]

    def kept(self, n_rows: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The numbers of the rows that were not refused."""
        good = np.ones(n_rows, bool)
        good[list(self._first)] = False
        return np.flatnonzero(good).astype(np.int32)


class Mistyped(Refusals):
    """Values that a feature cannot take: their rows stay, and read as missing there.

    >>> wrong = Mistyped(2)
    >>> wrong.refuse(1, "features.age", "is text; send a number")
    >>> wrong.without(pa.array([1.0, 2.0]), "features.age").to_pylist(), wrong.counts(np.array([0, 1]))
    ([1.0, None], {'features.age': 1})
    """

    def __init__(self, n_rows: int) -> None:
        super().__init__([])
        self._n = n_rows
        self._masks: dict[str, Mask] = {}

    def refuse(self, row: int, field: str, reason: str) -> None:
        self._mask(field)[row] = True

    def where(self, bad: pa.BooleanArray | np.ndarray[Any, Any], field: str, reason: str) -> None:
        mask = bad.fill_null(False).to_numpy(zero_copy_only=False) if isinstance(bad, pa.Array) else bad
        if mask.any():
            self._mask(field)[mask] = True

    def without(self, array: pa.Array, field: str) -> pa.Array:
        """The column with nulls where its values were wrong."""
        mask = self._masks.get(field)
        if mask is None:
            return array
        if pa.types.is_dictionary(array.type):      # which is to hold no word of a value that is not taken
            return self.without(array.dictionary_decode(), field).dictionary_encode()
        return pc.if_else(pa.array(mask), pa.scalar(None, array.type), array)

    def counts(self, rows: np.ndarray[Any, Any]) -> dict[str, int]:
        """By field, how many of these rows had a wrong value in it; only fields that had any."""
        return {field: n for field, mask in self._masks.items() if (n := int(mask[rows].sum()))}

    def names(self, rows: np.ndarray[Any, Any], prefix: str) -> pa.DictionaryArray | None:
        """The names of the fields that were wrong in each of these rows, joined by ``SEPARATOR``, without ``prefix``;
        ``None`` where all were right. Where rows differ so much that their sets of names are over ``MAX_TOLD``
        characters, the rest of the rows tell one name each."""
        found = list(self.counts(rows))
        if not found:
            return None
        fields = [field.removeprefix(prefix) for field in found]
        wrong = np.packbits(np.stack([self._masks[field][rows] for field in found], axis=1), axis=1)
        sets, codes = np.unique(wrong, axis=0, return_inverse=True)
        words: list[str | None] = []
        left = MAX_TOLD
        for packed in sets:
            named = [fields[i] for i in np.flatnonzero(np.unpackbits(packed, count=len(fields)))]
            word = SEPARATOR.join(named if left > 0 else named[:1])
            left -= len(word)
            words.append(word or None)
        return pa.array(words, pa.string()).take(pa.array(codes.reshape(-1))).dictionary_encode()

    def _mask(self, field: str) -> Mask:
        mask = self._masks.get(field)
        if mask is None:
            mask = self._masks[field] = np.zeros(self._n, bool)
        return mask
