"""Engines and transactions: what is written is whole or absent, and readers wait for no writer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Deployment, Postgres
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from monitor.database import among, insert_many, open_database, reading, upsert, writing
from monitor.errors import NotDurable

metadata = MetaData()
things = Table("things", metadata, Column("name", String, primary_key=True), Column("n", Integer, nullable=False))
kinds = Table(
    "kinds", metadata, Column("order", BigInteger, primary_key=True), Column("f", Float), Column("b", LargeBinary),
    Column("yes", Boolean), Column("body", JSON), Column("text", String(4)),
)  # fmt: skip

both = pytest.mark.both_databases


@pytest.fixture
def engine(deployment: Deployment) -> Iterator[Engine]:
    deployment.folder /= "deep/er"
    engine = open_database(deployment.settings().log_url, durable=True)
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


@both
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


@both
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


def _fill_up(db: Connection) -> None:
    """Leave no room: on SQLite really; on PostgreSQL the server says what it says on a full disk."""
    if db.dialect.name == "sqlite":
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
        db.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        return
    db.exec_driver_sql(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: the disk is full' USING ERRCODE = 'disk_full', DETAIL = 'of ' || new.name; END $$"
    )
    db.exec_driver_sql("CREATE TRIGGER no_room BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION full_disk()")


@both
def test_a_full_database_is_not_durable_and_says_so_without_the_values(engine: Engine) -> None:
    secret = "zq-secret"

    def fill() -> None:
        with writing(engine) as db:
            _fill_up(db)
            db.execute(insert(things), [{"name": f"{secret}{i}" * 50, "n": i} for i in range(500)])

    with pytest.raises(NotDurable, match="full") as refused:
        fill()
    assert "disk space" in refused.value.mend
    assert secret not in str(refused.value) + str(refused.value.__cause__)
    assert held(engine) == {}


@both
def test_a_fault_that_is_no_matter_of_space_stays_what_it_is(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as refused, writing(engine) as db:
        db.execute(insert(things), [{"name": "zq-secret", "n": 1}, {"name": "zq-secret", "n": 2}])
    assert "zq-secret" not in str(refused.value) + str(refused.value.orig)
    with pytest.raises(IntegrityError) as refused, writing(engine) as db:
        insert_many(db, things, ("name", "n"), [("zq-secret", 1), ("zq-secret", 2)])
    assert "zq-secret" not in str(refused.value) + str(refused.value.orig) + str(refused.value.__cause__)
    assert held(engine) == {}


@both
def test_upsert_and_insert_many_overwrite_what_they_name(engine: Engine) -> None:
    with writing(engine) as db:
        insert_many(db, things, ("name", "n"), [("a", 1), ("b", 2)])
        db.execute(upsert(things, ["n"]), [{"name": "a", "n": 10}, {"name": "c", "n": 3}])
        insert_many(db, things, ("name", "n"), [("b", 20), ("d", 4)], update=("n",))
        insert_many(db, things, ("name", "n"), [])
    assert held(engine) == {"a": 10, "b": 20, "c": 3, "d": 4}


@both
def test_among_takes_any_number_of_any_text(engine: Engine) -> None:
    odd = ["", "a'b", 'c"d', "é\u2028", "\\", "[1]"]
    names = odd + [f"n{i}" for i in range(40_000)]
    with writing(engine) as db:
        insert_many(db, things, ("name", "n"), [(name, i) for i, name in enumerate(names)])
        asked = [*odd, *names[::2], "not there"]
        found = set(db.execute(select(things.c.name).where(among(things.c.name, asked))).scalars())
        assert db.execute(select(things.c.name).where(among(things.c.name, []))).all() == []
    assert found == set(asked) - {"not there"}


@both
def test_insert_many_takes_a_value_of_every_type_in_any_order_of_columns(engine: Engine) -> None:
    row = (b"\x00\xff", {"a": [1, None, "é"]}, True, -(2**62), 0.1, "ab")
    columns = ("b", "body", "yes", "order", "f", "text")
    for update in ((), ("body", "f")):
        with writing(engine) as db:
            insert_many(db, kinds, columns, [row, (None, {}, None, 5, None, None)], update)
            found = db.execute(select(*(kinds.c[name] for name in columns)).order_by(kinds.c.order)).all()
            db.execute(kinds.delete())
        assert [tuple(r) for r in found] == [row, (None, {}, None, 5, None, None)]


def test_postgresql_flushes_the_log_and_not_the_state_and_never_less_than_is_set(
    postgres: Postgres, on_postgres: Deployment
) -> None:
    url = on_postgres.settings().log_url

    def commit(*, durable: bool) -> object:
        engine = open_database(url, durable=durable)
        with reading(engine) as db:
            found = db.execute(text("SHOW synchronous_commit")).scalar()
        engine.dispose()
        return found

    assert (commit(durable=True), commit(durable=False)) == ("on", "off")
    name = on_postgres.name
    for given, wanted in (("off", "on"), ("remote_apply", "remote_apply")):
        postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = {given}")
        assert (commit(durable=True), commit(durable=False)) == (wanted, "off")


def test_a_value_that_no_index_holds_is_no_matter_of_space(on_postgres: Deployment) -> None:
    engine = open_database(on_postgres.settings().log_url, durable=True)
    metadata.create_all(engine)
    name = "".join(chr(0x4E00 + i * 7919 % 20_000) for i in range(2_000))
    with pytest.raises(OperationalError, match="exceeds btree"), writing(engine) as db:
        insert_many(db, things, ("name", "n"), [(name, 1)])
    engine.dispose()


def test_a_writer_that_waits_too_long_is_told_to_wait(on_postgres: Deployment) -> None:
    url = on_postgres.settings().log_url
    slow, quick = open_database(url, durable=True), open_database(url + "%20-clock_timeout%3D100ms", durable=True)
    with writing(slow), pytest.raises(NotDurable, match="lock timeout") as refused, writing(quick):
        pass
    assert "wait" in refused.value.mend
    for engine in (slow, quick):
        engine.dispose()


def test_a_server_that_goes_away_is_not_durable_and_all_is_well_when_it_is_back(
    postgres: Postgres, on_postgres: Deployment
) -> None:
    engine = open_database(on_postgres.settings().log_url, durable=True)
    metadata.create_all(engine)
    name = on_postgres.name
    away = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    def cut() -> None:
        with writing(engine) as db:
            insert_many(db, things, ("name", "n"), [("a", 1)])
            postgres.execute(away)

    with pytest.raises(NotDurable, match="could not be written"):
        cut()
    assert held(engine) == {}, "the pool has a new connection, and nothing of what was cut off"
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres.execute(away)
    for _ in range(2):
        with pytest.raises(NotDurable, match="not currently accepting connections"), writing(engine):
            pass
        with pytest.raises(NotDurable, match="cannot be read"), reading(engine):
            pass
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    with writing(engine) as db:
        insert_many(db, things, ("name", "n"), [("b", 2)])
    assert held(engine) == {"b": 2}
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine.dispose()
    with pytest.raises(NotDurable, match="read-only"), writing(engine) as db:
        db.execute(insert(things).values(name="c", n=3))
    engine.dispose()
