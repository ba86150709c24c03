"""Rows gathered record by record, and records that give none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.batch import Envelope, Reject
from monitor.codecs.columns import MAX_CELLS, Columns, check_shape
from monitor.errors import TooLarge


@dataclass(frozen=True, slots=True)
class Misfit:
    """A record that gives no exchange: ``field`` is the part of it that is wrong, ``reason`` why, with the mend."""

    field: str
    reason: str


NO_OBJECT = Misfit("", "the record is no object; send {name: value}")


class Misfitting(ValueError):
    """Raised where the parts of an exchange do not fit."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.misfit = Misfit(where, reason)


class Rows:
    """Blocks of rows one after another; a column that a block lacks is null there."""

    def __init__(self) -> None:
        self.data: dict[str, list[Any]] = {}
        self.n_rows = 0
        self.rejects: list[Reject] = []

    def add(self, block: Mapping[str, list[Any]] | Misfit) -> None:
        """Rows with one value each in every column of ``block``; or one that is rejected."""
        if isinstance(block, Misfit):
            self.rejects.append(Reject(self.n_rows, block.field, block.reason))
            self.n_rows += 1
            return
        n = max(map(len, block.values()))
        for wire, values in block.items():
            column = self.data.setdefault(wire, [])
            if len(column) < self.n_rows:
                column.extend([None] * (self.n_rows - len(column)))
            column.extend(values)
        self.n_rows += n
        if len(self.data) * self.n_rows > MAX_CELLS:
            raise TooLarge(f"{self.n_rows} rows with {len(self.data)} distinct fields", "Send fewer records at a time")

    def columns(self, envelope: Envelope) -> Columns:
        check_shape(self.n_rows, list(self.data))
        data: dict[str, Any] = {
            wire: values + [None] * (self.n_rows - len(values)) for wire, values in self.data.items()
        }
        return Columns(data, self.n_rows, envelope, self.rejects)


def row_ids(request: str, n: int) -> list[str]:
    """
    >>> row_ids("r-1", 1), row_ids("r-1", 2)
    (['r-1'], ['r-1/0', 'r-1/1'])
    """
    return [request] if n == 1 else [f"{request}/{row}" for row in range(n)]
