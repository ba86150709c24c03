"""The log: batches in their order, each whole and once; and the writer that outlives every fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.batch import Reject
from monitor.database import open_database
from monitor.errors import NotDurable
from monitor.log.port import Command, Part, Segment, Tick
from monitor.log.sql import SqlLog, iter_segments
from monitor.log.tables import metadata
from monitor.log.writer import LogWriter


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqlLog]:
    engine = open_database(f"sqlite:///{tmp_path / 'log.db'}", durable=True)
    metadata.create_all(engine)
    yield SqlLog(engine)
    engine.dispose()


def segment(number: int, model: str = "m", **more: Any) -> Segment:
    of_part = {key: more.pop(key) for key in ("idempotency_key", "envelope", "rejects") if key in more}
    parts = more.pop("parts", (Part(f"b{number}", 2, **of_part),))
    values: dict[str, Any] = {"kind": "predictions", "payload": b"p%d" % number, "declaration": 1, "parts": parts}
    return Segment(model, received_at=number, event_clock=False, **values | more)


def test_segments_come_back_in_order_with_their_protected_part(log: SqlLog) -> None:
    written = log.append([segment(1), segment(2, "other"), segment(3, protected=b"secret", envelope={"source": "x"})])
    assert [s.seq for s in written if s] == [1, 2, 3]
    found = log.read("m", 0, 10)
    assert [(s.seq, s.payload, s.protected, s.parts[0].envelope) for s in found] == [
        (1, b"p1", None, {}), (3, b"p3", b"secret", {"source": "x"}),
    ]  # fmt: skip
    assert [s.seq for s in log.read("m", 1, 10)] == [3]
    assert log.head() == {"m": 3, "other": 2}
    assert (log.rows_after("m", 0), log.rows_after("m", 1), log.rows_after("none", 0)) == (4, 2, 0)


def test_numbers_are_never_given_twice(log: SqlLog) -> None:
    log.append([segment(1), segment(2)])
    with log.engine.begin() as db:
        db.exec_driver_sql("DELETE FROM segments")      # what retention will do
    assert [s.seq for s in log.append([segment(3)]) if s] == [3]


def test_a_known_key_is_not_written_again_even_within_one_commit(log: SqlLog) -> None:
    first, second, other = log.append([
        segment(1, idempotency_key="k"), segment(2, idempotency_key="k"),
        segment(3, idempotency_key="k", kind="outcomes"),
    ])  # fmt: skip
    assert first is not None
    assert second is None
    assert other is not None, "a key is of one kind"
    assert log.append([segment(4, idempotency_key="k"), segment(5, "n", idempotency_key="k")])[0] is None
    batch = log.batch(model="m", kind="predictions", idempotency_key="k")
    assert batch is not None
    assert batch["batch_id"] == "b1"


def test_rejects_are_read_back_by_page_and_by_batch(log: SqlLog) -> None:
    log.append([segment(1, rejects=[Reject(i, "f", "r") for i in range(5)]), segment(2, rejects=[Reject(9, "g", "s")])])
    assert [r["row"] for r in log.rejects("m", 0, 3)] == [0, 1, 2]
    assert [r["row"] for r in log.rejects("m", 3, 10)] == [3, 4, 9]
    assert [r["row"] for r in log.rejects("m", batch="b2")] == [9]
    assert log.rejects("other") == []
    batch = log.batch("b1")
    assert batch is not None
    assert (batch["rejected"], "payload" in batch) == (5, False)
    assert log.batch("b9") is None


def test_a_commit_is_whole_or_absent(log: SqlLog) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError):
        log.append([segment(1, protected=b"x", rejects=[Reject(0, "f", "r")]), segment(2), segment(1)])
    assert (log.head(), log.rejects("m")) == ({}, [])


def test_iter_segments_stops_where_it_is_told(log: SqlLog) -> None:
    log.append([segment(i) for i in range(1, 8)])
    assert [s.seq for s in iter_segments(log, "m", 5, chunk=2)] == [1, 2, 3, 4, 5]
    assert [s.seq for s in iter_segments(log, "m", 99, chunk=7)] == list(range(1, 8))
    assert list(iter_segments(log, "none", 5)) == []


def test_commands_and_ticks_are_lanes_of_their_own(log: SqlLog) -> None:
    command = log.append_command(Command("m", 3, 0, 5, {"id": "ana", "kind": "person"}, "inc", {"kind": "comment"}))
    tick = log.append_tick(Tick("m", 3, 6))
    assert (log.commands("m"), log.commands("m", command.seq), log.commands("n")) == ([command], [], [])
    assert (log.ticks("m"), log.ticks("m", tick.seq)) == ([tick], [])


def test_the_same_declaration_is_no_new_version(log: SqlLog) -> None:
    assert log.declare("m", 1, "ana", {"a": 1}).version == 1
    assert log.declare("m", 2, "ben", {"a": 1}).by == "ana"
    assert log.declare("m", 3, "ben", {"a": 2}).version == 2
    assert log.declare("m", 4, "ben", {"a": 1}).version == 3, "back to the first is a change too"
    first, latest = log.declaration("m", 1), log.declaration("m")
    assert first is not None
    assert latest is not None
    assert (first.body, latest.version) == ({"a": 1}, 3)
    assert (log.models(), log.declaration("n"), log.declaration("m", 9)) == (["m"], None, None)


class Failing:
    """A log whose next appends fail with what it is given; then they go through."""

    def __init__(self, log: SqlLog) -> None:
        self.log, self.faults, self.commits = log, list[Exception](), list[int]()

    def append(self, batch: list[Segment]) -> list[Segment | None]:
        if self.faults:
            raise self.faults.pop()
        self.commits.append(len(batch))
        return self.log.append(batch)


@pytest.mark.parametrize("fault", [NotDurable("full"), RuntimeError("odd")])
def test_the_writer_tells_those_who_wait_and_goes_on(log: SqlLog, fault: Exception) -> None:
    failing, appended = Failing(log), list[int]()
    writer = LogWriter(failing, lambda: appended.append(1))  # type: ignore[arg-type]
    failing.faults = [fault]
    writer.start()
    with pytest.raises(type(fault)):
        writer.submit(segment(1)).result(10)
    done = writer.submit(segment(2)).result(10)
    writer.stop()
    assert not writer.is_alive()
    assert done is not None
    assert (done.seq, appended) == (1, [1])


def test_who_has_gone_writes_nothing_and_stops_nobody(log: SqlLog) -> None:
    writer = LogWriter(log, lambda: None)
    gone, stays = writer.submit(segment(1)), writer.submit(segment(2))
    assert gone.cancel()
    writer.start()
    assert stays.result(10) is not None
    writer.stop()
    assert [s.parts[0].batch_id for s in log.read("m", 0, 10)] == ["b2"]


def test_what_was_submitted_before_the_stop_is_written_in_one_commit(log: SqlLog) -> None:
    counting = Failing(log)
    writer = LogWriter(counting, lambda: None)  # type: ignore[arg-type]
    futures = [writer.submit(segment(i)) for i in range(300)]
    writer.start()
    writer.stop()
    assert [f.result(0).seq for f in futures if f.result(0)] == list(range(1, 301))  # type: ignore[union-attr]
    assert counting.commits == [256, 44]


def test_many_at_once_are_numbered_without_a_gap(log: SqlLog) -> None:
    writer = LogWriter(log, lambda: None)
    writer.start()
    numbers: list[int] = []

    def send(part: int) -> None:
        for i in range(20):
            done = writer.submit(segment(part * 100 + i)).result(30)
            assert done is not None
            numbers.append(done.seq)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    writer.stop()
    assert sorted(numbers) == list(range(1, 101))
