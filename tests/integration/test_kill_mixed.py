"""Laws 6 and 1 under a mixed load: API and worker, processes of their own, are killed at random instants; what is
counted is a plain recount of what was acknowledged, and a rebuild from the log gives the same state."""

from __future__ import annotations

import gzip
import json
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
from inprocess import fold, open_vigil
from processes import Service
from recounts import Sent, recount
from sqlalchemy import func, select
from state import contents, differing
from wire_bodies import Row, bodies, columns_body, csv_body, ndjson_body

from detectors.reference import Reference
from detectors.summaries.packing import packed_sum
from monitor.app import App
from monitor.log.tables import batches
from monitor.store.tables import models, summaries
from monitor.times import from_micros

MODEL = "mixed"
PLANS, SEXES, VERSIONS = ("basic", "plus"), ("f", "m"), (("v1", "champion"), ("v2", "challenger"))
DECLARATION = {
    "model": MODEL,
    "task": "binary_classification",
    "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}},
}
SENDERS, IDS = 3, 300
REBUILT = ("summaries", "kept", "points", "windows", "incidents")


@pytest.fixture
def service(deployment: Deployment) -> Iterator[Service]:
    running = Service(deployment, apart=True)
    running.start()
    running.start_worker()
    yield running
    running.stop(signal.SIGTERM)
    running.stop_worker(signal.SIGTERM)


class Sender(threading.Thread):
    """A model service with ids of its own. Each request is sent until it is answered, then the next is thought of; and
    what was answered is remembered as it was sent."""

    def __init__(self, service: Service, key: str, number: int, start: datetime) -> None:
        super().__init__(daemon=True)
        self.service, self.key, self.number, self.start_at = service, key, number, start
        self.chance = random.Random(number)
        self.enough = threading.Event()
        self.acknowledged: list[Sent] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.enough.is_set() and not self.wrong:
                self._send(client, *self._outcomes() if self.chance.random() < 0.4 else self._predictions())

    def _id(self) -> str:
        return f"{self.number}-{self.chance.randrange(IDS)}"

    def _predictions(self) -> tuple[str, list[Row]]:
        rows = []
        for _ in range(self.chance.choice((1, 1, 3, 40))):
            id_ = self._id()
            version, role = self.chance.choice(VERSIONS)
            said = random.Random(f"{id_} {version}" if self.chance.random() < 0.95 else self.chance.random())
            minute = said.randrange(600)
            rows.append({
                "prediction_id": id_, "timestamp": self.start_at + timedelta(minutes=minute), "model_version": version,
                "role": role, "prediction_score": said.randrange(11) / 10, "features.age": float(said.randrange(90)),
                "features.plan": said.choice(PLANS), "protected.sex": said.choice(SEXES),
            })  # fmt: skip
        return "predictions", rows

    def _outcomes(self) -> tuple[str, list[Row]]:
        at = self.start_at + timedelta(minutes=600)
        times = [at + timedelta(seconds=self.chance.randrange(3_000)) for _ in range(self.chance.choice((1, 2, 30)))]
        return "outcomes", [
            {"prediction_id": self._id(), "timestamp": t, "actual_label": self.chance.randrange(2)} for t in times
        ]

    def _send(self, client: httpx.Client, kind: str, rows: list[Row]) -> None:
        if kind == "predictions":
            media, body = self.chance.choice(sorted(bodies(rows).items()))
        else:
            made = (("text/csv", csv_body), ("application/json", columns_body), ("application/x-ndjson", _lines))
            media, write = self.chance.choice(made)
            body = write(rows)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media}
        if self.chance.random() < 0.3:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        if self.chance.random() < 0.3:
            headers["Idempotency-Key"] = f"{self.number}-{len(self.acknowledged)}"
        keyed = "Idempotency-Key" in headers
        url = f"{self.service.url}/v1/models/{MODEL}/{kind}"
        times = self.chance.choice((1, 1, 1, 2))       # at times twice, as after an answer that was lost
        copies, unsure = 1 if keyed else times, 0
        while times:
            try:
                answer = client.post(url, content=body, headers=headers)
            except httpx.TransportError as e:
                unsure += not keyed and not isinstance(e, httpx.ConnectError)       # nobody was there to take it
                time.sleep(0.02)
                continue
            if answer.status_code == 202 and answer.json()["rejected"] == 0:
                times -= 1
            elif answer.status_code in (429, 503):
                unsure += answer.status_code == 503 and not keyed
                time.sleep(0.1)
            else:
                self.wrong.append(f"{answer.status_code} {answer.text}")
                return
        self.acknowledged.append(Sent(kind, rows, copies, unsure))


def _lines(rows: list[Row]) -> bytes:
    return ndjson_body([{k: v.isoformat() + "Z" if isinstance(v, datetime) else v for k, v in r.items()} for r in rows])


