"""Rows and blocks of rows, and the columnar JSON body that they are sent as."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from vigil_client.values import column_json

NESTED = ("features", "tags", "protected")
_NO_MAP: Mapping[str, Any] = {}
_MOST_NAME = 300

Record = dict[str, Any]
"""One row: fields by name, those of ``NESTED`` as maps of their own."""


@dataclass(frozen=True)
class Block:
    """Several rows as columns, by their wire names (``features.age``)."""

    columns: Mapping[str, list[Any]]
    rows: int

    def cut(self, start: int, stop: int) -> Block:
        """Rows ``start`` to ``stop``, without the last."""
        stop = min(stop, self.rows)
        return Block({name: values[start:stop] for name, values in self.columns.items()}, stop - start)

    def only(self, kept: list[int]) -> Block:
        """The rows of these numbers."""
        return Block({name: [values[i] for i in kept] for name, values in self.columns.items()}, len(kept))


Item = tuple[int, int, Union[Record, Block]]
"""Number of rows, their size in bytes as it was weighed, and the rows."""


@dataclass(eq=False)
class Batch:
    """Rows under way to one model. Its ``key`` lets the service know a repeated request by."""

    items: list[Item]
    rows: int
    size: int
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    body: bytes | None = None
    attempts: int = 0
    faults: int = 0
    first: float = 0.0      # monotonic time of the first attempt
    tried: float = 0.0      # of the last one
    due: float = 0.0        # of the next one
    asked: bool = False     # whether the service named the time
    abandoned: bool = False

    @classmethod
    def of(cls, items: list[Item]) -> Batch:
        return cls(items, sum(i[0] for i in items), sum(i[1] for i in items))

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches that hold the same rows, for a service that finds this one too large. It has two rows or more."""
        items = self.items
        if len(items) == 1:
            rows, size, block = items[0]
            assert isinstance(block, Block), "one row has no halves"
            half = rows // 2
            items = [(half, size // 2, block.cut(0, half)), (rows - half, size - size // 2, block.cut(half, rows))]
        half = len(items) // 2
        return Batch.of(items[:half]), Batch.of(items[half:])


def encode(
    items: list[Item], envelope: Mapping[str, Any], breathe: Callable[[], None], unreadable: list[str]
) -> bytes:
    """The body of a request. ``breathe`` is called between pieces of work of some tens of microseconds.

    >>> row = {"prediction_id": "a", "features": {"age": 40}}
    >>> encode([(1, 0, row), (1, 0, {"prediction_id": "b"})], {"source": "web"}, lambda: None, [])
    b'{"source":"web","columns":{"prediction_id":["a","b"],"features.age":[40,null]}}'
    """
    runs = _runs(items)
    names: dict[str, None] = {}
    for run in runs:
        names.update(dict.fromkeys(run.names()))
        breathe()
    pieces, first = ["{"], True
    for name, value in envelope.items():
        pieces.append(f"{next(column_json([name], unreadable))}:{next(column_json([value], unreadable))},")
    pieces.append('"columns":{')
    for name in names:
        if not _sendable(name):
            unreadable.append("a field name that is no printable text of up to 300 characters")
            continue
        pieces.append(("" if first else ",") + next(column_json([name], unreadable)) + ":[")
        first, comma = False, False
        for run in runs:
            for text in column_json(run.column(name), unreadable):
                pieces.append("," + text if comma else text)
                comma = True
                breathe()
        pieces.append("]")
    pieces.append("}}")
    return "".join(pieces).encode("ascii")


def compressed(body: bytes) -> bytes:
    """The body as gzip, at its fastest; other threads run meanwhile."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def _sendable(name: str) -> bool:
    return len(name) <= _MOST_NAME and name.isprintable() and not any("\ud800" <= c <= "\udfff" for c in name)


def _runs(items: list[Item]) -> list[_Records | _Columns]:
    """Neighbouring rows together, blocks each for itself."""
    runs: list[_Records | _Columns] = []
    for _, _, what in items:
        if isinstance(what, Block):
            runs.append(_Columns(what))
        elif runs and isinstance(runs[-1], _Records):
            runs[-1].records.append(what)
        else:
            runs.append(_Records([what]))
    return runs


class _Columns:
    def __init__(self, block: Block) -> None:
        self.block = block

    def names(self) -> Iterator[str]:
        yield from self.block.columns

    def column(self, name: str) -> list[Any]:
        return self.block.columns.get(name) or [None] * self.block.rows


class _Records:
    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self._places: dict[str, tuple[str, Any]] = {}

    def names(self) -> Iterator[str]:
        """The wire names of all rows, each once, in the order that they are met in."""
        shapes: set[tuple[Any, ...]] = set()
        for record in self.records:
            shape = tuple(record)
            if shape not in shapes:
                shapes.add(shape)
                self._places.update((name, ("", name)) for name in shape if name not in NESTED)
        for group in NESTED:
            shapes.clear()
            for record in self.records:
                shape = tuple(record.get(group, _NO_MAP))
                if shape not in shapes:
                    shapes.add(shape)
                    self._places.update((f"{group}.{key}", (group, key)) for key in shape)
        yield from self._places

    def column(self, name: str) -> list[Any]:
        if name not in self._places:
            return [None] * len(self.records)
        group, key = self._places[name]
        if not group:
            return [record.get(key) for record in self.records]
        return [record.get(group, _NO_MAP).get(key) for record in self.records]
