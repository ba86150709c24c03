"""Events to predictions, without a service: what is cut, too large or at fault costs its own exchange and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from events import SOURCES
from sqlalchemy import Connection, create_engine, func, select

from monitor.codecs.segment import to_ipc
from monitor.events.pairing import Half
from monitor.events.stored import to_rows
from monitor.log.port import Part, Segment
from monitor.model import ModelSpec
from monitor.store.models import ModelState
from monitor.store.tables import metadata, refusals
from monitor.worker import exchanges
from monitor.worker.exchanges import Taken, take_events

NOW = 1_782_900_000_000_000
SPEC = ModelSpec.from_dict({
    "model": "churn", "task": "binary_classification", "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1, "protected_attributes": {"sex": {}}, "sources": SOURCES,
})  # fmt: skip


@pytest.fixture
def db() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def exchange(id_: str, n: int = 1, score: Any = 0.5) -> list[Half]:
    rows, scores = [[i, "a", "f"] for i in range(n)], [[score]] * n
    bodies = (("request", {"instances": rows}), ("response", {"predictions": scores}))
    return [Half(id_, "predictor", side, NOW, data=json.dumps(body).encode()) for side, body in bodies]  # type: ignore[arg-type]


def segment(halves: list[Half], *, cut: bool = False) -> Segment:
    rows, bodies = to_rows(halves)
    parts = tuple(Part(f"b{i}", 1) for i in range(len(halves)))
    return Segment("churn", "events", NOW, False, 1, to_ipc(rows), parts, None if cut else to_ipc(bodies))


def take(db: Connection, *halves: list[Half], **more: Any) -> Taken:
    return take_events(db, ModelState(1, "churn"), SPEC, [segment([h for part in halves for h in part], **more)])


def ids(taken: Taken) -> list[str]:
    return [id_ for one in taken.predictions for id_ in one.batch.table["prediction_id"].to_pylist()]


def reasons(db: Connection) -> list[tuple[str, str]]:
    return [tuple(row) for row in db.execute(select(refusals.c.batch_id, refusals.c.reason).order_by(refusals.c.id))]


def test_each_row_is_told_with_the_batch_of_the_event_that_completed_it(db: Connection) -> None:
    taken = take(db, exchange("a", 2), exchange("b"))
    assert ids(taken) == ["a/0", "a/1", "b"]
    assert [one.parts.tolist() for one in taken.predictions] == [[1, 1, 3]]
    assert taken.total == {"events": 4, "exchanges": 2}


def test_protected_attributes_leave_the_table(db: Connection) -> None:
    (one,) = take(db, exchange("a")).predictions
    assert one.batch.protected is not None
    assert one.batch.protected.to_pydict() == {"protected.sex": ["f"]}
    assert not [name for name in one.batch.table.schema.names if "sex" in name]


def test_events_whose_bodies_retention_has_cut_are_nothing(db: Connection) -> None:
    taken = take(db, exchange("a"), cut=True)
    assert (taken.predictions, taken.total) == ([], {"events": 2})


def test_many_rows_are_typed_in_bounded_pieces(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "ROWS_AT_ONCE", 3)
    taken = take(db, exchange("a", 2), exchange("b", 2), exchange("c", 5), exchange("d"))
    assert [one.batch.accepted for one in taken.predictions] == [2, 2, 5, 1]
    assert [one.parts.tolist() for one in taken.predictions] == [[1, 1], [3, 3], [5] * 5, [7]]


def test_an_exchange_that_no_limit_lets_in_costs_no_other(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources.rows.MAX_CELLS", 40)
    taken = take(db, exchange("a"), exchange("b", 30), exchange("c"))
    assert ids(taken) == ["a", "c"]
    ((batch, reason),) = reasons(db)
    assert batch == "b3"
    assert reason.startswith("cannot be taken")


def test_a_fault_of_vigils_own_is_logged_and_does_not_stop_the_fold(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, logged = exchanges.read_payload, []

    def broken(body: bytes, *rest: Any) -> Any:
        if b"0.25" in body:
            raise KeyError("unforeseen")
        return real(body, *rest)

    monkeypatch.setattr(exchanges, "read_payload", broken)
    monkeypatch.setattr(exchanges.logger, "error", lambda *said, **more: logged.append((said, more)))
    assert ids(take(db, exchange("a"), exchange("b", score=0.25))) == ["a"]
    assert len(logged) == 1
    assert "Vigil's own" in reasons(db)[0][1]


def test_refused_rows_are_all_counted_and_some_kept(db: Connection) -> None:
    taken = take(db, exchange("a", 150, score=7))
    assert taken.total == {"events": 2, "exchanges": 1, "refused": 150}
    assert db.execute(select(func.count()).select_from(refusals)).scalar() == exchanges.MOST_REFUSALS
    batch, reason = reasons(db)[2]
    assert (batch, reason.endswith("(row 2 of request 'a')")) == ("b1", True)
