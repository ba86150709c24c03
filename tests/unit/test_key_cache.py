"""What is cached of runs is never another page or piece than that which the database has: whoever wrote, merged, cut or
rolled back. Each test holds the cache warm, and reads every row through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from monitor.database import open_database, writing
from monitor.fold.ids import Ids
from monitor.store.joins import Joins, JoinStore
from monitor.store.keys import cuts, indexes, runs
from monitor.store.keys.cache import Cache
from monitor.store.keys.runs import Runs, Search
from monitor.store.models import ModelState
from monitor.store.tables import metadata

ROOMY = 10**9


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Pages, pieces and last runs of a few rows."""
    monkeypatch.setattr(indexes, "PAGE", 4)
    monkeypatch.setattr(runs, "ROWS", 5)
    monkeypatch.setattr(runs, "LAST", 100)
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def add(engine: Engine, some: Runs, first: int, n: int, shift: int = 0) -> None:
    with writing(engine) as db:
        write(db, some, first, n, shift)


def write(db: object, some: Runs, first: int, n: int, shift: int = 0) -> None:
    numbers = range(first, first + n)
    values, seq = pa.array([i + shift for i in numbers], pa.int64()), pa.array(np.full(n, first, np.int64))
    some.add(Ids.of([f"p{i}" for i in numbers]), pa.RecordBatch.from_pydict({"value": values, "seq": seq}))
    some.flush(db)  # type: ignore[arg-type]


def values(engine: Engine, some: Runs, n: int) -> dict[int, int]:
    """What is kept under each of the first ids."""
    with engine.connect() as db:
        asked, found = some.find(db, Search.of(Ids.of([f"p{i}" for i in range(n)])))
    return {} if found is None else dict(zip(asked.tolist(), found.column("value").to_pylist(), strict=True))


def same(n: int, shift: int = 0) -> dict[int, int]:
    return {i: i + shift for i in range(n)}


def test_after_merges_that_join_small_pieces_the_new_ones_are_read(engine: Engine) -> None:
    some = Runs(1, "entries", Cache(ROOMY))
    for n in range(0, 64, 2):       # pieces of two rows, that are joined as runs are merged
        add(engine, some, n, 2)
        assert values(engine, some, n + 2) == same(n + 2)
    assert some.starts.size < 32, "pieces were joined, under the name of the first"


def test_what_a_rolled_back_transaction_wrote_is_not_read_once_the_runs_are_loaded_again(engine: Engine) -> None:
    cache = Cache(ROOMY)
    some = Runs(1, "entries", cache)
    add(engine, some, 0, 6)
    assert values(engine, some, 6) == same(6)
    with pytest.raises(ZeroDivisionError), writing(engine) as db:  # noqa: PT012
        write(db, some, 6, 6, shift=1_000)
        asked, found = some.find(db, Search.of(Ids.of([f"p{i}" for i in range(12)])))
        assert found is not None
        assert asked.size == 12, "its pages and pieces are in the cache"
        raise ZeroDivisionError
    with engine.connect() as db:
        some = Runs.load(db, 1, "entries", cache)
    add(engine, some, 6, 6)         # the same bases, numbers and sizes as what was rolled back
    assert values(engine, some, 12) == same(12)


def test_what_another_worker_wrote_in_place_of_it_is_read_by_a_store_that_held_the_old(engine: Engine) -> None:
    first, second = JoinStore(), JoinStore()
    model = ModelState(1, "m")

    def turn(store: JoinStore, shift: int) -> None:
        with writing(engine) as db:
            joins = store.take(db, model)
            write(db, joins._entries, 6 * shift, 6, shift)
            model.cursor += 1
        store.settle(model, joins)

    turn(first, 0)
    assert values(engine, held(engine, first, model), 6) == same(6)
    turn(second, 1)
    model_of_first = ModelState(1, "m", cursor=1)
    assert first._open[1].place == (model_of_first.cursor, 0), "it holds what was before"
    assert values(engine, held(engine, first, model), 12) == same(6) | {i: i + 1 for i in range(6, 12)}


def test_rows_that_were_changed_in_place_are_read_anew_once_that_was_told(engine: Engine) -> None:
    """An erasure or a cut rewrites a piece under its own name, and says so by ``joins_at``."""
    store, model = JoinStore(), ModelState(1, "m")
    with writing(engine) as db:
        joins = store.take(db, model)
        write(db, joins._entries, 0, 12)
    store.settle(model, joins)
    assert values(engine, held(engine, store, model), 12) == same(12)
    with writing(engine) as db:
        gone = Ids.of(["p3"])
        assert cuts.erase(db, Runs.load(db, 1, "entries", Cache(ROOMY)), gone, upto=99) == 1
        model.joins_at = 7
    left = same(12)
    del left[3]
    assert values(engine, held(engine, store, model), 12) == left
    with engine.connect() as db:
        runs_now = held(engine, store, model)
        assert "p3" not in runs_now.piece(db, 0).column("id").to_pylist()


def held(engine: Engine, store: JoinStore, model: ModelState) -> Runs:
    """A model's runs as a store would use them, given back at once."""
    with engine.connect() as db:
        joins: Joins = store.take(db, model)
    store.settle(model, joins)
    return joins._entries


@pytest.mark.parametrize("again", [1, 2])
def test_two_stores_of_one_cache_never_take_a_page_of_another_model_or_kind(engine: Engine, again: int) -> None:
    cache = Cache(ROOMY)
    some = [Runs(model, kind, cache) for model in (1, 2) for kind in ("entries", "outcomes")]
    for _ in range(again):
        for number, one in enumerate(some):
            add(engine, one, one.end, 6, shift=100 * number)
    for number, one in enumerate(some):
        assert values(engine, one, 6 * again) == same(6 * again, 100 * number)
