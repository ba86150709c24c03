"""Acknowledging by a link: looking changes nothing, the button acts as the person, and an old link does nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from incidents.commands import Reopen, Resolve
from monitor.access import Principal
from monitor.log.audit import at_the_machine
from monitor.people.accounts import New

pytestmark = pytest.mark.both_databases
BEN = Principal("ben", "person", frozenset({"operate"}), None)


@pytest.fixture
def incident(service: Any) -> str:
    """An open one: days in which every plan is one that the reference does not know."""
    service.reference()
    service.fold()
    for day in range(1, 4):
        at = datetime(2026, 7, day, tzinfo=UTC)
        service.clock.at = at + timedelta(days=1)
        service.post("predictions", [
            service.prediction(i, prediction_id=f"d{day}-{i}", timestamp=(at + timedelta(minutes=5 * i)).isoformat(),
                               features={"age": 20 + i % 50, "plan": "zz"})
            for i in range(200)
        ])  # fmt: skip
        service.fold()
    service.clock.move(hours=1)
    service.app.worker.tick("churn")
    return str(service.client.get("/v1/incidents?state=open").json()["incidents"][0]["id"])


@pytest.fixture
def browser(client: TestClient) -> TestClient:
    found = TestClient(client.app, follow_redirects=True, raise_server_exceptions=False)
    found.headers["origin"] = "http://testserver"
    return found


def link(service: Any, incident: str, role: str = "responder", name: str = "ana.r", **more: Any) -> str:
    account = service.app.people.by_name(name)
    if account is None:
        account, _ = service.app.people.create(New(name, role, **more), at_the_machine())
    return f"/a/{service.app.people.make_acknowledge_link(account, incident)}"


def state(service: Any, incident: str) -> str:
    return str(service.app.incident(incident).state.value)


def test_looking_changes_nothing_and_the_button_acts_as_the_person(
    service: Any, incident: str, browser: TestClient
) -> None:
    path = link(service, incident)
    for _ in range(3):      # a mail filter, a preview, and the person
        page = browser.get(path)
        assert (page.status_code, "Acknowledge as ana.r" in page.text) == (200, True)
        assert page.headers["cache-control"] == "no-store"
    assert browser.head(path).status_code == 405
    assert state(service, incident) == "open"
    refused = browser.post(path, headers={"origin": "https://evil.example"})
    assert (refused.status_code, state(service, incident)) == (403, "open")
    page = browser.post(path)
    assert (page.status_code, "It is acknowledged" in page.text) == (200, True)
    assert state(service, incident) == "acknowledged"
    events = service.client.get(f"/v1/incidents/{incident}/events").json()["events"]
    assert (events[-1]["kind"], events[-1]["actor"]) == ("acknowledged", {"id": "ana.r", "kind": "person"})
    assert browser.post(path).status_code == 200, "pressed again it does nothing"
    assert len(service.client.get(f"/v1/incidents/{incident}/events").json()["events"]) == len(events)
    assert browser.cookies == {}, "it signs nobody in"


def test_it_expires(service: Any, incident: str, browser: TestClient) -> None:
    path = link(service, incident)
    service.clock.move(minutes=60)
    for answer in (browser.get(path), browser.post(path)):
        assert (answer.status_code, "has expired" in answer.text) == (410, True)
    assert state(service, incident) == "open"


def test_it_is_for_the_incident_as_it_was_when_it_was_sent(service: Any, incident: str, browser: TestClient) -> None:
    path = link(service, incident)
    for command in (Resolve(), Reopen()):
        service.clock.at += timedelta(minutes=1)
        service.app.command(incident, command, BEN)
    page = browser.get(path)
    assert ("opened again after" in page.text, "Acknowledge as" in page.text) == (True, False)
    browser.post(path)
    assert state(service, incident) == "open", "what was seen before it was reopened is another matter"
    service.clock.at += timedelta(minutes=1)
    assert "It is acknowledged" in browser.post(link(service, incident)).text


def test_it_is_for_those_who_may(service: Any, incident: str, browser: TestClient) -> None:
    for name, role, more in (("vera", "viewer", {}), ("otto", "responder", {"models": frozenset({"other"})})):
        path = link(service, incident, role, name, **more)
        assert (browser.get(path).status_code, browser.post(path).status_code) == (403, 403), name
    path = link(service, incident, "responder", "gone")
    service.app.people.change(service.app.people.by_name("gone").id, {"disabled": True}, at_the_machine())
    assert (browser.get(path).status_code, browser.post(path).status_code) == (403, 403)
    for forged in (path[:-2], "/a/x", "/a/x.y", "/a/%00"):
        assert (browser.get(forged).status_code, browser.post(forged).status_code) == (404, 404)
    assert state(service, incident) == "open"
