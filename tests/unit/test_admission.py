"""Admission: how far a model is behind, without asking the databases at every request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, update

from monitor.database import open_database, writing
from monitor.errors import Overloaded
from monitor.ingest import Admission, admission
from monitor.log import tables as log_tables
from monitor.log.port import Part, Segment
from monitor.log.sql import SqlLog
from monitor.store import models
from monitor.store.tables import metadata
from monitor.store.tables import models as models_table


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    metadata.create_all(engine)
    with writing(engine) as db:
        models.create(db, "m", 1)
    yield engine
    engine.dispose()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqlLog]:
    engine = open_database(f"sqlite:///{tmp_path / 'log.db'}", durable=False)
    log_tables.metadata.create_all(engine)
    yield SqlLog(engine)
    engine.dispose()


def append(log: SqlLog, rows: int, model: str = "m") -> int:
    number = log.head().get(model, 0)
    (written,) = log.append([Segment(model, "predictions", number, False, 1, b"p", (Part(f"b{number}{model}", rows),))])
    assert written is not None
    return written.seq


def fold_to(state: Engine, seq: int) -> None:
    with writing(state) as db:
        db.execute(update(models_table).values(cursor=seq, features={"x": "numeric"}))


def test_what_waits_is_counted_from_the_last_reading_on(log: SqlLog, state: Engine) -> None:
    gate = Admission(log, state, 100)
    assert gate.admit("m") == {}
    last = [append(log, 40) for _ in range(3)]
    append(log, 500, "other")
    with pytest.raises(Overloaded, match="120 rows wait") as error:
        gate.admit("m")
    assert error.value.retry_after > 0
    fold_to(state, last[0])
    assert gate.admit("m") == {"x": "numeric"}, "80 are left"
    append(log, 30)
    with pytest.raises(Overloaded, match="110 rows"):
        gate.admit("m")
    fold_to(state, last[2])
    gate.admit("m")
    append(log, 70)
    gate.admit("m")
    append(log, 1)
    with pytest.raises(Overloaded, match="101 rows"):
        gate.admit("m")
    fold_to(state, 0)       # the state was deleted, and is made anew
    with pytest.raises(Overloaded, match="221 rows"):
        gate.admit("m")


def test_a_request_asks_no_database_while_the_figure_is_fresh_and_one_asks_for_all(
    log: SqlLog, state: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    event.listen(state, "before_cursor_execute", lambda *_: asked.append(1))
    now = [100.0]
    monkeypatch.setattr(admission.time, "monotonic", lambda: now[0])
    gate = Admission(log, state, 100)
    assert gate.peek("m") is None
    gate.admit("m")
    assert gate.peek("m") is None, "of a model without a reference it may be folded this very moment"
    assert gate.peek("m", declared=True) == {}, "which does not matter to one that declares its features"
    fold_to(state, append(log, 1))
    now[0] += 0.01
    gate.admit("m")
    n = len(asked)
    assert (gate.peek("m"), len(asked)) == ({"x": "numeric"}, n)
    now[0] += 0.2
    assert gate.peek("m") is None, "the first to come then is to ask"
    assert gate.peek("m") == {"x": "numeric"}, "and the others need not wait for it"
    now[0] += 2
    assert (gate.peek("m"), len(asked)) == (None, n)


def test_what_this_process_appends_counts_at_once(log: SqlLog, state: Engine) -> None:
    gate = Admission(log, state, 100)
    gate.admit("m")
    gate.appended("m", 101)
    assert gate.peek("m") is None
    assert gate.admit("m") == {}, "the log itself has none of it"
