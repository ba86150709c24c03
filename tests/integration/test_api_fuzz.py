"""Every operation of the OpenAPI document, fuzzed: no 500, and no answer that the document does not describe.

Schemathesis draws requests from the document: its examples, each parameter missing or at the edge of what it may be,
methods that the path does not take, and cases at random. Bodies of rows and events, which the document calls bytes,
are drawn here besides, as good ones with a few bytes changed. Few are drawn in a test run, and always the same;
``FUZZ_EXAMPLES=500`` draws as many anew for each operation.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from events import BATCH, KSERVE, PATH, ROWS, SOURCES, STRUCTURED, mlserver, v2_request, v2_response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inprocess import declare, fold, open_vigil
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from spoilt import packed, sendable, spoilt
from starlette.testclient import TestClient
from wire_bodies import bodies

from api.server import create
from monitor.app import App
from monitor.codecs import FORMATS
from monitor.settings import Settings
from monitor.store import lists
from monitor.store.lists import Filter

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
START = datetime(2026, 7, 1, tzinfo=UTC)
NOW = START + timedelta(days=4, hours=1)
MODEL = "churn"
DECLARATION = {
    "model": MODEL,
    "task": "binary_classification",
    "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1,
    "protected_attributes": {"sex": {"min_group": 5}},
    "segments": ["state"],
    "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"},
    "sources": SOURCES,
}
GENERATION = GenerationConfig(
    max_examples=EXAMPLES or 4, deterministic=not EXAMPLES, database="none",
    allow_extra_parameters=False,       # a parameter that nobody declared is let be
)  # fmt: skip
PROJECT = ProjectConfig(base_url="http://testserver", generation=GENERATION)
DOCUMENT = schemathesis.openapi.from_path(
    Path(__file__).parents[1] / "golden" / "openapi.json",
    config=SchemathesisConfig(projects=ProjectsConfig(default=PROJECT)),
)


class Served:
    """The application under test, which the document is bound to before there is one; its life is the stage's."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


SERVED = Served()
DOCUMENT.app = SERVED


@dataclass(frozen=True)
class Stage:
    """A service in which each operation finds something. ``known``: what its paths may name."""

    app: App
    client: httpx.Client
    headers: dict[str, str]
    known: dict[str, str]


