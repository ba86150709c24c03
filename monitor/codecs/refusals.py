"""The rows of a batch that are refused, gathered while its columns are typed: the first reason of each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from monitor.batch import Reject
from monitor.codecs.json_text import NotJson

T = TypeVar("T")


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

    def one_by_one(self, values: list[Any], field: str, read: Callable[[Any], T]) -> list[T | None]:
        """Read each value that is there; one that ``read`` refuses refuses its row, and reads as missing."""
        out: list[T | None] = []
        for row, value in enumerate(values):
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
