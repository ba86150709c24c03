"""Killed at random instants, in mid-send too, Vigil loses no transition and no notification, whatever receivers do;
and none is sent more often than its attempts say."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from databases import Deployment
from processes import Service
from receivers import CUT, HANG, OK, Answer, Receiver
from sqlalchemy import select

from monitor.app import App
from monitor.database import reading
from monitor.log.notifications import DELIVERED, WAITING, deliveries, notifications
from monitor.store.tables import incident_events

SCRIPTS: dict[str, list[Answer | str]] = {
    "good": [OK],
    "busy": [(429, {"retry-after": "1"}), OK],
    "failing": [(500, {}), OK, (503, {}), OK, OK],
    "cutting": [OK, CUT, OK],
    "hanging": [OK, OK, HANG, OK, OK, OK],
}
MODEL = {"model": "churn", "task": "binary_classification", "features": {"age": "numeric"}, "favourable": 1}
TOLD = ("opened", "resolved")       # each incident has one of either


@pytest.fixture
def receivers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Receiver]]:
    found = {name: Receiver(list(script)) for name, script in SCRIPTS.items()}
    for name, receiver in found.items():
        monkeypatch.setenv(f"{name.upper()}_URL", receiver.url)
    yield found
    for receiver in found.values():
        receiver.stop()


@pytest.fixture
def service(deployment: Deployment, receivers: dict[str, Receiver]) -> Iterator[Service]:
    running = Service(deployment)       # its environment names the receivers
    running.start()
    yield running
    running.stop(signal.SIGTERM)


class Alarms(threading.Thread):
    """Another system: opens an incident, and then resolves it; each is sent until it is answered."""

    def __init__(self, service: Service, headers: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.service, self.headers = service, headers
        self.enough = threading.Event()
        self.said: list[str] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        number = 0
        with httpx.Client(timeout=30, headers=self.headers) as client:
            while not self.enough.is_set() and not self.wrong:
                number += 1
                for status in ("firing", "resolved"):
                    self._send(client, f"{number:08d}", status)
                self.said.append(f"{number:08d}")
                time.sleep(0.05)

    def _send(self, client: httpx.Client, fingerprint: str, status: str) -> None:
        at = datetime.now(UTC).isoformat()
        alert = {"status": status, "labels": {"alertname": "Down", "model": MODEL["model"], "severity": "critical"},
                 "startsAt": at, "endsAt": at, "fingerprint": fingerprint}  # fmt: skip
        while True:
            try:
                answer = client.post(f"{self.service.url}/v1/alerts", json={"version": "4", "alerts": [alert]})
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                return
            if answer.status_code not in (429, 503):
                self.wrong.append(answer.text)
                return
            time.sleep(0.1)


@pytest.mark.both_databases
@pytest.mark.faults
@pytest.mark.timeout(3_000)
def test_a_kill_at_a_random_instant_loses_no_notification(
    service: Service, receivers: dict[str, Receiver], fault_runs: int
) -> None:
    admin = App(service.deployment.settings())
    key = admin.keys.create("alarms", "machine", frozenset({"ingest", "read", "operate", "admin"}))
    headers = {"Authorization": f"Bearer {key}"}
    routes = [{"channel": "webhook", "name": name, "url_env": f"{name.upper()}_URL"} for name in SCRIPTS]
    declared = httpx.put(
        f"{service.url}/v1/models/{MODEL['model']}", json=MODEL | {"notify": routes}, headers=headers
    )
    assert declared.status_code == 201, declared.text
    alarms = Alarms(service, headers)
    alarms.start()
    chance = random.Random(20261124)
    if service.deployment.database_url and "FAULT_RUNS" not in os.environ:
        fault_runs = 3
    for _ in range(fault_runs):
        time.sleep(chance.uniform(0.3, 1.5))
        service.stop(signal.SIGKILL)
        service.start()
    alarms.enough.set()
    alarms.join(timeout=60)
    assert alarms.wrong == []
    service.stop(signal.SIGKILL)
    _send_the_rest(service.deployment, receivers)
    _recount(admin, alarms.said, receivers)
    admin.stop()
    service.start()


def _send_the_rest(deployment: Deployment, receivers: dict[str, Receiver]) -> None:
    """What is left is sent by another process, whose clock runs ahead, so that nothing is waited for."""
    for receiver in receivers.values():
        receiver.follow([OK])
    ahead = timedelta()
    app = App(deployment.settings(), lambda: datetime.now(UTC) + ahead)
    until = time.monotonic() + 1_200
    while time.monotonic() < until:
        app.notifier.relay.run()
        while taken := app.notifier.queue.take(8):
            for row in taken:
                app.notifier.attempt(row)
        with reading(app.log.engine) as db:
            left = db.execute(select(notifications.c.id).where(notifications.c.state == WAITING)).first()
        if left is None:
            app.stop()
            return
        ahead += timedelta(minutes=11)
    raise AssertionError("some notifications are never sent")


def _recount(app: App, said: list[str], receivers: dict[str, Receiver]) -> None:
    with reading(app.state) as db:
        kinds: dict[str, list[str]] = {}
        for row in db.execute(select(incident_events.c.incident, incident_events.c.kind)):
            if row.kind in (*TOLD, "reopened"):
                kinds.setdefault(row.incident, []).append(row.kind)
    assert len(kinds) >= len(said) > 0
    assert {i: events for i, events in kinds.items() if Counter(events) != Counter(TOLD)} == {}     # lost or doubled
    with reading(app.log.engine) as db:
        queued: list[Any] = list(db.execute(select(notifications)))
        begun = Counter(db.execute(select(deliveries.c.notification).where(deliveries.c.outcome == "begun")).scalars())
    assert {row.state for row in queued} == {DELIVERED}
    for name, receiver in receivers.items():
        mine = [row for row in queued if row.channel == name]
        assert Counter((row.incident, row.kind) for row in mine) == Counter(
            (incident, kind) for incident in kinds for kind in TOLD
        )
        assert {row.id for row in mine} == receiver.arrived
        seen = receiver.times()
        assert {id: n for id, n in seen.items() if n > begun[id]} == {}
