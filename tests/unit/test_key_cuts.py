"""Rows taken from what is kept under ids: what is left is found as before, through merges and from a fresh start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, func, select

from monitor.database import open_database, writing
from monitor.fold.ids import Ids
from monitor.store.keys import cuts, indexes, runs
from monitor.store.keys.cache import Cache
from monitor.store.keys.runs import Runs, Search
from monitor.store.tables import key_pages, key_rows, key_runs, metadata

NAMES = [f"p{i}" for i in range(200)]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Pages, pieces and last runs of a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexes, "PAGE", 4)
        patch.setattr(runs, "ROWS", 5)
        patch.setattr(runs, "LAST", 60)
        yield


def batch(numbers: list[int], seqs: list[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({
        "value": pa.array(numbers, pa.int64()), "digest": pa.array([n + 1 for n in numbers], pa.int64()),
        "group1": pa.array([1] * len(numbers), pa.int16()), "seq": pa.array(seqs, pa.int64()),
    })  # fmt: skip


def load(db: Connection) -> Runs:
    return Runs.load(db, 1, "entries", Cache(10_000))


def fill(db: Connection, sizes: list[int]) -> int:
    """Segments of these sizes, each with rows of its own number, added a few to a run."""
    some, n = load(db), 0
    for seq, size in enumerate(sizes, start=1):
        some.add(Ids.of(NAMES[n : n + size]), batch(list(range(n, n + size)), [seq] * size))
        n += size
        if seq % 3 == 0:
            some.flush(db)
    some.flush(db)
    return n


def held(db: Connection, some: Runs | None = None) -> dict[str, dict[str, int]]:
    asked, found = (some or load(db)).find(db, Search.of(Ids.of(NAMES)))
    return {} if found is None else dict(zip([NAMES[i] for i in asked], found.to_pylist(), strict=True))


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=14)


@settings(max_examples=30, deadline=None)
@given(sizes, st.integers(0, 14), st.integers(1, 4))
def test_a_cut_takes_the_rows_of_the_first_segments_and_no_other(sizes: list[int], upto: int, pieces: int) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as db:
        n = fill(db, sizes)
        before = held(db)
        some = load(db)
        assert cuts.is_due(db, 1, "entries", upto) == (upto >= 1)
        while cuts.cut(db, some, upto, pieces):
            some = load(db)
        assert not cuts.is_due(db, 1, "entries", upto)
        expected = {name: row for name, row in before.items() if row["seq"] > upto}
        assert held(db) == expected
        assert held(db, some) == expected
        assert db.execute(select(func.coalesce(func.sum(key_rows.c.n), 0))).scalar() == len(expected)
        more = load(db)
        more.add(Ids.of(NAMES[n:]), batch(list(range(n, 200)), [99] * (200 - n)))
        more.flush(db)
        assert {name: row["seq"] for name, row in held(db).items()} == (
            {name: row["seq"] for name, row in expected.items()} | dict.fromkeys(NAMES[n:], 99)
        )
    engine.dispose()


@settings(max_examples=30, deadline=None)
@given(sizes, st.sets(st.integers(0, 150), max_size=20), st.integers(1, 14))
def test_what_is_erased_is_found_no_more_and_leaves_its_neighbours(
    sizes: list[int], gone: set[int], upto: int
) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as db:
        fill(db, sizes)
        before = held(db)
        ids = Ids.of([NAMES[i] for i in sorted(gone)])
        erased = cuts.erase(db, load(db), ids, upto)
        mine = {name for name, row in before.items() if int(name[1:]) in gone and row["seq"] <= upto}
        assert erased == len(mine)
        assert held(db) == {name: row for name, row in before.items() if name not in mine}
        assert cuts.erase(db, load(db), ids, upto) == 0
        some = load(db)
        words = sum(some.index(db, run).size for run in some.runs)
        assert words == len(before) - len(mine), "nor does an index tell of it"
    engine.dispose()


def test_pieces_are_rewritten_some_at_a_time(engine: Engine) -> None:
    with writing(engine) as db:
        fill(db, [12] * 6)
        begin: int | None = 0
        steps = 0
        while begin is not None:
            begin = cuts.rewrite(db, load(db), begin, 1, 4, lambda rows: cuts.blinded(rows, 4, ["group1"]), 2)
            steps += 1
        assert steps > 3
        found = [row for row in held(db).values() if row["seq"] > 1]
        told = {(row["seq"] <= 4, row["digest"] == 0, row["group1"] == 0) for row in found}
        assert told == {(True, True, True), (False, False, False)}


def test_all_rows_of_a_segment_go_at_once(engine: Engine) -> None:
    with writing(engine) as db:
        fill(db, [7] * 5)
        cuts.erase_segments(db, load(db), [2, 4])
        assert sorted({row["seq"] for row in held(db).values()}) == [1, 3, 5]


def test_nothing_is_left_of_runs_that_were_cut_whole(engine: Engine) -> None:
    with writing(engine) as db:
        fill(db, [12] * 6)
        while cuts.cut(db, load(db), 6):
            pass
        for table in (key_rows, key_runs, key_pages):
            assert db.execute(select(func.count()).select_from(table)).scalar() == 0
        again = load(db)
        again.add(Ids.of(["p0"]), batch([0], [9]))
        again.flush(db)
        assert held(db)["p0"]["seq"] == 9


def test_a_row_of_lists_and_words_is_blanked_whole() -> None:
    rows = pa.RecordBatch.from_pydict({
        "id": ["a", "b"], "version": pa.array(["v", "w"]).dictionary_encode(), "rate": [0.5, 0.25], "seq": [3, 3],
        "list": pa.array([b"x", b"y"], pa.binary()),
    })  # fmt: skip
    first, second = cuts.blanked(rows, np.array([0])).to_pylist()
    assert (first["id"], first["list"], first["rate"], first["seq"]) == ("", b"", 0.0, 3)
    assert second == {"id": "b", "version": "w", "list": b"y", "rate": 0.25, "seq": 3}
