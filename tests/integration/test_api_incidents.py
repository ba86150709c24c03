"""An incident over HTTP, from the breach that opens it to its closing; and who may do what to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

PLANNED = {"what": "alert on unknown plans", "owner": "ben", "due_at": "2026-08-01", "check_at": "2026-09-01"}


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
        ("close", None, False, "needs_corrective_action"),
        ("actions", PLANNED, True, "done"),
        ("actions", PLANNED, False, "already_recorded"),
        ("close", None, True, "done"),
        ("close", None, False, "already_closed"),
        ("actions/1/check", {"effective": True}, False, "not_completed"),
        ("actions/1/complete", {"note": "the alert is live"}, True, "done"),
        ("actions/1/check", {"effective": True}, True, "done"),
        ("actions/2/complete", None, False, "no_such_action"),
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
    assert service.client.get("/v1/incidents?limit=1", headers=other).json() == {"incidents": [], "after": None}
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


def test_a_note_is_measured_as_it_was_sent_and_kept_without_the_space_around_it(service: Any, problem: Any) -> None:
    """As the document says it: a schema knows no text that is shortened first."""
    url = "/v1/incidents/inc_none/close"
    said = problem(service.client.post(url, json={"note": "a" + 4_000 * " "}), 422, "invalid-input")
    assert "note" in str(said)
    assert service.client.post(url, json={"note": "  a  "}).status_code == 404
    for blank in ("", " \x1f\x85 "):
        problem(service.client.post("/v1/incidents/inc_none/comment", json={"text": blank}), 422, "invalid-input")


def test_what_a_second_person_has_to_approve_waits_for_one_who_may(service: Any, problem: Any, opened: str) -> None:
    ana = service.key("operate", "approve", kind="person")
    ben = _key_of(service, "ben", "operate", "approve")
    cyd = _key_of(service, "cyd", "operate")
    do(service, opened, "resolve", **ana)
    false = {"disposition": "false_positive", "root_cause": "a test sent it"}
    said = do(service, opened, "dispose", false, **ana).json()
    assert (said["changed"], said["reason"]) == (True, "awaits_second_person")
    assert said["incident"]["disposition"] is None
    assert do(service, opened, "approve", {"number": 1}, **ana).json()["reason"] == "needs_second_person"
    problem(do(service, opened, "approve", {"number": 1}, **cyd), 403, "forbidden")
    assert do(service, opened, "approve", {"number": 2}, **ben).json()["reason"] == "no_such_proposal"
    said = do(service, opened, "approve", {"number": 1, "note": "I looked"}, **ben).json()
    assert (said["reason"], said["incident"]["disposition"]) == ("done", "false_positive")
    assert said["incident"]["signed_by"] == "ben"
    assert do(service, opened, "decline", {"number": 1}, **cyd).json()["reason"] == "already_decided"


def test_a_serious_candidate_runs_the_clocks_that_a_person_picks(service: Any, problem: Any, opened: str) -> None:
    ana = service.key("operate", kind="person")
    aware = {"aware_at": service.clock().isoformat()}
    mark = {"regimes": ["gdpr"], "category": "other"} | aware
    problem(do(service, opened, "serious", mark | {"regimes": ["none"]}, **ana), 422, "invalid-input")
    problem(do(service, opened, "serious", mark, **service.key("operate")), 403, "forbidden")
    assert do(service, opened, "serious", mark, **ana).json()["incident"]["serious"]["steps"][0]["seconds"] == 72 * 3600
    assert do(service, opened, "serious", mark, **ana).json()["reason"] == "already_serious"
    filed = {"regime": "gdpr", "deadline": "notification", "at": service.clock().isoformat(), "reference": "A-1"}
    assert do(service, opened, "report", filed | {"deadline": "other"}, **ana).json()["reason"] == "no_such_deadline"
    assert do(service, opened, "report", filed, **ana).json()["changed"] is True
    said = do(service, opened, "clear-serious", {"why": "a load test"}, **ana).json()
    assert said["reason"] == "awaits_second_person"


def test_corrective_actions_are_listed_by_what_is_due(service: Any, opened: str) -> None:
    ana = service.key("operate", "read", kind="person")
    later = PLANNED | {"what": "retrain", "due_at": "2026-08-15"}
    for body in (later, PLANNED):
        assert do(service, opened, "actions", body, **ana).json()["changed"] is True

    def listed(query: str = "", **headers: str) -> list[tuple[str, str, bool]]:
        found = service.client.get(f"/v1/corrective-actions?{query}", headers=headers or None).json()["actions"]
        return [(a["what"], a["state"], a["overdue"]) for a in found]

    assert listed() == [("alert on unknown plans", "planned", False), ("retrain", "planned", False)]
    assert listed("state=overdue") == listed("owner=nobody") == []
    do(service, opened, "actions/1/complete", **ana)
    service.clock.at = datetime(2026, 8, 2, tzinfo=UTC)
    assert listed("state=overdue") == [("alert on unknown plans", "planned", True)]
    assert listed("state=open")[1] == ("retrain", "to_check", False)
    do(service, opened, "actions/1/check", {"effective": False}, **ana)
    assert listed("state=done") == [("retrain", "not_effective", False)]
    service.declare(model="other")
    assert listed(**service.key("read", models=frozenset({"other"}))) == []


def test_a_merge_ends_one_and_goes_on_in_the_other(service: Any, opened: str) -> None:
    ana = service.key("operate", kind="person")
    others = [i["id"] for i in service.client.get("/v1/incidents?state=live").json()["incidents"] if i["id"] != opened]
    assert do(service, opened, "merge", {"into": "inc_none"}, **ana).json()["reason"] == "no_such_incident"
    assert do(service, opened, "merge", {"into": opened}, **ana).json()["reason"] == "not_mergeable"
    if others:
        said = do(service, opened, "merge", {"into": others[0]}, **ana).json()
        assert (said["reason"], said["incident"]["merged_into"]) == ("done", others[0])
        took = service.client.get(f"/v1/incidents/{others[0]}").json()
        assert took["merged_from"] == [opened]


def _key_of(service: Any, owner: str, *scopes: str) -> dict[str, str]:
    return {"authorization": f"Bearer {service.app.keys.create(owner, 'person', frozenset(scopes))}"}
