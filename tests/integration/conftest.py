"""A whole Vigil in the test's own process: databases in ``tmp_path``, a clock that the test sets, a worker it steps."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest
import structlog
from databases import Deployment

from api.server import create
from monitor import logs
from monitor.app import App
from monitor.settings import Settings

with warnings.catch_warnings():     # Starlette would rather have another distribution of httpx
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
    from starlette.testclient import TestClient

ARROW = "application/vnd.apache.arrow.stream"
MODEL = "churn"
TINY: dict[str, Any] = {
    "model": MODEL,
    "task": "binary_classification",
    "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}},
    "segments": ["state"],
}


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    at: datetime = datetime(2026, 7, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


def prediction(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A good prediction of the tiny model, a minute after that of the number before; ``...`` takes a field away."""
    row = {
        "prediction_id": f"p{number}",
        "timestamp": (datetime(2026, 7, 1, tzinfo=UTC) + timedelta(minutes=number)).isoformat(),
        "model_version": "v1",
        "features": {"age": 20.0 + number % 50, "plan": "ab"[number % 2]},
        "prediction_score": number % 10 / 10,
        "protected": {"sex": "fm"[number // 2 % 2]},
        "tags": {"state": "MA"},
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def outcome(number: int = 0, **changes: Any) -> dict[str, Any]:
    """The outcome of that prediction, known a day earlier than the test's clock stands."""
    row = {"prediction_id": f"p{number}", "timestamp": "2026-07-01T11:00:00Z", "actual_label": int(number % 10 >= 5)}
    return {key: value for key, value in (row | changes).items() if value is not ...}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """``{"features": {"age": 1}}`` as ``{"features.age": 1}``."""
    parts = [(k, v.items() if isinstance(v, dict) else [("", v)]) for k, v in row.items()]
    return {f"{k}.{name}" if name else k: value for k, items in parts for name, value in items}


def arrow_bytes(rows: list[dict[str, Any]]) -> bytes:
    """Rows as an Arrow stream of flat columns, timestamps as such."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    columns = {name: pa.array([row.get(name) for row in flat]) for name in names}
    if "timestamp" in columns:
        times = [datetime.fromisoformat(t) for t in columns["timestamp"].to_pylist()]
        columns["timestamp"] = pa.array(times, pa.timestamp("us", "UTC"))
    table, sink = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def column_form(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same rows as JSON's column form."""
    flat = [_flat(row) for row in rows]
    return {"columns": {name: [row.get(name) for row in flat] for name in flat[0]}}


@dataclass
class Service:
    """The app with a client, keys for each scope, and short ways to what most tests do."""

    app: App
    client: httpx.Client
    clock: SetClock
    keys: dict[str, str] = field(default_factory=dict)

    prediction = staticmethod(prediction)
    outcome = staticmethod(outcome)
    arrow_bytes = staticmethod(arrow_bytes)
    column_form = staticmethod(column_form)
    tiny = TINY

    def key(self, *scopes: str, kind: str = "machine", **more: Any) -> dict[str, str]:
        """The header of a new key."""
        token = self.app.keys.create("tester", kind, frozenset(scopes), **more)  # type: ignore[arg-type]
        return {"authorization": f"Bearer {token}"}

    def declare(self, **changes: Any) -> httpx.Response:
        body = TINY | changes
        return self.client.put(f"/v1/models/{body['model']}", json=body)

    def post(self, kind: str, rows: Any, model: str = MODEL, **more: Any) -> httpx.Response:
        """Send rows (a list), a body as it is (bytes, with its ``content_type``), or any other JSON value."""
        headers = dict(more.pop("headers", {}))
        url = f"/v1/models/{model}/{kind}"
        if isinstance(rows, bytes):
            headers.setdefault("content-type", more.pop("content_type", "application/json"))
            return self.client.post(url, content=rows, headers=headers, **more)
        return self.client.post(url, json=rows, headers=headers, **more)

    def reference(self, n: int = 200, **more: Any) -> httpx.Response:
        """A reference of ``n`` rows with outcomes, a month before the predictions."""
        rows = [
            prediction(i, prediction_id=f"r{i}", actual_label=int(i % 10 >= 5), timestamp=_june(i, n)) for i in range(n)
        ]
        return self.post("reference", rows, **more)

    def fold(self) -> None:
        """Let the worker take everything that is logged."""
        for name in self.app.log.models():
            while self.app.worker.step(name):
                pass

    def counts(self, model: str = MODEL) -> dict[str, int]:
        """The model's totals, those that are not zero."""
        found = self.client.get(f"/v1/models/{model}").json()["counts"]
        return {name: n for name, n in found.items() if n}

    def batch(self, answer: httpx.Response) -> dict[str, Any]:
        """What became of a batch that was taken."""
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = self.client.get(f"/v1/batches/{answer.json()['batch_id']}").json()
        return found

    def report(self, model: str = MODEL, **query: str) -> dict[tuple[str, str], dict[str, Any]]:
        """The points of a report over the day of the predictions, by metric and by the feature, group or output."""
        params = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z"} | query
        answer = self.client.get(f"/v1/models/{model}/report", params=params)
        assert answer.status_code == 200, answer.text
        return {(p["metric"], _place(p["scope"])): p for p in answer.json()["points"]}


def _june(i: int, n: int) -> str:
    return (datetime(2026, 6, 1, tzinfo=UTC) + i * timedelta(days=28) / n).isoformat()


def _place(scope: dict[str, str | None]) -> str:
    return ",".join(v for v in scope.values() if v is not None) or "model"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def settings(deployment: Deployment) -> Settings:
    """A test overrides this fixture where it needs other limits."""
    return deployment.settings()


@pytest.fixture
def vigil(settings: Settings, clock: SetClock) -> App:
    """The app, not started: ``client`` starts and stops it."""
    return App(settings, clock)


@pytest.fixture
def client(vigil: App) -> Iterator[TestClient]:
    """A client that holds an administrator's key, of a person."""
    application = create(vigil)
    script = application.state.bundle.file      # there already, so that no process is started to make it
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(b"")
    with TestClient(application, raise_server_exceptions=False) as client:
        token = vigil.keys.create("ana", "person", frozenset({"admin"}))
        client.headers["authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def service(vigil: App, client: TestClient, clock: SetClock) -> Service:
    """The tiny model declared, and a key for each scope."""
    found = Service(vigil, client, clock)
    for scope in ("ingest", "read", "sensitive", "operate", "export", "admin"):
        found.keys[scope] = found.key(scope)["authorization"]
    assert found.declare().status_code == 201
    return found


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged while a test runs, as the service writes it."""
    root, to = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    logs.configure("debug", "json", to)
    yield to
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def problem() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is a clear problem of a status and kind, and returns its body."""

    def check(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body: dict[str, Any] = answer.json()
        assert body["status"] == status
        assert body["type"] == f"urn:vigil:problem:{kind}"
        assert body["title"]
        assert len(body["detail"]) > 5
        assert body.get("mend"), f"it says nothing of what to do: {body}"
        return body

    return check
