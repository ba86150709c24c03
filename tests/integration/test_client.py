"""The client against a real service: what a model service logged is counted exactly once, whatever the service does."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from databases import Deployment
from processes import Service
from vigil_client import Client

from monitor.app import App

DECLARATION: dict[str, Any] = {
    "task": "binary_classification",
    "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}},
}


class Watched(Service):
    """Vigil as a process of its own, and a key that it knows."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        app = App(deployment.settings())
        self.key = app.keys.create("model-service", "machine", frozenset({"ingest", "read", "admin"}))
        app.stop()
        self.start()

    def ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = httpx.request(method, self.url + path, headers={"Authorization": f"Bearer {self.key}"}, **more)
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def declare(self, model: str) -> None:
        """Declare a model and load its reference."""
        self.ask("PUT", f"/v1/models/{model}", json={"model": model, **DECLARATION})
        rows = [
            {
                "prediction_id": f"r{i}",
                "features": {"age": 20 + i % 50, "plan": "ab"[i % 2]},
                "prediction_score": i % 10 / 10,
                "actual_label": int(i % 10 >= 5),
                "protected": {"sex": "fm"[i % 2]},
            }
            for i in range(200)
        ]
        self.ask("POST", f"/v1/models/{model}/reference", json=rows)

    def counts(self, model: str) -> dict[str, int]:
        """The model's totals, once everything is folded."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = self.ask("GET", f"/v1/models/{model}")
            if not status["rows_to_fold"]:
                counts: dict[str, int] = status["counts"]
                return {name: n for name, n in counts.items() if n}
            time.sleep(0.1)
        raise AssertionError(f"not folded in time: {status}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    running = Watched(Deployment(tmp_path_factory.mktemp("vigil")))
    yield running
    running.stop(signal.SIGTERM)


def connect(service: Watched, model: str, **more: Any) -> Client:
    return Client(service.url, service.key, model, model_version="v1", flush_every=0.05, batch_rows=50, **more)


def test_every_logged_row_is_counted_once_though_the_service_is_killed(service: Watched) -> None:
    service.declare("churn")
    client = connect(service, "churn")
    for number in range(2_000):
        name, plan = f"p{number}", "ab"[number % 2]
        client.log(name, {"age": 20 + number % 50, "plan": plan}, number % 10 / 10, protected={"sex": "f"})
        client.outcome(name, int(number % 10 >= 5))
        if number == 1_000:
            time.sleep(0.08)        # in the middle of a batch or of its answer
            service.stop(signal.SIGKILL)
    time.sleep(0.3)
    assert client.stats.waiting > 0
    service.start()
    assert client.close(60.0), client.stats
    stats = client.stats
    assert (stats.sent, stats.lost, stats.waiting) == (4_000, 0, 0), stats
    assert stats.retries > 0
    assert service.counts("churn") == {"predictions": 2_000, "outcomes": 2_000, "joined": 2_000}


def test_values_of_any_kind_are_taken(service: Watched) -> None:
    """Infinities, numpy's scalars and whole numbers of any size are kept; what is wrong with a row is told."""
    service.declare("values")
    client = connect(service, "values")
    values = [np.float32(1.5), float("inf"), float("nan"), 10**30, None, np.int8(3)]
    client.log_many(features={"age": values, "plan": [np.str_("a"), True, 3, None, "b", "b"]}, prediction_score=0.5)
    client.log("wrong", {"age": "forty"}, 0.5)
    client.log("no-score", {"age": 40})
    client.log("no-zone", {"age": 40}, 0.5, timestamp="2026-07-01T00:00:00")
    client.log("half", {"age": 40, "plan": "\ud800"}, 0.5)
    assert client.close(30.0)
    stats = client.stats
    assert (stats.sent + stats.rejected, sum(stats.dropped.values())) == (10, 0)
    assert stats.sent >= 6
    told = " ".join(stats.reasons)
    assert "timestamp: is not RFC 3339 with a zone" in told
    assert "send prediction_label or prediction_score" in told
    assert service.counts("values")["predictions"] == stats.sent


def test_a_model_that_is_not_declared_is_told(service: Watched) -> None:
    client = connect(service, "nobody")
    client.log("a", {"age": 40}, 0.5)
    assert client.close(30.0)
    assert client.stats.rejected == 1
    assert "no model 'nobody' is declared" in next(iter(client.stats.reasons))
