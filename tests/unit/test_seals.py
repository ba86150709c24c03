"""Seals and erasures in the log: what a reader of a seal sees, what a broken one leaves, and how names are hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, func, select

from monitor.log import claims, cuts, erasures, seals
from monitor.log.seals import Piece, Seal, sealed
from monitor.log.tables import metadata


@pytest.fixture
def db() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as db:
        yield db
    engine.dispose()


def seal(number: int, bases: dict[str, int] | None = None, seq: int = 9) -> Seal:
    return Seal("m", number, seq, 1, 5, bases or {}, {"points": number})


def take(db: Connection, number: int, bases: dict[str, int] | None = None, **pieces: dict[str, bytes]) -> Seal:
    for name, of in pieces.items():
        seals.put(db, "m", number, name, [Piece(key, number, data) for key, data in of.items()])
    made = seal(number, bases)
    seals.hold(db, made)
    return made


def seen(db: Connection, name: str) -> dict[str, bytes]:
    held = seals.find(db, "m")
    assert held is not None
    return {piece.key: piece.data for pieces in seals.read(db, held, name) for piece in pieces}


def test_a_seal_adds_to_the_one_before_and_overwrites_what_changed(db: Connection) -> None:
    take(db, 1, summaries={"a": b"1", "b": b"1"})
    made = take(db, 2, summaries={"b": b"2", "c": b"2"})
    assert seen(db, "summaries") == {"a": b"1", "b": b"2", "c": b"2"}
    while seals.clear_replaced(db, made, ("", "")) is not None:
        pass
    assert seen(db, "summaries") == {"a": b"1", "b": b"2", "c": b"2"}
    assert db.execute(select(func.count()).select_from(sealed)).scalar() == 3


def test_what_is_written_whole_is_that_of_the_last_seal_alone(db: Connection) -> None:
    take(db, 1, windows={"0": b"1", "1": b"1"})
    made = take(db, 2, {"windows": 2}, windows={"0": b"2"})
    assert seen(db, "windows") == {"0": b"2"}
    seals.clear_replaced(db, made, ("", ""))
    assert db.execute(select(sealed.c.number)).scalars().all() == [2]


def test_a_seal_that_was_broken_off_is_never_seen(db: Connection) -> None:
    take(db, 1, summaries={"a": b"1"})
    seals.put(db, "m", 2, "summaries", [Piece("a", 2, b"2"), Piece("z", 2, b"2")])
    assert seen(db, "summaries") == {"a": b"1"}
    while seals.clear_broken(db, "m", 1):
        pass
    take(db, 2, summaries={"b": b"2"})
    assert seen(db, "summaries") == {"a": b"1", "b": b"2"}


def test_many_pieces_are_read_in_the_order_of_their_keys(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "READ", 3)
    take(db, 1, points={f"{i:03}": b"x" for i in range(10)})
    assert list(seen(db, "points")) == [f"{i:03}" for i in range(10)]


def test_what_is_too_old_goes_by_its_last_segment(db: Connection) -> None:
    take(db, 1, summaries={"a": b"1"})
    take(db, 2, summaries={"b": b"2"})
    while seals.cut(db, "m", ("summaries",), 1):
        pass
    assert seen(db, "summaries") == {"b": b"2"}


def test_how_far_a_model_was_cut_only_ever_grows(db: Connection) -> None:
    assert cuts.find(db, "m") == cuts.Cuts("m")
    cuts.note(db, "m", {"rows": 5}, rows_upto=7, cut_to=70)
    cuts.note(db, "m", {"rows": 2}, rows_upto=3)
    found = cuts.find(db, "m")
    assert (found.rows_upto, found.cut_to, found.counts) == (7, 70, {"rows": 7})


def test_one_holds_a_claim_until_its_time_is_over(db: Connection) -> None:
    assert claims.claim(db, "m", "one", 0)
    assert not claims.claim(db, "m", "two", claims.LASTS - 1)
    assert claims.claim(db, "m", "one", claims.LASTS - 1)
    assert not claims.claim(db, "m", "two", claims.LASTS)
    claims.release(db, "m", "two")
    assert claims.claim(db, "m", "two", 3 * claims.LASTS)
    claims.release(db, "m", "two")
    assert claims.claim(db, "m", "one", 0)


def test_an_erasure_names_nobody_and_all_have_one_key(db: Connection) -> None:
    one = erasures.ask(db, "m", "subject", "somebody", 1, "ana", "why")
    two = erasures.ask(db, "m", "subject", "somebody", 2, "ana", "why")
    other = erasures.ask(db, "m", "prediction", "somebody", 3, "ana", "why")
    assert one.key == two.key == other.key
    assert one.hash == two.hash != other.hash
    stored = "".join(str(row) for row in db.execute(select(erasures.erasures)))
    assert "somebody" not in stored
    assert [e.id for e in erasures.pending(db, "m")] == [one.id, two.id, other.id]
    erasures.count(db, [one.id], Counter(predictions=2))
    erasures.count(db, [one.id], Counter(predictions=1, outcomes=1))
    erasures.finish(db, [one.id], 9)
    assert [e.id for e in erasures.pending(db, "m")] == [two.id, other.id]
    assert erasures.of_model(db, "m")[0].counts == {"predictions": 3, "outcomes": 1}
    erasures.ask_again(db, one)
    assert erasures.of_model(db, "m")[0].done_at is None