def _rows(day: int, plans: str) -> list[dict[str, Any]]:
    at = START + timedelta(days=day)
    return [
        {"prediction_id": f"{day}-{i}", "timestamp": (at + timedelta(minutes=5 * i)).isoformat(), "model_version": "v1",
         "features": {"age": 20 + i % 50, "plan": plans[i % len(plans)]}, "prediction_score": i % 10 / 10,
         "protected": {"sex": "fm"[i // 2 % 2]}, "tags": {"state": "MA"}}
        for i in range(200)
    ]  # fmt: skip


def _fill(folder: Path) -> dict[str, str]:
    """A reference, and three days with plans that it does not know, each folded at its end: an incident."""
    now = START
    vigil = open_vigil(folder, lambda: now)
    labels = [i % 10 // 5 for i in range(200)]
    reference = [row | {"actual_label": y} for row, y in zip(_rows(-20, "ab"), labels, strict=True)]
    known = "2026-07-01T23:00:00Z"
    outcomes = [{"prediction_id": f"0-{i}", "timestamp": known, "actual_label": y} for i, y in enumerate(labels)]
    days = [("predictions", _rows(day, "yz")) for day in range(3)]
    declare(vigil, json.dumps(DECLARATION).encode())
    for number, (kind, rows) in enumerate([("reference", reference), *days, ("outcomes", outcomes)]):
        now = START + timedelta(days=number)
        body = json.dumps(rows).encode()
        taken = asyncio.run(vigil.intake.take(MODEL, kind, "application/json", body, {}, None))  # type: ignore[arg-type]
        fold(vigil, MODEL)
    now = NOW
    vigil.worker.tick(MODEL)
    (incident, *_) = vigil.ask(lambda db: list(lists.bodies(db, Filter())))
    vigil.stop()
    return {"model": MODEL, "batch_id": taken.batch_id, "incident_id": incident.id}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("vigil")
    known = _fill(folder)
    vigil = App(Settings(data_dir=folder, worker="none"), lambda: NOW)
    application = create(vigil)
    script = application.state.bundle.file      # there already, so that no process is started to make it
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(b"")
    headers = {"Authorization": "Bearer " + vigil.keys.create("ana", "person", frozenset({"admin"}))}

    with TestClient(application, raise_server_exceptions=False, headers=headers) as client:
        SERVED.app = application
        yield Stage(vigil, client, headers, known)


@schemathesis.serializer(*(set(FORMATS) - {"application/json"}))
def as_it_is(_ctx: Any, value: Any) -> bytes:
    """A body that the document calls bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.check
def errors_are_problems(_ctx: Any, response: Any, _case: Any) -> None:
    """Whatever is refused says so as RFC 9457 writes it, in the status line's own words."""
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.headers["content-type"] == ["application/problem+json"]
        assert response.json()["status"] == response.status_code


# What a schema cannot tell: whether bytes are rows, a declaration holds together, instants lie on a grain.
JUDGED = ("/predictions", "/outcomes", "/reference", "/ingest/", "/report", "/explanation", "/equivalence",
          "/reliability", "/kpis", "/exports/", "/points", "/erasures", "/retest", "/serious", "/actions", "/alerts",
          "/accept-risk", "/silences", "/maintenance-windows", "/people")  # fmt: skip


ASKED = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z", "attribute": "sex",
         "metric": "demographic_parity_difference"}  # fmt: skip


@DOCUMENT.parametrize()
def test_every_operation_answers_as_the_document_says(case: Any, stage: Stage) -> None:
    left_out = []
    if case.method == "PUT" or "after" in case.query or any(part in case.path for part in JUDGED):
        left_out.append(positive_data_acceptance)
    if "idempotency-key" in case.headers:       # a key that was sent before is answered as it was then
        left_out.append(negative_data_rejection)
    case.call_and_validate(headers=stage.headers, excluded_checks=left_out)
    named = stage.known.keys() & case.path_parameters.keys()
    if not named:
        return
    again = case.derive()       # of a thing that is there
    again.path_parameters.update({name: stage.known[name] for name in named})
    again.call_and_validate(headers=stage.headers, excluded_checks=left_out)
    asked = {name: value for name, value in ASKED.items() if name in case.query}
    if asked:                   # and a question that it can answer, where the rest is sound
        again = again.derive(query=again.query | asked)
        again.call_and_validate(headers=stage.headers, excluded_checks=[*left_out, negative_data_rejection])


ENVELOPE = st.fixed_dictionaries(
    {},
    optional={
        "clock": st.sampled_from(["event", "wall", ""]),
        "sampling_rate": st.sampled_from(["0.5", "1", "0", "nan", "-1", "1e-300"]),
        "source": st.text(max_size=3),
        "format": st.sampled_from(["sagemaker", "databricks", "mlflow", "bentoml", "x"]),
        "atomic": st.sampled_from(["true", "false", "2"]),
    },
)
FEW = settings(
    max_examples=EXAMPLES or 60, derandomize=not EXAMPLES, database=None, suppress_health_check=list(HealthCheck)
)
_NAIVE = START.replace(tzinfo=None)
WIRE = bodies([
    {"prediction_id": f"w{i}", "timestamp": _NAIVE + timedelta(hours=i), "model_version": "v1",
     "features.age": 30.0 + i, "features.plan": "ab"[i % 2], "prediction_score": i / 10, "actual_label": i % 2,
     "protected.sex": "fm"[i % 2]}
    for i in range(4)
])  # fmt: skip


def _answers(stage: Stage, path: str, answer: httpx.Response) -> None:
    DOCUMENT[path]["POST"].Case().validate_response(answer, excluded_checks=[ignored_auth])


@pytest.mark.parametrize("kind", ["predictions", "outcomes", "reference"])
@FEW
@given(data=st.data())
def test_spoilt_rows_are_refused_and_no_more(stage: Stage, kind: str, data: st.DataObject) -> None:
    media = data.draw(st.sampled_from(sorted(WIRE)))
    coding, sent = data.draw(packed(WIRE[media]))
    said = data.draw(st.one_of(st.just(media), st.sampled_from(sorted(WIRE))))
    headers = {"content-type": said, "content-encoding": coding}
    url = f"/v1/models/{MODEL}/{kind}"
    answer = stage.client.post(url, content=sent, headers=headers, params=data.draw(ENVELOPE))
    _answers(stage, f"/v1/models/{{model}}/{kind}", answer)


EVENTS = (
    KSERVE.request("f-1", ROWS), KSERVE.response("f-1", [[0.2], [0.9]]),
    mlserver("request", "f-2", v2_request("f-2", age=[31.0], plan=["a"], sex=["f"])),
    mlserver("response", "f-2", v2_response("f-2", [0.2])),
)  # fmt: skip


@FEW
@given(data=st.data())
def test_spoilt_events_are_refused_and_no_more(stage: Stage, data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(EVENTS))
    mode = data.draw(st.sampled_from(["binary", STRUCTURED, BATCH]))
    if mode == "binary":
        headers = {name: value.encode() for name, value in event.headers.items()}
        for name in data.draw(st.sets(st.sampled_from(sorted(headers)), max_size=2)):
            headers[name] = sendable(data.draw(spoilt(headers[name])))
        body = event.body
    else:
        headers = {"content-type": mode.encode()}
        one = event.structured(base64_data=data.draw(st.booleans()))
        body = json.dumps(one if mode == STRUCTURED else [one, one]).encode()
    answer = stage.client.post(PATH, content=data.draw(spoilt(body)), headers=list(headers.items()))
    _answers(stage, PATH, answer)


def test_whatever_was_taken_is_folded_and_read(stage: Stage) -> None:
    """Last of this file: what the fuzzers got in spoils neither the fold nor a report."""
    fold(stage.app, MODEL)
    stage.app.worker.tick(MODEL)
    window = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z"}
    for question in ("report", "explanation", "reliability", "points", "rejects"):
        answer = stage.client.get(f"/v1/models/{MODEL}/{question}", params=window)
        assert answer.status_code == 200, answer.text
    assert stage.client.get("/readyz").text == "ok"
