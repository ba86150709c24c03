"""Law 6 under a mixed load: API and worker, processes of their own, are killed at random instants, and what is counted
is a plain recount of what was acknowledged."""

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
from processes import Service
from sqlalchemy import select
from wire_bodies import Row, bodies, columns_body, csv_body, ndjson_body

from detectors.reference import Reference
from detectors.summaries.packing import packed_sum
from monitor.app import App
from monitor.store.tables import models, summaries
from monitor.times import to_micros

MODEL = "mixed"
HOUR = 3_600_000_000
PLANS, SEXES, VERSIONS = ("basic", "plus"), ("f", "m"), (("v1", "champion"), ("v2", "challenger"))
DECLARATION = {
    "model": MODEL,
    "task": "binary_classification",
    "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}},
}
SENDERS, IDS = 3, 300


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
        self.acknowledged: list[tuple[str, list[Row]]] = []
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
        url = f"{self.service.url}/v1/models/{MODEL}/{kind}"
        times = self.chance.choice((1, 1, 1, 2))       # at times twice, as after an answer that was lost
        while times:
            try:
                answer = client.post(url, content=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 202 and answer.json()["rejected"] == 0:
                times -= 1
            elif answer.status_code in (429, 503):
                time.sleep(0.1)
            else:
                self.wrong.append(f"{answer.status_code} {answer.text}")
                return
        self.acknowledged.append((kind, rows))


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
    assert expected["counts"]["joined"] > 10, "there was something to count"
    admin.stop()


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


def recount(said: list[tuple[str, list[Row]]]) -> dict[str, Any]:
    """What holds of each identity, without any fold: the first content, and the outcome with the latest timestamp."""
    held: dict[tuple[str, str], Row] = {}
    truth: dict[str, Row] = {}
    for kind, rows in said:
        for row in rows:
            if kind == "predictions":
                held.setdefault((row["prediction_id"], row["model_version"]), row)
            else:
                old = truth.get(row["prediction_id"])
                if old is None or row["timestamp"] > old["timestamp"]:
                    truth[row["prediction_id"]] = row
    predictions, joined = Counter[str](), Counter[str]()
    for row in held.values():
        bucket = to_micros(row["timestamp"].replace(tzinfo=UTC)) // HOUR * HOUR
        predictions[f"{bucket} {row['model_version']} {row['role']}"] += 1
        if row["prediction_id"] in truth:
            decision = int(row["prediction_score"] >= 0.5)
            joined[f"{bucket} {row['model_version']} {decision} {truth[row['prediction_id']]['actual_label']}"] += 1
    counts = {
        "predictions": len(held),
        "outcomes": len(truth),
        "joined": sum(joined.values()),
        "orphans": len(set(truth) - {id_ for id_, _ in held}),
    }
    return {"counts": counts, "predictions": dict(predictions), "joined": dict(joined)}


def held(admin: App) -> dict[str, dict[str, int]]:
    """The same figures, from the stored summaries."""
    predictions, joined = Counter[str](), Counter[str]()
    with admin.state.connect() as db:
        space = Reference.from_bytes(db.execute(select(models.c.reference)).scalar_one()).space
        for row in db.execute(select(summaries)):
            if row.kind == "predictions":
                predictions[f"{row.bucket} {row.version} {row.role}"] += row.n
                continue
            dense, _ = packed_sum([row.data], space.outcome_size, space.outcome_sums.size)
            table = space.confusion(dense)[1]
            for decision in (0, 1):
                for label in (0, 1):
                    joined[f"{row.bucket} {row.version} {decision} {label}"] += int(table[decision][label])
    return {"predictions": dict(+predictions), "joined": dict(+joined)}
