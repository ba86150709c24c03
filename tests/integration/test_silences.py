"""Silences and maintenance windows: made and shortened by people, approved by another, and each in the audit trail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incidents.wire import rfc3339

pytestmark = pytest.mark.both_databases


def asked(service: Any, hours: float = 2, **more: Any) -> dict[str, Any]:
    until = rfc3339(service.clock() + timedelta(hours=hours))
    return {"matchers": {"model": "churn"}, "ends_at": until, "why": "a new pipeline"} | more


def test_a_silence_is_on_until_it_ends_and_never_becomes_longer(service: Any) -> None:
    made = service.client.post("/v1/silences", json=asked(service))
    assert made.status_code == 201, made.text
    path = f"/v1/silences/{made.json()['id']}/end"
    assert [s["state"] for s in service.client.get("/v1/silences?state=on").json()["silences"]] == ["on"]
    longer = service.client.post(path, json={"at": rfc3339(service.clock() + timedelta(hours=9))}).json()
    assert longer["ends_at"] == made.json()["ends_at"]
    service.clock.move(minutes=5)
    assert service.client.post(path).json()["ends_at"] == rfc3339(service.clock())
    assert service.client.get("/v1/silences?state=on").json()["silences"] == []
    trail = [entry["what"] for entry in service.client.get("/v1/audit").json()["entries"]]
    assert [what for what in trail if what.startswith("silence")] == ["silence.end", "silence.create"]


def test_a_machine_silences_nobody(service: Any) -> None:
    headers = {"authorization": service.keys["operate"]}
    assert service.client.post("/v1/silences", json=asked(service), headers=headers).status_code == 403


@pytest.mark.parametrize(
    "wrong", [{"matchers": {}}, {"matchers": {"owner": "ana"}}, {"why": " "}, {"ends_at": "2020-01-01"}]
)
def test_a_silence_that_says_nothing_is_refused(service: Any, wrong: dict[str, Any]) -> None:
    assert service.client.post("/v1/silences", json=asked(service) | wrong).status_code == 422


def test_who_has_some_models_alone_sees_and_silences_these(service: Any) -> None:
    other = service.key("read", "operate", kind="person", models=frozenset({"other"}))
    made = service.client.post("/v1/silences", json=asked(service)).json()
    assert service.client.get("/v1/silences", headers=other).json()["silences"] == []
    assert service.client.post(f"/v1/silences/{made['id']}/end", headers=other).status_code == 404
    for matchers in ({"model": "churn"}, {"kind": "drift"}):
        answer = service.client.post("/v1/silences", json=asked(service, matchers=matchers), headers=other)
        assert answer.status_code == 403


@pytest.mark.parametrize(("hours_ahead", "planned"), [(30, True), (3, False)])
def test_a_maintenance_window_is_planned_where_another_approved_it_early(
    service: Any, hours_ahead: int, planned: bool
) -> None:
    starts = rfc3339(service.clock() + timedelta(hours=hours_ahead))
    made = service.client.post("/v1/maintenance-windows", json=asked(service, 40, starts_at=starts)).json()
    path = f"/v1/maintenance-windows/{made['id']}/approve"
    assert service.client.post(path).status_code == 403       # who asked for it
    other = service.key("operate", kind="person")
    approved = service.client.post(path, headers=other).json()
    assert (approved["approved_by"], approved["planned"]) == ("tester", planned)
    assert service.client.post(path, headers=other).status_code == 409
    assert service.client.get("/v1/silences").json()["silences"] == []


def test_texts_that_no_database_stores_are_no_fault(service: Any) -> None:
    assert service.client.post("/v1/silences", json=asked(service, why="a\0b")).json()["why"] == "ab"
    assert service.client.post("/v1/silences", json=asked(service, matchers={"model": "\0"})).status_code == 422
    assert service.client.post("/v1/silences/a%00b/end").status_code == 422
    far = asked(service, starts_at="9999-12-30T00:00:00Z", ends_at="9999-12-31T00:00:00Z")
    assert service.client.post("/v1/silences", json=far).status_code == 201
