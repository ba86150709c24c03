"""An incident over HTTP, from the breach that opens it to its closing; and who may do what to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


@pytest.fixture
def opened(service: Any) -> str:
    """The id of an open incident: two days in which every plan is one that the reference does not know."""
    service.reference()
    service.fold()
    for day in range(1, 4):
        at = datetime(2026, 7, day, tzinfo=UTC)
        service.clock.at = at + timedelta(days=1)
        rows = [
            service.prediction(i, prediction_id=f"d{day}-{i}", timestamp=(at + timedelta(minutes=5 * i)).isoformat(),
                               features={"age": 20 + i % 50, "plan": "zz"})
            for i in range(200)
        ]  # fmt: skip
        service.post("predictions", rows)
        service.fold()
    service.clock.move(hours=1)
    service.app.worker.tick("churn")
    found = service.client.get("/v1/incidents?state=open").json()["incidents"]
    quality = [i for i in found if "quality" in i["fingerprint"]]
    assert len(quality) == 1, found
    return str(quality[0]["id"])


def do(service: Any, incident: str, verb: str, body: Any = None, **headers: str) -> Any:
    return service.client.post(f"/v1/incidents/{incident}/{verb}", json=body, headers=headers or None)


def test_a_machine_may_not_do_what_a_person_answers_for(service: Any, problem: Any, opened: str) -> None:
    machine = service.key("operate")
    for verb, body in (
        ("acknowledge", None), ("resolve", None), ("close", None), ("dispose", {"disposition": "true"}),
    ):  # fmt: skip
        said = problem(do(service, opened, verb, body, **machine), 403, "forbidden")
        assert "person" in said["detail"]
    administrator = {"authorization": service.keys["admin"]}
    problem(do(service, opened, "acknowledge", **administrator), 403, "forbidden")
    assert do(service, opened, "comment", {"text": "seen by a robot"}, **machine).json()["changed"] is True
    assert do(service, opened, "assign", {"to": "ben"}, **machine).json()["changed"] is True
    kinds = [e["kind"] for e in service.client.get(f"/v1/incidents/{opened}/events").json()["events"]]
    assert "acknowledged" not in kinds
    assert kinds[-2:] == ["commented", "assigned"]


@pytest.mark.both_databases
def test_a_person_takes_it_from_open_to_closed_and_every_repeat_says_that_it_did_nothing(
    service: Any, opened: str
) -> None:
    person = service.key("operate", kind="person")
    steps: list[tuple[str, Any, bool, str]] = [
        ("close", None, False, "not_resolved"),
        ("acknowledge", {"note": "mine"}, True, "done"),
        ("acknowledge", None, False, "already_acknowledged"),
        ("assign", {"to": "ben"}, True, "done"),
        ("assign", {"to": "ben"}, False, "already_assigned"),
        ("reopen", None, False, "already_open"),
        ("resolve", {"note": "upstream mended"}, True, "done"),
        ("resolve", None, False, "already_resolved"),
        ("acknowledge", None, False, "already_resolved"),
        ("reopen", {"note": "too early"}, True, "done"),
        ("resolve", None, True, "done"),
        ("close", None, False, "needs_disposition"),
        ("dispose", {"disposition": "true"}, True, "done"),
        ("close", None, False, "needs_root_cause"),
        ("dispose", {"disposition": "true", "root_cause": "a new plan was sold"}, True, "done"),
        ("dispose", {"disposition": "true", "root_cause": "a new plan was sold"}, False, "already_disposed"),
        ("close", None, True, "done"),
        ("close", None, False, "already_closed"),
        ("resolve", None, False, "already_closed"),
    ]
    for verb, body, changed, reason in steps:
        before = service.client.get(f"/v1/incidents/{opened}/events").json()["events"]
        service.clock.move(minutes=1)
        answer = do(service, opened, verb, body, **person)
        assert answer.status_code == 200, f"{verb}: {answer.text}"
        said = answer.json()
        assert (said["changed"], said["reason"]) == (changed, reason), verb
        after = service.client.get(f"/v1/incidents/{opened}/events").json()["events"]
        assert len(after) - len(before) == int(changed), f"{verb} must be one event, or none"
        if changed:
            assert after[-1]["actor"] == {"id": "tester", "kind": "person"}
    shown = service.client.get(f"/v1/incidents/{opened}").json()
    assert (shown["state"], shown["assignee"], shown["root_cause"]) == ("closed", "ben", "a new plan was sold")
    assert shown["causes"][0]["name"] == "plan"


@pytest.mark.both_databases
def test_incidents_are_found_by_state_model_and_severity(service: Any, opened: str) -> None:
    def found(query: str) -> list[str]:
        return [i["id"] for i in service.client.get(f"/v1/incidents?{query}").json()["incidents"]]

    everything = found("")
    assert opened in everything
    assert found("state=live") == found("state=open") == everything
    assert found("state=closed") == []
    assert found("model=churn") == everything
    assert sorted(i for s in ("info", "warning", "critical") for i in found(f"severity={s}")) == sorted(everything)
    assert [i for n in range(len(everything)) for i in found(f"limit=1&offset={n}")] == everything


def test_a_key_for_another_model_sees_none_of_it_and_its_pages_are_whole(
    service: Any, problem: Any, opened: str
) -> None:
    service.declare(model="other")
    other = service.key("read", "operate", kind="person", models=frozenset({"other"}))
    assert service.client.get("/v1/incidents?limit=1", headers=other).json() == {"incidents": []}
    problem(service.client.get(f"/v1/incidents/{opened}", headers=other), 403, "forbidden")
    problem(service.client.get(f"/v1/incidents/{opened}/events", headers=other), 403, "forbidden")
    problem(do(service, opened, "acknowledge", **other), 403, "forbidden")
    mine = service.key("read", models=frozenset({"churn", "other"}))
    every = service.client.get("/v1/incidents").json()["incidents"]
    assert service.client.get("/v1/incidents", headers=mine).json()["incidents"] == every


@pytest.mark.parametrize(
    ("verb", "body"),
    [("comment", {}), ("comment", {"text": ""}), ("comment", {"text": "x" * 4001}), ("assign", {"to": 7}),
     ("dispose", {"disposition": "perhaps"}), ("acknowledge", {"notes": "x"}), ("acknowledge", ["x"])],
)  # fmt: skip
def test_a_wrong_body(service: Any, problem: Any, verb: str, body: Any) -> None:
    assert problem(do(service, "inc_1", verb, body), 422, "invalid-input")["errors"]


def test_broken_json_and_an_unknown_incident(service: Any, problem: Any) -> None:
    headers = {"content-type": "application/json"}
    for verb in ("acknowledge", "comment"):
        answer = service.client.post(f"/v1/incidents/inc_1/{verb}", content=b'{"text": ', headers=headers)
        problem(answer, 400, "malformed-body")
    for call in (
        service.client.get("/v1/incidents/inc_1"),
        service.client.get("/v1/incidents/inc_1/events"),
        do(service, "inc_1", "acknowledge"),
        service.client.get("/v1/incidents?model=chrun"),
    ):
        problem(call, 404, "not-found")


@pytest.mark.both_databases
def test_a_command_that_was_logged_before_a_kill_is_carried_out_once(service: Any, opened: str) -> None:
    from monitor.log.port import Command
    from monitor.times import to_micros

    state = service.app.model_state("churn")
    body = {"kind": "comment", "text": "said before the kill"}
    from incidents.commands import Comment, command_to_json

    body = command_to_json(Comment("said before the kill"))
    at = to_micros(service.clock())
    actor = {"id": "ana", "kind": "person"}
    service.app.log.append_command(Command("churn", state.cursor, state.tick_cursor, at, actor, opened, body))
    for _ in range(3):
        service.fold()
    events = service.client.get(f"/v1/incidents/{opened}/events").json()["events"]
    assert [e["kind"] for e in events].count("commented") == 1
