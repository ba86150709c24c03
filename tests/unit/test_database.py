"""Engines and transactions: what is written is whole or absent, and readers wait for no writer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert, select

from monitor.database import among, insert_many, open_database, reading, upsert, writing
from monitor.errors import NotDurable

metadata = MetaData()
things = Table("things", metadata, Column("name", String, primary_key=True), Column("n", Integer, nullable=False))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'deep' / 'er' / 'a.db'}", durable=True)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def held(engine: Engine) -> dict[str, int]:
    with reading(engine) as db:
        return {row.name: row.n for row in db.execute(select(things))}


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_the_log_flushes_at_each_commit_and_the_state_need_not(
    tmp_path: Path, durable: bool, synchronous: int
) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}", durable=durable)
    with engine.connect() as db:
        names = ("journal_mode", "synchronous", "foreign_keys")
        values = {name: db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}
    assert values == {"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1}
    engine.dispose()


def test_a_fault_leaves_nothing_written(engine: Engine) -> None:
    def fail() -> None:
        with writing(engine) as db:
            db.execute(insert(things).values(name="a", n=1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert held(engine) == {}
    with writing(engine) as db:
        db.execute(insert(things).values(name="b", n=2))
    assert held(engine) == {"b": 2}


def test_a_writer_holds_the_lock_from_its_start_and_readers_see_what_was(engine: Engine) -> None:
    with writing(engine) as db:
        db.execute(insert(things).values(name="a", n=1))
    seen: list[int] = []

    def count_up() -> None:
        for _ in range(50):
            with writing(engine) as db:
                n = db.execute(select(things.c.n)).scalar_one()
                db.execute(upsert(things, ["n"]), {"name": "a", "n": n + 1})

    threads = [threading.Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    with reading(engine) as db:
        first = db.execute(select(things.c.n)).scalar_one()
        for thread in threads:
            thread.join(60)
        seen = [first, db.execute(select(things.c.n)).scalar_one()]
    assert seen[0] == seen[1], "one consistent view"
    assert held(engine) == {"a": 151}, "no update was lost"


def test_a_full_database_is_not_durable_and_says_so_without_the_values(engine: Engine) -> None:
    secret = "zq-secret"

    def fill() -> None:
        with writing(engine) as db:
            pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
            db.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            db.execute(insert(things), [{"name": f"{secret}{i}" * 50, "n": i} for i in range(500)])

    with pytest.raises(NotDurable, match="full") as refused:
        fill()
    assert "disk space" in refused.value.mend
    assert secret not in str(refused.value) + str(refused.value.__cause__)
    assert held(engine) == {}


def test_a_fault_that_is_no_matter_of_space_stays_what_it_is(engine: Engine) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError) as refused, writing(engine) as db:
        db.execute(insert(things), [{"name": "zq-secret", "n": 1}, {"name": "zq-secret", "n": 2}])
    assert "zq-secret" not in str(refused.value)


def test_upsert_and_insert_many_overwrite_what_they_name(engine: Engine) -> None:
    with writing(engine) as db:
        insert_many(db, things, ("name", "n"), [("a", 1), ("b", 2)])
        db.execute(upsert(things, ["n"]), [{"name": "a", "n": 10}, {"name": "c", "n": 3}])
        insert_many(db, things, ("name", "n"), [("b", 20), ("d", 4)], update=("n",))
        insert_many(db, things, ("name", "n"), [])
    assert held(engine) == {"a": 10, "b": 20, "c": 3, "d": 4}


def test_among_takes_any_number_of_any_text(engine: Engine) -> None:
    odd = ["", "a'b", 'c"d', "é\u2028", "\\", "[1]"]
    names = odd + [f"n{i}" for i in range(40_000)]
    with writing(engine) as db:
        insert_many(db, things, ("name", "n"), [(name, i) for i, name in enumerate(names)])
        asked = [*odd, *names[::2], "not there"]
        found = set(db.execute(select(things.c.name).where(among(things.c.name, asked))).scalars())
        assert db.execute(select(things.c.name).where(among(things.c.name, []))).all() == []
    assert found == set(asked) - {"not there"}
