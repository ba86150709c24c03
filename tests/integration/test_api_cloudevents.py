"""Events of payload loggers at the API: what is durable, what is refused and why, and when load is shed.

Their fixtures have the shape that KServe and MLServer send (``tests/support/events.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databases import Deployment
from events import ASKED, BATCH, KSERVE, PATH, ROWS, SOURCES, KServe, send, send_json

from monitor.settings import Settings

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def events(service: Any) -> Any:
    """The tiny model with sources."""
    assert service.declare(sources=SOURCES).status_code == 200
    return service


def test_the_declaration_in_the_documentation_can_be_declared(service: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "kserve.md").read_text("utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    answer = service.client.put(
        "/v1/models/census-employment", content=example.encode(), headers={"content-type": "application/yaml"}
    )
    assert answer.status_code == 201, answer.text
    assert [source["kind"] for source in answer.json()["declaration"]["sources"]] == ["kserve", "seldon"]


def test_each_event_is_durable_once_it_is_answered(events: Any) -> None:
    answer = send(events, ASKED).json()
    (batch,) = answer["batches"]
    assert (answer["accepted"], answer["rejected"], answer["errors"], batch["model"]) == (1, 0, [], "churn")
    told = events.client.get(f"/v1/batches/{batch['batch_id']}").json()
    assert (told["kind"], told["accepted"], told["folded"]) == ("events", 1, False)


def test_an_event_of_nobody_is_a_problem_that_names_what_came_and_what_to_declare(
    events: Any, problem: Problem
) -> None:
    sent = KServe(service="nobody", namespace="dev").request("x", ROWS)
    answer = events.client.post(PATH, content=sent.body, headers=sent.headers)
    (error,) = problem(answer, 422, "no-good-row")["errors"]
    assert "inferenceservice 'nobody', namespace 'dev', component 'predictor'" in error["reason"]
    assert "kind: kserve, inferenceservice: nobody, namespace: dev" in error["reason"]


def test_a_transformer_is_another_component_than_the_predictor(events: Any, problem: Problem) -> None:
    sent = KServe(component="transformer").request("r-1", ROWS)
    answer = events.client.post(PATH, content=sent.body, headers=sent.headers)
    problem(answer, 422, "no-good-row")


def test_what_is_no_event_is_a_problem(service: Any, problem: Problem) -> None:
    structured = {"content-type": "application/cloudevents+json"}
    for headers, body, status, kind in (
        ({"content-type": "application/json"}, b"{}", 422, "no-good-row"),
        ({"content-type": "application/cloudevents+avro"}, b"{}", 415, "unsupported-format"),
        (structured, b"{", 400, "malformed-body"),
        (structured, b"", 400, "malformed-body"),
        ({"content-type": BATCH}, b"{}", 400, "malformed-body"),
        (ASKED.headers | {"Ce-Id": "i" * 121}, b"{}", 422, "no-good-row"),
    ):
        problem(service.client.post(PATH, content=body, headers=headers), status, kind)


def test_an_empty_batch_is_taken_and_is_nothing(events: Any) -> None:
    answer = send_json(events, [], BATCH)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)


def test_bodies_stand_apart_where_the_model_has_protected_attributes(events: Any) -> None:
    send(events, ASKED)
    (segment,) = [s for s in events.app.log.read("churn", 0, 9) if s.kind == "events"]
    assert segment.protected is not None
    assert b"instances" not in segment.payload
    assert segment.sampling_rate == 1.0


class TestLimits:
    @pytest.fixture
    def settings(self, deployment: Deployment) -> Settings:
        return deployment.settings(max_body_bytes=2_000, max_rows_per_batch=3,
                        max_backlog_rows=2)  # fmt: skip

    @pytest.fixture
    def small(self, service: Any) -> Any:
        assert service.declare(sources=SOURCES).status_code == 200
        return service

    def test_a_body_over_the_limit_is_too_large(self, small: Any, problem: Problem) -> None:
        sent = KSERVE.request("r", [[1.0, "x" * 2_000, "f"]])
        problem(small.client.post(PATH, content=sent.body, headers=sent.headers), 413, "too-large")

    def test_so_is_a_batch_of_too_many_events(self, small: Any, problem: Problem) -> None:
        problem(send_json(small, [{}] * 4, BATCH), 413, "too-large")

    def test_it_sheds_load_where_the_fold_is_behind(self, small: Any, problem: Problem) -> None:
        for i in range(3):
            send(small, KSERVE.request(f"r-{i}", ROWS))
        sent = KSERVE.request("r-3", ROWS)
        answer = small.client.post(PATH, content=sent.body, headers=sent.headers)
        problem(answer, 429, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
