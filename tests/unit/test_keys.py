"""Rows kept under ids: found whatever was merged, cut or read anew, and the same from a fresh start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine, func, select

from monitor.database import open_database, writing
from monitor.fold.ids import Ids, hash_ids, pack_ids, unpack_ids
from monitor.store.keys import indexes, runs
from monitor.store.keys.cache import Cache
from monitor.store.keys.runs import Runs, Search
from monitor.store.tables import key_pages, key_rows, key_runs, metadata


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, pieces and last runs of a few rows."""
    monkeypatch.setattr(indexes, "PAGE", 4)
    monkeypatch.setattr(runs, "ROWS", 5)
    monkeypatch.setattr(runs, "LAST", 100)


def rows(values: list[int], words: list[str] | None = None) -> pa.RecordBatch:
    word = pa.array(words or ["w"] * len(values)).dictionary_encode()
    seq = pa.array(np.zeros(len(values), np.int64))
    return pa.RecordBatch.from_pydict({"value": pa.array(values, pa.int64()), "word": word, "seq": seq})


def kept(engine: Engine, some: Runs, ids: list[str]) -> list[tuple[str, int]]:
    with engine.connect() as db:
        asked, found = some.find(db, Search.of(Ids.of(ids)))
    return [] if found is None else list(zip([ids[i] for i in asked], found.column("value").to_pylist(), strict=True))


@pytest.mark.usefixtures("small")
def test_every_row_is_found_through_all_merges_and_from_a_fresh_start(engine: Engine) -> None:
    some, n = Runs(1, "entries", Cache(10_000)), 0
    chance = np.random.default_rng(3)
    names = [f"p{i}" if i % 3 else f"123e4567-e89b-12d3-a456-{i:012x}" for i in range(400)]
    for size in chance.integers(1, 12, 60):
        ids = names[n : n + size]
        with writing(engine) as db:
            some.add(Ids.of(ids), rows(list(range(n, n + len(ids))), [f"w{i % 7}" for i in range(n, n + len(ids))]))
            some.flush(db)
        n += len(ids)
    expected = [(name, i) for i, name in enumerate(names[:n])]
    assert kept(engine, some, names) == expected
    with engine.connect() as db:
        fresh = Runs.load(db, 1, "entries", Cache(500))
        assert kept(engine, fresh, names[::-1]) == expected[::-1]
        assert fresh.end == n
        assert db.execute(select(func.sum(key_rows.c.n))).scalar() == n
        assert db.execute(select(func.sum(key_runs.c.n))).scalar() == n
        assert db.execute(select(func.count()).select_from(key_runs)).scalar_one() < 12, "runs are merged"
        _, found = fresh.find(db, Search.of(Ids.of(names[:n])))
    assert found is not None
    assert found.column("word").to_pylist() == [f"w{i % 7}" for i in range(n)]
    assert found.column("id").to_pylist() == names[:n]


@pytest.mark.usefixtures("small")
def test_rows_under_one_id_come_in_their_order_and_unwritten_ones_last(engine: Engine) -> None:
    some = Runs(1, "outcomes", Cache(10_000))
    for i in range(9):
        with writing(engine) as db:
            some.add(Ids.of(["p", f"q{i}", "p"]), rows([10 * i, 10 * i + 1, 10 * i + 2]))
            some.flush(db)
    some.add(Ids.of(["p"]), rows([99]))
    assert kept(engine, some, ["q3", "p", "none"]) == [
        ("q3", 31), *(("p", 10 * i + j) for i in range(9) for j in (0, 2)), ("p", 99),
    ]  # fmt: skip


@pytest.mark.usefixtures("small")
def test_ids_of_one_hash_are_told_apart(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.fold.ids.hash_ids", lambda text: hash_ids(text) & np.uint64(3 << 62))
    some = Runs(1, "entries", Cache(10_000))
    names = [f"p{i}" for i in range(40)]
    for at in range(0, 40, 8):
        with writing(engine) as db:
            some.add(Ids.of(names[at : at + 8]), rows(list(range(at, at + 8))))
            some.flush(db)
    assert kept(engine, some, names) == [(name, i) for i, name in enumerate(names)]
    assert kept(engine, some, ["other"]) == []


def test_models_and_kinds_keep_to_themselves(engine: Engine) -> None:
    cache = Cache(10_000)
    some = [Runs(model, kind, cache) for model in (1, 2) for kind in ("entries", "outcomes")]
    for number, one in enumerate(some):
        with writing(engine) as db:
            one.add(Ids.of(["p"]), rows([number]))
            one.flush(db)
    assert [kept(engine, one, ["p"]) for one in some] == [[("p", i)] for i in range(4)]


def test_nothing_added_writes_nothing(engine: Engine) -> None:
    some = Runs(1, "entries", Cache(10_000))
    with writing(engine) as db:
        some.flush(db)
        assert db.execute(select(func.count()).select_from(key_pages)).scalar_one() == 0
    assert kept(engine, some, ["p"]) == []


@pytest.mark.parametrize(
    "ids", [["a", "bb", ""], ["123E4567-e89b-12d3-a456-426614174000"], ["123e4567-e89b-12d3-a456-42661417400g"],
            ["123e4567-e89b-12d3-a456-426614174000", "p"], ["é" * 18]],
)  # fmt: skip
def test_ids_in_any_other_spelling_stay_as_they_are(ids: list[str]) -> None:
    text = pa.array(ids)
    assert unpack_ids(pack_ids(text)).equals(text)
    assert pa.types.is_string(pack_ids(text).type)


def test_uuids_take_sixteen_bytes_and_a_slice_is_packed_as_itself() -> None:
    text = pa.array([f"123e4567-e89b-12d3-a456-{i:012x}" for i in range(9)])
    packed = pack_ids(text.slice(2, 5))
    assert packed.type == pa.binary(16)
    assert unpack_ids(packed).equals(text.slice(2, 5))
    assert unpack_ids(packed.slice(1, 2)).equals(text.slice(3, 2))
    assert hash_ids(text.slice(2, 5)).tolist() == hash_ids(text).tolist()[2:7]


def test_a_uuid_is_one_id_whether_the_others_of_its_batch_let_it_be_packed(engine: Engine) -> None:
    some, names = Runs(1, "entries", Cache(10_000)), [f"123e4567-e89b-12d3-a456-{i:012x}" for i in range(6)]
    batches = [names[:2], [names[2], "p"], names[3:]]         # packed, text, packed: one piece when they are written
    assert [pa.types.is_string(Ids.of(ids).values.type) for ids in batches] == [False, True, False]
    for number, ids in enumerate(batches):
        some.add(Ids.of(ids), rows([10 * number + i for i in range(len(ids))]))
    expected = [(names[0], 0), (names[1], 1), (names[2], 10), ("p", 11), *zip(names[3:], (20, 21, 22), strict=True)]
    for asked in ([*names[:3], "p", *names[3:]], names):      # as text, and packed
        assert kept(engine, some, asked) == [pair for pair in expected if pair[0] in asked]
    with writing(engine) as db:
        some.flush(db)
    for asked in ([*names[:3], "p", *names[3:]], names):
        assert kept(engine, some, asked) == [pair for pair in expected if pair[0] in asked]
    assert hash_ids(pa.array([names[0], "p"])).tolist()[0] == hash_ids(pack_ids(pa.array(names[:1]))).tolist()[0]
