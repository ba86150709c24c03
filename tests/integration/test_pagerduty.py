"""PagerDuty's webhooks back: signed, a person's act is that person's, once and only for the episode that was seen."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from databases import Deployment

from incidents.commands import Open, Reopen, Resolve, command_to_json
from incidents.events import Actor, ActorKind, Event
from incidents.incident import Incident, State
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.log.audit import Author
from monitor.people.accounts import New
from monitor.settings import Settings
from monitor.store import incidents as store

pytestmark = pytest.mark.both_databases

URL = "/v1/pagerduty"
RULE = Actor("vigil", ActorKind.RULE)
ANA = Actor("ana", ActorKind.PERSON)
USER = {"id": "PUSER01", "type": "user_reference", "summary": "Ben of PagerDuty"}


@pytest.fixture
def settings(deployment: Deployment) -> Settings:
    return deployment.settings(pagerduty_secrets="0ld, n3w")


@pytest.fixture
def incident(service: Any) -> Incident:
    """A live incident of the tiny model."""
    fingerprint = Fingerprint("churn", Kind.SERVICE, key="x")
    opening = Open(fingerprint, Severity.CRITICAL, "down", service.clock())
    service.app.worker.command("churn", "", command_to_json(opening), RULE)
    found: Incident = service.app.ask(store.latest, fingerprint)
    service.clock.move(minutes=5)
    return found


def webhook(service: Any, incident: Incident, kind: str, agent: dict[str, Any] | None = None, **more: Any) -> Any:
    event = {
        "id": "01EVENT", "event_type": f"incident.{kind}", "resource_type": "incident",
        "occurred_at": service.clock().isoformat(), "agent": USER if agent is None else agent, "client": None,
        "data": {"id": "PINC", "type": "incident", "incident_key": incident.id, "status": kind},
    }  # fmt: skip
    return {"event": event | more}


def send(service: Any, body: Any, secret: str = "n3w", header: str | None = None) -> httpx.Response:
    """As PagerDuty does: no key, the signature over the very bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = f"v1={hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}" if header is None else header
    anonymous = {"authorization": b"", "content-type": b"application/json", "x-pagerduty-signature": signed.encode()}
    answer: httpx.Response = service.client.post(URL, content=raw, headers=anonymous)
    return answer


def now(service: Any, incident: Incident) -> Incident:
    found: Incident = service.app.incident(incident.id)
    return found


def events(service: Any, incident: Incident) -> list[Event]:
    found: list[Event] = service.app.ask(store.events, incident.id)
    return found


def test_an_acknowledgement_there_is_that_persons_here_and_once(service: Any, incident: Incident) -> None:
    body = webhook(service, incident, "acknowledged")
    assert send(service, body).json() == {"reason": "done"}
    assert now(service, incident).state is State.ACKNOWLEDGED
    assert send(service, body).json() == {"reason": "already_acknowledged"}
    assert [(e.kind, e.actor) for e in events(service, incident)[1:]] == [
        ("acknowledged", Actor("pagerduty:PUSER01", ActorKind.PERSON))
    ]


def test_who_has_an_account_acts_as_that_account_within_its_rights(service: Any, incident: Incident) -> None:
    people, author = service.app.people, Author({"id": "root", "kind": "person"}, "test")
    ben, _ = people.create(New("ben", "responder", "ben@example.org"), author)
    people.change(ben.id, {"pagerduty_id": "PUSER01"}, author)
    viewer, _ = people.create(New("vera", "viewer", "vera@example.org"), author)
    people.change(viewer.id, {"pagerduty_id": "PUSER02"}, author)
    agent = USER | {"id": "PUSER02"}
    assert send(service, webhook(service, incident, "acknowledged", agent)).json() == {"reason": "not_allowed"}
    assert now(service, incident).state is State.OPEN
    assert send(service, webhook(service, incident, "resolved")).json() == {"reason": "done"}
    assert now(service, incident).state is State.RESOLVED
    assert events(service, incident)[-1].actor == Actor("ben", ActorKind.PERSON)


