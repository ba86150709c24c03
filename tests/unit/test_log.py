"""The log: batches in their order, each whole and once; and the writer that outlives every fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from databases import Deployment
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from monitor.batch import Reject
from monitor.database import open_database, reading, writing
from monitor.database.days import days_of, drop_day
from monitor.errors import NotDurable
from monitor.log import writer as log_writer
from monitor.log.port import Command, Part, Segment, Tick
from monitor.log.sql import SqlLog, iter_segments
from monitor.log.tables import batches, segments
from monitor.log.writer import Append, LogWriter, Waiting
from monitor.migrate import migrate

pytestmark = pytest.mark.both_databases
DAY = 86_400_000_000


@pytest.fixture
def log(deployment: Deployment) -> Iterator[SqlLog]:
    migrate(deployment.settings())
    engine = open_database(deployment.settings().log_url, durable=True)
    yield SqlLog(engine)
    engine.dispose()


def segment(number: int, model: str = "m", **more: Any) -> Segment:
    of_part = {key: more.pop(key) for key in ("idempotency_key", "envelope", "rejects") if key in more}
    parts = more.pop("parts", (Part(f"b{number}", 2, **of_part),))
    values: dict[str, Any] = {
        "kind": "predictions", "payload": b"p%d" % number, "declaration": 1, "parts": parts, "received_at": number,
        "event_clock": False,
    }  # fmt: skip
    return Segment(model, **values | more)


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


def test_what_retention_took_is_passed_over(log: SqlLog) -> None:
    log.append([segment(i, received_at=i * DAY) for i in range(1, 7)])
    with log.engine.begin() as db:
        db.exec_driver_sql("DELETE FROM segments WHERE seq <= 4")
    assert [s.seq for s in log.read("m", 0, 2)] == [5, 6]
    assert [s.seq for s in iter_segments(log, "m", 6, chunk=1)] == [5, 6]
    assert log.read("m", 6, 2) == []


def test_segments_of_several_days_are_read_in_their_order_whenever_they_came(log: SqlLog) -> None:
    days = [3, 1, 2, 2, 1]
    log.append([segment(i, received_at=day * DAY + i, protected=b"%d" % i) for i, day in enumerate(days)])
    log.append([segment(9, received_at=9 * DAY)])
    found = log.read("m", 0, 10)
    assert [s.received_at // DAY for s in found] == [*days, 9]
    assert [s.protected for s in found] == [b"0", b"1", b"2", b"3", b"4", None]
    assert [s.parts[0].batch_id for s in found] == ["b0", "b1", "b2", "b3", "b4", "b9"]
    assert log.sizes("m", "predictions", 2 * DAY, 5) == [(1, 2), (3, 2), (4, 2)]
    assert log.payloads([6, 1]) == [b"p0", b"p9"]


def test_a_reader_that_stays_holds_up_no_new_day(log: SqlLog) -> None:
    log.append([segment(1)])
    with reading(log.engine) as db:         # as a backup does, for an hour
        held = db.execute(select(func.count()).select_from(segments)).scalar()
        began = time.monotonic()
        assert log.append([segment(2, received_at=3 * DAY)])[0] is not None
        assert time.monotonic() - began < 20, "less than it waits for a lock"
        assert [s.seq for s in log.read("m", 0, 5)] == [1, 2], "and others read on"
        assert db.execute(select(func.count()).select_from(segments)).scalar() == held == 1
    log.append([segment(3, received_at=3 * DAY)])


def test_a_day_is_dropped_whole_and_not_while_somebody_reads_it(log: SqlLog) -> None:
    if log.engine.dialect.name != "postgresql":
        return      # one table there, and rows are deleted
    log.append([segment(i, received_at=i * DAY) for i in range(3)])

    def drop(day: int) -> None:
        with writing(log.engine) as db:
            drop_day(db, segments, day)

    with reading(log.engine) as db:
        assert days_of(db, segments) == [0, 1, 2]
        db.execute(select(func.count()).select_from(segments))
        with pytest.raises(NotDurable, match="lock timeout"):
            drop(0)
    drop(0)
    with reading(log.engine) as db:
        assert days_of(db, segments) == [1, 2]
    assert [s.seq for s in log.read("m", 0, 5)] == [2, 3]


def test_a_day_that_was_made_in_a_commit_that_failed_is_made_again(log: SqlLog) -> None:
    for _ in range(2):
        with pytest.raises(IntegrityError):
            log.append([segment(1, received_at=5 * DAY), segment(1, received_at=5 * DAY)])
    assert [s.seq for s in log.append([segment(1, received_at=5 * DAY)]) if s]
    assert len(log.read("m", 0, 5)) == 1


def test_what_lies_between_two_places_is_counted(log: SqlLog) -> None:
    log.append([segment(i, "mn"[i % 2], received_at=i * DAY) for i in range(6)])
    assert log.rows_between("m", 0) == (6, 5)
    assert log.rows_between("m", 1) == (4, 5)
    assert log.rows_between("m", 1, 3) == (2, 3)
    assert log.rows_between("m", 5) == log.rows_between("m", 3, 3) == log.rows_between("o", 0) == (0, 0)


def test_a_segment_of_many_batches_comes_back_with_each(log: SqlLog) -> None:
    parts = tuple(Part(f"b{i}", 1, None, {"source": f"s{i}"}, [Reject(i, "f", "r")]) for i in range(300))
    log.append([segment(0, parts=parts), segment(301)])
    first, second = log.read("m", 0, 5)
    assert [(p.batch_id, p.envelope) for p in first.parts] == [(f"b{i}", {"source": f"s{i}"}) for i in range(300)]
    assert (first.rows, second.rows, len(log.rejects("m", limit=999))) == (300, 2, 300)


def test_writers_at_once_number_their_segments_in_the_order_of_their_commits(log: SqlLog) -> None:
    """Several services on one log: whoever reads never finds a number below one that it has seen."""
    url = log.engine.url.render_as_string(hide_password=False)
    logs = [SqlLog(open_database(url, durable=True)) for _ in range(3)]
    seen, ending = list[int](), threading.Event()

    def watch() -> None:
        while not ending.is_set() or len(seen) < 60:
            found = log.read("m", seen[-1] if seen else 0, 100)
            seen.extend(s.seq for s in found)
            if not found:
                ending.wait(0.001)

    def send(part: int) -> None:
        for i in range(20):
            number = part * 100 + i
            logs[part].append([segment(number, received_at=i % 3 * DAY)])

    reader = threading.Thread(target=watch)
    writers = [threading.Thread(target=send, args=(part,)) for part in range(3)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    ending.set()
    reader.join(60)
    for one in logs:
        one.engine.dispose()
    assert len(seen) == 60
    assert seen == sorted(seen), "none came behind one that was read"


def test_a_model_of_any_name_is_found_by_its_head(log: SqlLog) -> None:
    names = ["a", "b", "a-b", "a.b", "z9", "0"]
    log.append([segment(i, name) for i, name in enumerate(names)])
    assert log.head() == {name: i + 1 for i, name in enumerate(names)}
    with log.engine.begin() as db:
        db.execute(batches.delete())
    assert log.head() == {}


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
    writer = LogWriter(failing, lambda new: appended.append(len(new)))  # type: ignore[arg-type]
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
    writer = LogWriter(log, lambda _: None)
    gone, stays = writer.submit(segment(1)), writer.submit(segment(2))
    assert gone.cancel()
    writer.start()
    assert stays.result(10) is not None
    writer.stop()
    assert [s.parts[0].batch_id for s in log.read("m", 0, 10)] == ["b2"]


def test_what_was_submitted_before_the_stop_is_written_in_one_commit(log: SqlLog) -> None:
    counting = Failing(log)
    writer = LogWriter(counting, lambda _: None)  # type: ignore[arg-type]
    futures = [writer.submit(segment(i)) for i in range(1_100)]
    writer.start()
    writer.stop()
    assert [f.result(0).seq for f in futures if f.result(0)] == list(range(1, 1_101))  # type: ignore[union-attr]
    assert counting.commits == [1024, 76]


def test_many_at_once_are_numbered_without_a_gap(log: SqlLog) -> None:
    writer = LogWriter(log, lambda _: None)
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


def test_a_commit_takes_of_each_model_in_turn_and_no_more_than_is_quick(log: SqlLog) -> None:
    counting, order = Failing(log), list[str]()
    writer = LogWriter(counting, lambda new: order.extend(s.model for s in new))  # type: ignore[arg-type]
    large = b"x" * (3 * 2**20)
    futures = [writer.submit(segment(i, payload=large)) for i in range(6)]
    futures.append(writer.submit(segment(9, "other")))
    writer.start()
    writer.stop()
    assert all(f.result(0) for f in futures)
    assert order[:2] == ["m", "other"], "behind one of the flood, not behind all of it"
    assert counting.commits == [3, 2, 2]


def test_those_who_were_just_answered_are_waited_for_and_who_is_alone_waits_for_nobody(
    log: SqlLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, pauses, last = Failing(log), list[float](), threading.Event()
    writer = LogWriter(counting, lambda _: None)  # type: ignore[arg-type]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) < 3:
            writer.submit(segment(10 + len(pauses))).add_done_callback(lambda _: last.set())

    monkeypatch.setattr(log_writer, "time", SimpleNamespace(sleep=pause))
    futures = [writer.submit(segment(i)) for i in range(4)]
    futures[3].add_done_callback(lambda _: writer.submit(segment(9)))
    writer.start()
    assert last.wait(10)
    for i in (20, 21, 22):
        writer.submit(segment(i)).result(10)
    writer.stop()
    assert counting.commits == [4, 3, 1, 1, 1], "one came again, and two more while the writer paused for them"
    assert len(pauses) == 4, "until nobody came, once more for those three, and not for who is alone"


def test_what_is_small_is_made_one_segment_of_what_waits_with_it(log: SqlLog) -> None:
    told, groups = list[Any](), list[list[str]]()

    def gather(names: Sequence[str]) -> list[Append]:
        groups.append(list(names))
        parts = tuple(Part(name, 1) for name in names)
        return [Append(segment(1, parts=parts), told.append, told.append)]

    writer = LogWriter(log, lambda _: None)
    for name in ("a", "b"):
        writer.submit_few("m", 10, name, gather)
    whole = writer.submit(segment(5))
    writer.submit_all([Waiting("m", 10, "c"), Waiting("other", 10, "d")], gather)
    writer.start()
    writer.stop()
    assert [sorted(group) for group in groups] == [["a", "b", "c", "d"]]
    assert whole.result(0) is not None
    assert [s.seq for s in told] == [told[0].seq]
    assert [len(s.parts) for s in log.read("m", 0, 10)] in ([4, 1], [1, 4])
