"""A full disk: SQLite's own SQLITE_FULL, met by a limit on the pages of a database, and lifted again."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, text, update

from monitor.database import writing
from monitor.database.lease import lease_of
from monitor.errors import NotDurable
from monitor.log.tables import keys
from monitor.worker.thread import WorkerThread

_NO_LIMIT = 4_294_967_294


class Disk:
    """Room for ``spare`` more pages in a database, for every connection from now on, until ``clear``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.most = _NO_LIMIT
        event.listen(engine, "checkout", self._limit)

    def _limit(self, connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={self.most}").close()

    def fill(self, spare: int = 0) -> None:
        with self.engine.connect() as db:
            self.most = int(db.execute(text("PRAGMA page_count")).scalar_one()) + spare

    def clear(self) -> None:
        self.most = _NO_LIMIT


def many(service: Any, n: int = 2_000, start: int = 0) -> list[dict[str, Any]]:
    """Enough rows that no page has room for them left."""
    numbers = range(start, start + n)
    return [
        service.prediction(i % 600, prediction_id=f"{i:x}-" + f"{i * 2654435761 % 2**64:016x}" * 4) for i in numbers
    ]


def logged_rows(service: Any) -> int:
    return int(service.app.log.rows_after("churn", 0))


def test_a_full_log_answers_503_takes_nothing_and_comes_back_by_itself(service: Any, problem: Any) -> None:
    disk = Disk(service.app.log.engine)
    before = service.post("predictions", [service.prediction(1)]).json()["batch_id"]
    disk.fill()
    for _ in range(2):      # the second shows that the writer lives on
        answer = service.post("predictions", [*many(service), {}], headers={"idempotency-key": "k"})
        body = problem(answer, 503, "not-durable")
        assert int(answer.headers["retry-after"]) > 0
        assert "full" in body["detail"]
        assert "disk space" in body["mend"]
    assert logged_rows(service) == 1
    assert service.client.get("/v1/models/churn/rejects").json()["rejects"] == []
    assert service.client.get(f"/v1/batches/{before}").status_code == 200, "what is there can be read"
    disk.clear()
    answer = service.post("predictions", [*many(service), {}], headers={"idempotency-key": "k"})
    assert (answer.status_code, answer.json()["accepted"], answer.json().get("repeated")) == (202, 2_000, None)
    assert logged_rows(service) == 2_001


def test_of_many_batches_at_once_each_learns_that_it_was_not_taken(service: Any) -> None:
    disk, answers = Disk(service.app.log.engine), []
    disk.fill()

    def send(part: int) -> None:
        answers.append(service.post("predictions", many(service, 500, part * 500)).status_code)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [503] * 6
    assert logged_rows(service) == 0


def test_a_full_log_declares_nothing_and_makes_no_key(service: Any, problem: Any) -> None:
    disk = Disk(service.app.log.engine)
    disk.fill()
    features = {f"feature_{i:04}_{'x' * 60}": "numeric" for i in range(1_500)}
    problem(service.declare(features=features), 503, "not-durable")
    assert service.client.get("/v1/models/churn").json()["version"] == 1
    owner = "x" * 3_000
    with pytest.raises(NotDurable):
        [service.app.keys.create(owner, "machine", frozenset({"read"})) for _ in range(50)]


def test_a_log_that_cannot_be_written_shuts_no_reader_out(service: Any, problem: Any) -> None:
    with writing(service.app.log.engine) as db:     # the first use of a key writes when it was
        db.execute(update(keys).values(last_used_at=None))

    def read_only(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute("PRAGMA query_only=ON").close()

    event.listen(service.app.log.engine, "checkout", read_only)
    assert service.client.get("/v1/models").status_code == 200
    body = problem(service.post("predictions", [service.prediction()]), 503, "not-durable")
    assert "readonly" in body["detail"]


def test_a_full_state_takes_data_still_and_the_worker_goes_on_when_there_is_room(
    service: Any, logged: io.StringIO
) -> None:
    service.reference()
    service.fold()
    disk = Disk(service.app.state)
    disk.fill(spare=4)
    worker = WorkerThread(service.app.worker, 1, service.app.heart, lease_of(service.app.state))
    worker.start()
    try:
        batches = [service.post("predictions", many(service, 2_000, i * 2_000)) for i in range(2)]
        worker.wake()
        assert [b.status_code for b in batches] == [202, 202]
        _wait(lambda: "database or disk is full" in logged.getvalue(), 20)
        assert not service.batch(batches[1])["folded"]
        assert worker.is_alive()
        disk.clear()
        worker.wake()
        _wait(lambda: service.batch(batches[1])["folded"], 30)
    finally:
        worker.stop()
    assert service.counts() == {"predictions": 4_000}
    service.post("predictions", many(service, 4_000))
    service.fold()
    assert service.counts() == {"predictions": 4_000, "duplicates": 4_000}


def _wait(done: Callable[[], Any], seconds: float) -> None:
    pause, waited = threading.Event(), 0.0
    while not done():
        assert waited < seconds, "it took too long"
        pause.wait(0.05)
        waited += 0.05