def test_an_acknowledgement_that_comes_after_a_reopening_is_none(service: Any, incident: Incident) -> None:
    late = webhook(service, incident, "acknowledged")
    service.clock.move(minutes=1)
    for command in (Resolve(), Reopen()):
        service.clock.move(minutes=1)
        service.app.worker.command("churn", incident.id, command_to_json(command), ANA)
    assert send(service, late).json() == {"reason": "before_reopening"}
    assert now(service, incident).state is State.OPEN


def test_what_a_machine_does_there_is_noted_once_and_takes_charge_of_nothing(service: Any, incident: Incident) -> None:
    agent = {"id": "PSERV", "type": "service_reference", "summary": "auto\r\nresolve"}
    for kind in ("acknowledged", "resolved"):
        body = webhook(service, incident, kind, agent, id=f"01{kind}")
        assert [send(service, body).json()["reason"] for _ in range(2)] == ["done", "already_recorded"]
    assert now(service, incident).state is State.OPEN
    noted = events(service, incident)[1:]
    assert [(e.kind, e.actor.kind) for e in noted] == [("commented", ActorKind.MACHINE)] * 2
    assert "auto resolve" in noted[-1].data["text"]


def test_our_own_resolving_that_comes_back_leaves_no_trace(service: Any, incident: Incident) -> None:
    service.app.worker.command("churn", incident.id, command_to_json(Resolve()), ANA)
    before = events(service, incident)
    agent = {"id": "PINT", "type": "events_api_v2_inbound_integration_reference"}
    assert send(service, webhook(service, incident, "resolved", agent)).json() == {"reason": "already_resolved"}
    assert events(service, incident) == before


@pytest.mark.parametrize("kind", ["triggered", "escalated", "annotated", "reopened", "unacknowledged"])
def test_every_other_type_is_answered_and_left(service: Any, incident: Incident, kind: str) -> None:
    assert send(service, webhook(service, incident, kind)).json() == {"reason": "ignored"}
    assert len(events(service, incident)) == 1


def test_an_incident_of_somebody_elses_is_none_of_ours(service: Any, incident: Incident) -> None:
    for key in (None, "", "their-own-key"):
        body = webhook(service, incident, "acknowledged", data={"incident_key": key})
        assert send(service, body).json() == {"reason": "no_such_incident"}


def test_only_what_is_signed_under_one_of_the_secrets_is_taken(
    service: Any, incident: Incident, problem: Callable[..., Any], logged: Any
) -> None:
    body = webhook(service, incident, "acknowledged")
    good = hmac.new(b"0ld", json.dumps(body).encode(), hashlib.sha256).hexdigest()
    wrong = ("", "v1=", f"v2={good}", good, f"v1={good[:-1]}", f"v1={good.upper()}", "v1=é", ",".join(["v1=00"] * 50))
    for header in wrong:
        problem(send(service, body, header=header), 401, "unauthenticated")
    problem(send(service, json.dumps(body).encode() + b" ", header=f"v1={good}"), 401, "unauthenticated")
    problem(send(service, body, secret=""), 401, "unauthenticated")
    assert now(service, incident).state is State.OPEN
    assert send(service, body, header=f"v1=00, v1={good}").json() == {"reason": "done"}, "while a secret is replaced"
    assert "0ld" not in logged.getvalue()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"event": 1}', b'{"event": {"event_type": "incident.resolved"}}'])
def test_a_signed_body_of_another_shape_is_refused_and_says_where(
    service: Any, problem: Callable[..., Any], body: bytes
) -> None:
    problem(send(service, body), 422, "invalid-input")


class TestWithoutASecret:
    @pytest.fixture
    def settings(self, deployment: Deployment) -> Settings:
        return deployment.settings()

    def test_nothing_is_taken(self, service: Any, incident: Incident, problem: Callable[..., Any]) -> None:
        problem(send(service, webhook(service, incident, "acknowledged"), secret=""), 403, "forbidden")
