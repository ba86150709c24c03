"""Seals: a model's state at a cursor, kept in the log, so that what is made of rows outlives the rows.

A seal is taken in steps, each under the next number, and holds from the moment that its own row in ``seals`` says so:
one that was broken off is never seen, and its rows are deleted before the next. What did not change since the seal
before is not written again, so a reader takes of each key the row with the highest number up to the seal's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import pyarrow as pa
from sqlalchemy import JSON, BigInteger, Column, Connection, Integer, LargeBinary, String, Table, delete, select

from monitor.database import insert_many, upsert
from monitor.database.shape import PACKED
from monitor.log.tables import metadata

seals = Table(
    "seals",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("reference_seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("bases", JSON, nullable=False),
    Column("marks", JSON, nullable=False),
)

# ``name``: the table of the state; ``key``: what tells its pieces apart; ``seq``: no segment behind it is in the piece.
sealed = Table(
    "sealed",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("name", String(24), primary_key=True),
    Column("key", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False, info=PACKED),
)

READ = 64       # rows of ``sealed`` that are read or deleted at a time


@dataclass(frozen=True, slots=True)
class Seal:
    """A model's state with its data folded up to ``seq``. Of a table nothing before the number in ``bases`` counts;
    ``marks`` say up to where the tables that only grow are in it."""

    model: str
    number: int
    seq: int
    reference_seq: int
    at: int
    bases: Mapping[str, int]
    marks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a table of the state, as ``pack`` has them."""

    key: str
    seq: int
    data: bytes


def find(db: Connection, model: str) -> Seal | None:
    row = db.execute(select(seals).where(seals.c.model == model)).mappings().first()
    return None if row is None else Seal(**row)


def put(db: Connection, model: str, number: int, name: str, pieces: Sequence[Piece]) -> None:
    rows = [(model, name, piece.key, number, piece.seq, piece.data) for piece in pieces]
    insert_many(db, sealed, ("model", "name", "key", "number", "seq", "data"), rows, update=("seq", "data"))


def hold(db: Connection, seal: Seal) -> None:
    """From now on this is the model's seal."""
    row = asdict(seal)
    db.execute(upsert(seals, [name for name in row if name != "model"]), row)


def clear_broken(db: Connection, model: str, number: int) -> bool:
    """Delete some of what a seal behind ``number`` left that was broken off; whether there may be more."""
    return _delete(db, (sealed.c.model == model) & (sealed.c.number > number))


def clear_replaced(db: Connection, seal: Seal, after: tuple[str, str]) -> tuple[str, str] | None:
    """Delete some of what a seal has replaced, behind a name and key; where to go on, ``None`` where all is done."""
    c = sealed.c
    for name, base in seal.bases.items():
        while_more = _delete(db, (c.model == seal.model) & (c.name == name) & (c.number < base))
        if while_more:
            return after
    new = (c.model == seal.model, c.number == seal.number)
    query = select(c.name, c.key).where(*new, (c.name > after[0]) | ((c.name == after[0]) & (c.key > after[1])))
    found = db.execute(query.order_by(c.name, c.key).limit(READ)).all()
    for name in {row.name for row in found}:
        keys = [row.key for row in found if row.name == name]
        same = (c.model == seal.model, c.name == name, c.key.in_(keys))
        db.execute(delete(sealed).where(*same, c.number < seal.number))
    return (found[-1].name, found[-1].key) if len(found) == READ else None


def read(db: Connection, seal: Seal, name: str) -> Iterator[list[Piece]]:
    """What a seal has of a table, in the order of the keys, some at a time."""
    c = sealed.c
    mine = (c.model == seal.model, c.name == name, c.number.between(seal.bases.get(name, 0), seal.number))
    after = ""
    while True:
        keys = select(c.key).where(*mine, c.key > after).distinct().order_by(c.key).limit(READ)
        found = list(db.execute(keys).scalars())
        if not found:
            return
        query = select(c.key, c.seq, c.data).where(*mine, c.key.in_(found)).order_by(c.key, c.number)
        latest = {row.key: Piece(row.key, row.seq, row.data) for row in db.execute(query)}
        yield [latest[key] for key in found]
        after = found[-1]


def cut(db: Connection, model: str, names: Sequence[str], upto: int) -> bool:
    """Delete some of the pieces of tables in which no segment behind ``upto`` is; whether there may be more."""
    return _delete(db, (sealed.c.model == model) & sealed.c.name.in_(names) & (sealed.c.seq <= upto))


def _delete(db: Connection, which: Any) -> bool:
    c = sealed.c
    found = db.execute(select(c.model, c.name, c.key, c.number).where(which).limit(READ)).all()
    for row in found:
        mine = (c.model == row.model, c.name == row.name, c.key == row.key, c.number == row.number)
        db.execute(delete(sealed).where(*mine))
    return len(found) == READ


def pack(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as bytes.

    >>> unpack(pack(["a", "b"], [[1, b"x"], [None, b""]]))
    [{'a': 1, 'b': b'x'}, {'a': None, 'b': b''}]
    """
    said = msgspec.msgpack.encode([[str(name) for name in columns], [list(row) for row in rows]])
    return len(said).to_bytes(8, "little") + bytes(pa.compress(said, "zstd", asbytes=True))


def unpack(data: bytes) -> list[dict[str, Any]]:
    said = pa.decompress(data[8:], int.from_bytes(data[:8], "little"), "zstd", asbytes=True)
    columns, rows = msgspec.msgpack.decode(said)
    return [dict(zip(columns, row, strict=True)) for row in rows]
