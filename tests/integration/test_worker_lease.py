"""One worker at a time on a database, what it says of itself, and what the service says of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from databases import Deployment
from sqlalchemy import Engine

from monitor.cli.doctor import examine
from monitor.database import open_database, reading
from monitor.database.lease import lease_of
from monitor.migrate import migrate
from monitor.store import heartbeats
from monitor.worker.beside import MISSED

pytestmark = pytest.mark.both_databases


@pytest.fixture
def state(deployment: Deployment) -> Iterator[Engine]:
    settings = deployment.settings()
    migrate(settings)
    engine = open_database(settings.state_url, durable=False)
    yield engine
    engine.dispose()


def test_one_has_the_lease_until_it_lets_it_go(state: Engine) -> None:
    first, second = lease_of(state), lease_of(state)
    assert first.take()
    assert first.take(), "it is kept"
    assert not second.take()
    second.release()        # of what it never had
    assert not second.take()
    first.release()
    assert second.take()
    assert not first.take()
    second.release()


def test_log_and_state_have_leases_of_their_own(deployment: Deployment, state: Engine) -> None:
    log = open_database(deployment.settings().log_url, durable=True)
    first, second = lease_of(state), lease_of(log)
    assert first.take()
    assert second.take()
    first.release()
    second.release()
    log.dispose()


def test_a_process_that_is_killed_leaves_it_to_the_next(deployment: Deployment, state: Engine) -> None:
    lease, url = lease_of(state), deployment.settings().state_url
    code = (
        "import sys, time; from monitor.database import open_database; from monitor.database.lease import lease_of; "
        "engine = open_database(sys.argv[1], durable=False); lease = lease_of(engine); "
        "print(lease.take(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not lease.take()
        holder.kill()
    deadline = time.monotonic() + 30
    while not lease.take():
        assert time.monotonic() < deadline, "it was not let go"
        time.sleep(0.02)
    lease.release()


def test_a_heartbeat_comes_back_as_it_was_written_and_is_written_at_most_once_a_second(service: Any) -> None:
    service.reference()
    service.fold()
    heart = service.app.heart
    heart.beat()
    with reading(service.app.state) as db:
        first = heartbeats.load(db)
    assert first is not None
    assert first.buckets[-1] == ["+Inf", 1]
    assert 0 < first.seconds < 60
    assert first.last_round is None
    heart.went_round()
    heart.beat()                # too soon
    with reading(service.app.state) as db:
        assert heartbeats.load(db) == first
    heart.write()
    with reading(service.app.state) as db:
        second = heartbeats.load(db)
    assert second is not None
    assert (second.worker, second.started_at) == (first.worker, first.started_at)
    assert second.last_round == second.at


def test_a_service_says_when_its_worker_is_silent_or_gone(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ready() -> tuple[int, str]:
        answer = service.client.get("/readyz")
        return answer.status_code, answer.text

    service.app.heart.write()
    service.clock.move(minutes=5)
    assert ready() == (200, "ok"), "this service is to have no worker"
    object.__setattr__(service.app.settings, "worker", "process")
    assert ready() == (200, "ok, but the worker was last heard of 300 s ago")
    service.app.heart.write()
    assert ready() == (200, "ok")
    monkeypatch.setattr(service.app.beside, "missing", lambda: MISSED + 5)
    status, said = ready()
    assert status == 503
    assert said.startswith("the worker ended 20 s ago")


def test_doctor_says_when_it_was_heard_of(service: Any) -> None:
    def said() -> str:
        now = service.clock() + timedelta(seconds=90)
        return next(c.found for c in examine(service.app.settings, now) if c.name == "worker")

    assert said() == "nothing waits to be folded; no worker was heard of yet"
    service.app.heart.write()
    assert "heard of 90 s ago, and has not gone round without a fault since its start 90 s ago" in said()
    service.app.heart.went_round()
    service.app.heart.write()
    assert said() == "nothing waits to be folded; the worker was heard of 90 s ago, and went round 90 s ago"