@pytest.mark.both_databases
@pytest.mark.faults
@pytest.mark.timeout(5_000)
def test_a_mixed_load_through_kills_is_a_plain_recount_of_what_was_acknowledged(
    service: Service, fault_runs: int
) -> None:
    admin = App(service.deployment.settings())
    key = admin.keys.create("sender", "machine", frozenset({"ingest", "read", "admin"}))
    headers = {"Authorization": f"Bearer {key}"}
    start = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0) - timedelta(hours=20)
    assert httpx.put(f"{service.url}/v1/models/{MODEL}", json=DECLARATION, headers=headers).status_code == 201
    reference = [_reference_row(i, start) for i in range(300)]
    url = f"{service.url}/v1/models/{MODEL}/reference"
    assert httpx.post(url, json=reference, headers=headers).status_code == 202
    senders = [Sender(service, key, number, start) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    chance = random.Random(20261124)
    if service.deployment.database_url and "FAULT_RUNS" not in os.environ:
        fault_runs = 3
    for _ in range(fault_runs):
        time.sleep(chance.uniform(0.05, 1.0))
        if chance.random() < 0.5:
            service.stop(signal.SIGKILL)
            service.start()
        else:
            service.stop_worker(signal.SIGKILL)
            service.start_worker()
    for sender in senders:
        sender.enough.set()
    for sender in senders:
        sender.join(timeout=120)
    assert [sender.wrong for sender in senders] == [[]] * SENDERS
    _wait_until_folded(service, headers)
    expected = recount([said for sender in senders for said in sender.acknowledged])
    counts = httpx.get(f"{service.url}/v1/models/{MODEL}", headers=headers).json()["counts"]
    assert {name: counts.get(name, 0) for name in expected["counts"]} == expected["counts"]
    assert held(admin) == {"predictions": expected["predictions"], "joined": expected["joined"]}
    for name, (least, most) in expected["again"].items():
        assert least <= counts.get(name, 0) <= most, name
    named = ("predictions", "outcomes", "corrections", *expected["again"])
    assert sum(counts.get(name, 0) for name in named) == logged(admin), "each row of the log is one of these"
    assert expected["counts"]["joined"] > 10, "there was something to count"
    service.stop(signal.SIGTERM)
    service.stop_worker(signal.SIGTERM)
    live, state = contents(admin.state, REBUILT), admin.model_state(MODEL)
    admin.stop()
    assert state is not None
    assert differing(live, rebuilt(service.deployment, from_micros(state.clock))) == {}


def _reference_row(i: int, start: datetime) -> dict[str, Any]:
    return {
        "timestamp": (start - timedelta(days=20) + timedelta(minutes=i)).isoformat() + "Z",
        "features": {"age": float(i % 90), "plan": PLANS[i % 2]}, "protected": {"sex": SEXES[i // 2 % 2]},
        "prediction_score": i % 11 / 10, "actual_label": i % 2,
    }  # fmt: skip


def _wait_until_folded(service: Service, headers: dict[str, str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        status = httpx.get(f"{service.url}/v1/models/{MODEL}", headers=headers, timeout=30).json()
        if not status["rows_to_fold"]:
            return
        time.sleep(0.2)
    raise AssertionError(json.dumps(status) + service.said())


def rebuilt(deployment: Deployment, at: datetime) -> dict[str, list[str]]:
    """What the log alone makes, by a clock that stands where the model's does: what a later one closes is not there."""
    deployment.drop_state()
    again = open_vigil(deployment, lambda: at)
    fold(again, MODEL)
    found = contents(again.state, REBUILT)
    again.stop()
    return found


def logged(admin: App) -> int:
    """How many predictions and outcomes the log has."""
    with admin.log.engine.connect() as db:
        return int(db.execute(select(func.sum(batches.c.rows)).where(batches.c.kind != "reference")).scalar_one())


def held(admin: App) -> dict[str, dict[str, int]]:
    """The same figures, from the stored summaries, of which none may hold less than nothing."""
    predictions, joined = Counter[str](), Counter[str]()
    with admin.state.connect() as db:
        space = Reference.from_bytes(db.execute(select(models.c.reference)).scalar_one()).space
        for row in db.execute(select(summaries)):
            assert row.n >= 0
            if row.kind == "predictions":
                predictions[f"{row.bucket} {row.version} {row.role}"] += row.n
                continue
            dense, _ = packed_sum([row.data], space.outcome_size, space.outcome_sums.size)
            assert dense.min() >= 0
            table = space.confusion(dense)[1]
            for decision in (0, 1):
                for label in (0, 1):
                    joined[f"{row.bucket} {row.version} {decision} {label}"] += int(table[decision][label])
    return {
        "predictions": {place: n for place, n in predictions.items() if n},
        "joined": {place: n for place, n in joined.items() if n},
    }
