"""Alertmanager's webhook: what opens, what resolves, what is said twice, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from databases import Deployment
from sqlalchemy import delete
from state import contents, differing

from incidents.events import ActorKind, Event
from incidents.incident import Incident, State
from incidents.verdict import Kind, Severity
from monitor.database import writing
from monitor.settings import Settings
from monitor.store import incidents as store
from monitor.store import tables

pytestmark = pytest.mark.both_databases

URL = "/v1/alerts"
FINGERPRINT = "a1b2c3d4e5f60718"
TABLES = ("incidents", "live_fingerprints", "incident_events")
NEVER = "0001-01-01T00:00:00Z"


@pytest.fixture
def settings(deployment: Deployment) -> Settings:
    return deployment.settings(public_url="https://vigil.example/")


def alert(status: str = "firing", fingerprint: str = FINGERPRINT, **more: Any) -> dict[str, Any]:
    labels = {"alertname": "HighLatency", "model": "churn", "severity": "warning"} | more.pop("labels", {})
    return {
        "status": status, "labels": labels, "fingerprint": fingerprint, "startsAt": "2026-07-01T11:50:00.123Z",
        "annotations": {"summary": "churn answers slowly", "description": "p95 is 2 s"},
        "endsAt": NEVER if status == "firing" else "2026-07-01T11:59:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up",
    } | more  # fmt: skip


def webhook(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "4", "groupKey": '{}:{alertname="HighLatency"}', "truncatedAlerts": 0, "status": "firing",
        "receiver": "vigil", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093", "alerts": list(alerts),
    }  # fmt: skip


def send(service: Any, *alerts: dict[str, Any], **more: Any) -> httpx.Response:
    answer: httpx.Response = service.client.post(URL, json=webhook(*alerts), headers=service.key("operate"), **more)
    return answer


def incidents(service: Any) -> list[Incident]:
    found = service.client.get("/v1/incidents").json()["incidents"]
    return [Incident.from_json(one) for one in found]


def counted(answer: httpx.Response) -> tuple[int, int, int]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["opened"], body["added"], body["resolved"]


def test_a_firing_alert_opens_an_incident_that_its_end_resolves(service: Any) -> None:
    assert counted(send(service, alert())) == (1, 0, 0)
    (opened,) = incidents(service)
    assert (opened.fingerprint.kind, opened.fingerprint.key) == (Kind.SERVICE, FINGERPRINT)
    assert (opened.state, opened.severity, opened.title) == (State.OPEN, Severity.WARNING, "churn answers slowly")
    assert counted(send(service, alert("resolved"))) == (0, 0, 1)
    (resolved,) = incidents(service)
    assert (resolved.id, resolved.state) == (opened.id, State.RESOLVED)
    events: list[Event] = service.app.ask(store.events, opened.id)
    assert {(e.actor.id, e.actor.kind) for e in events} == {("alertmanager:tester", ActorKind.RULE)}
    (comment,) = (e.data["text"] for e in events if e.kind == "commented")
    assert "p95 is 2 s" in comment
    assert "alertname=HighLatency" in comment


def test_what_is_repeated_changes_nothing_and_leaves_nothing_in_the_log(service: Any) -> None:
    send(service, alert())
    before = len(service.app.log.commands("churn", 0))
    for _ in range(3):
        assert counted(send(service, alert())) == (0, 0, 0)
    assert counted(send(service, alert("resolved", "0000000000000000"))) == (0, 0, 0)
    assert len(service.app.log.commands("churn", 0)) == before
    send(service, alert("resolved"))
    assert counted(send(service, alert("resolved"))) == (0, 0, 0)
    assert len(incidents(service)) == 1


def test_an_alert_that_gets_worse_raises_and_one_that_fires_again_reopens(service: Any) -> None:
    send(service, alert())
    assert counted(send(service, alert(labels={"severity": "critical"}))) == (0, 1, 0)
    (raised,) = incidents(service)
    assert raised.severity is Severity.CRITICAL
    send(service, alert("resolved", labels={"severity": "critical"}))
    service.clock.move(hours=1)
    assert counted(send(service, alert(startsAt="2026-07-01T12:55:00Z"))) == (1, 0, 0)
    (again,) = incidents(service)
    assert (again.id, again.state, again.reopenings) == (raised.id, State.OPEN, 1)


def test_alerts_of_a_group_are_one_incident_each_and_their_labels_say_what_kind(service: Any) -> None:
    labels = {"vigil_kind": "quality", "severity": "page"}
    assert counted(send(service, alert(), alert("firing", "ffff", labels=labels), alert("firing", "eeee"))) == (3, 0, 0)
    kinds = sorted((i.fingerprint.kind.value, i.severity.value) for i in incidents(service))
    assert kinds == [("quality", "critical"), ("service", "warning"), ("service", "warning")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": {"vigil_incident": "inc_1"}}, "own_alert"),
        ({"labels": {"vigil": "true"}}, "own_alert"),
        ({"generatorURL": "https://vigil.example/incidents/inc_1"}, "own_alert"),
        ({"generatorURL": "https://vigil.example"}, "own_alert"),
        ({"labels": {"model": "nobody"}}, "no_such_model"),
        ({"labels": {"model": ""}}, "no_such_model"),
    ],
)
def test_what_is_refused_is_listed_and_a_webhook_of_nothing_else_is_no_success(
    service: Any, problem: Callable[..., Any], changes: dict[str, Any], reason: str
) -> None:
    refused = alert("firing", "bad", **changes)
    assert send(service, alert(), refused).json() == {
        "opened": 1, "added": 0, "resolved": 0, "refused": [{"fingerprint": "bad", "reason": reason}],
    }  # fmt: skip
    assert reason in problem(send(service, refused), 422, "invalid-input")["detail"]
    assert len(incidents(service)) == 1


def test_an_address_that_only_begins_like_ours_is_not_ours(service: Any) -> None:
    assert counted(send(service, alert(generatorURL="https://vigil.example.org/graph"))) == (1, 0, 0)


def test_it_takes_a_key_with_operate_for_that_very_model(service: Any, problem: Callable[..., Any]) -> None:
    body = webhook(alert())
    problem(service.client.post(URL, json=body, headers=service.key("read", "ingest")), 403, "forbidden")
    problem(service.client.post(URL, json=body, headers={"authorization": ""}), 401, "unauthenticated")
    other = service.key("operate", models=frozenset({"other"}))
    assert "not_allowed" in problem(service.client.post(URL, json=body, headers=other), 422, "invalid-input")["detail"]
    assert incidents(service) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"version": "3", "alerts": []},
        {"alerts": []},
        {"version": "4", "alerts": [{}]},
        {"version": "4", "alerts": [{"status": "firing", "labels": {"a": 1}, "startsAt": "x", "fingerprint": "a"}]},
        {"version": "4", "alerts": [alert(fingerprint="../etc")]},
        {"version": "4", "alerts": [alert(startsAt="2026-07-01T11:50:00")]},
        {"version": "4", "alerts": [alert(startsAt=NEVER)]},
        {"version": "4", "alerts": [alert(startsAt="9999-12-31T23:59:59-14:00")]},
        {"version": "4", "alerts": [alert(endsAt="9999-12-31T23:59:59-14:00")]},
    ],
)
def test_a_body_of_another_shape_is_refused(service: Any, problem: Callable[..., Any], broken: Any) -> None:
    problem(service.client.post(URL, json=broken, headers=service.key("operate")), 422, "invalid-input")


def test_a_text_of_another_system_is_one_line_and_bounded(service: Any) -> None:
    said = {"summary": "a\r\n\tb " + "x" * 5_000, "description": "d" * 10_000}
    assert counted(send(service, alert(annotations=said))) == (1, 0, 0)
    (opened,) = incidents(service)
    assert opened.title.startswith("a b x")
    assert len(opened.title) == 300


def test_alerts_are_the_same_incidents_after_the_state_is_made_again(service: Any) -> None:
    send(service, alert(), alert("firing", "ffff"))
    send(service, alert("resolved"))
    before = contents(service.app.state, TABLES)
    assert all(before.values())
    with writing(service.app.state) as db:
        for table in reversed(tables.metadata.sorted_tables):
            db.execute(delete(table))
    service.app.worker.step("churn")
    assert differing(contents(service.app.state, TABLES), before) == {}
