"""KPIs and the pack over HTTP: from posted rows and people's work to figures that are stored and served again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents.care import PlanAction, Retest
from incidents.commands import Clock, Command, Open, Recover, command_to_json
from incidents.events import Actor, ActorKind
from incidents.machine import decide
from incidents.notices import Origin
from incidents.verdict import Fingerprint, Kind, Limit, Severity
from monitor.database import writing
from monitor.store import incidents, models

pytestmark = pytest.mark.both_databases

RULE = Actor("vigil", ActorKind.RULE)
LIMIT = Limit("demographic_parity_ratio", "attribute=sex", low=0.8)
PACK = "/v1/exports/management-review"


def by_rule(service: Any, fingerprint: Fingerprint, command: Command) -> str:
    """What the judge does in the worker's transaction, at the time of the test's clock."""
    with writing(service.app.state) as db:
        state = models.load(db, fingerprint.model)
        before = incidents.latest(db, fingerprint)
        decision = decide(before, command, RULE, service.clock())
        after = incidents.record(db, state.id, before, decision.events, Origin("tick", state.tick_cursor))
    return str(after.id)


def opened(service: Any, kind: Kind = Kind.FAIRNESS, clock: Clock = Clock.WALL) -> str:
    fingerprint = Fingerprint("churn", kind)
    began, limits = service.clock() - timedelta(days=2), (LIMIT,) if kind is Kind.FAIRNESS else ()
    command = Open(fingerprint, Severity.WARNING, f"{kind}", began, clock=clock, limits=limits)
    return by_rule(service, fingerprint, command)


def person(service: Any, incident: str, verb: str, **body: Any) -> None:
    answer = service.client.post(f"/v1/incidents/{incident}/{verb}", json=body)
    assert answer.json()["changed"], answer.text


def kpis(service: Any, **query: str) -> dict[str, dict[str, Any]]:
    answer = service.client.get("/v1/kpis", params={"period": "2026-Q3"} | query)
    assert answer.status_code == 200, answer.text
    return {k["id"]: k for k in answer.json()["kpis"]}


def part(kpi: dict[str, Any], id_: str) -> dict[str, Any]:
    return next(p for p in kpi["parts"] if p["id"] == id_)


def export(service: Any, **query: Any) -> Any:
    answer = service.client.get(PACK, params={"period": "2026-Q3"} | query)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture
def worked(service: Any) -> Any:
    """A fortnight of a model: 400 predictions with outcomes, and a bias incident from opening to closing."""
    service.reference()
    rows = [service.prediction(n, timestamp=f"2026-07-06T{n % 24:02}:00:00Z") for n in range(400)]
    late = {"timestamp": "2026-07-20T00:00:00Z"}
    service.clock.at = datetime(2026, 7, 7, tzinfo=UTC)
    service.post("predictions", [*rows, service.prediction(900, prediction_score=7)])
    service.fold()
    service.clock.at = datetime(2026, 7, 20, tzinfo=UTC)
    service.post("outcomes", [service.outcome(n, **late) for n in range(400)])
    service.fold()
    service.app.worker.tick("churn")
    incident = opened(service)
    service.clock.move(hours=3)
    person(service, incident, "acknowledge")
    service.clock.move(days=4)
    clean = service.clock() - timedelta(days=1)
    passed = Retest(LIMIT.metric, LIMIT.scope, clean - timedelta(days=1), clean, 0.9, 0.85, 0.95, 400)
    by_rule(service, Fingerprint("churn", Kind.FAIRNESS), Recover(clean, retests=(passed,)))
    person(service, incident, "resolve")
    service.clock.move(days=1)
    person(service, incident, "dispose", disposition="true", root_cause="a skewed campaign")
    planned = PlanAction("widen the campaign", "ana", service.clock(), service.clock())
    ana = Actor("ana", ActorKind.PERSON)
    service.app.worker.command("churn", incident, command_to_json(planned), ana)
    person(service, incident, "close")
    service.clock.move(hours=1)
    service.incident = incident
    return service


def test_kpis_follow_a_bias_incident_from_opening_to_closing(worked: Any) -> None:
    found = kpis(worked)
    assert found["bias_findings_closed"]["value"] == 1
    assert found["bias_findings_closed"]["records"] == [worked.incident]
    assert found["bias_closure_time"]["value"] == (5 * 24 + 3) * 3_600
    assert found["incident_response_time"]["value"] == 3 * 3_600
    assert found["mttr"]["value"] == (4 * 24 + 3) * 3_600
    assert found["mttd"]["value"] == 2 * 86_400
    assert found["time_to_recover"]["value"] == (2 + 3) * 86_400 + 3 * 3_600
    assert part(found["bias_incident_rate"], "per_million")["denominator"] == 400
    assert part(found["bias_incident_rate"], "per_million")["value"] == 2_500
    testing = found["bias_testing_frequency"]       # weeks from Monday 6 July: that of the 6th, and two without rows
    assert (testing["denominator"], testing["numerator"]) == (2, 1)
    assert testing["records"] == ["churn/sex/2026-07-06", "churn/sex/2026-07-13"]
    assert found["monitoring_coverage"]["value"] == 0           # nothing was predicted for days
    assert found["noise"]["numerator"] == 0


def test_a_period_names_itself_and_says_how_far_it_is_over(worked: Any) -> None:
    asked = worked.client.get("/v1/kpis", params={"period": "2026-07-01/2026-10-01", "model": "churn"}).json()
    assert (asked["period"]["name"], asked["period"]["over"]) == ("2026-Q3", False)
    assert asked["period"]["figures_until"] == "2026-07-25T04:00:00Z"
    assert worked.client.get("/v1/kpis").json()["period"]["name"] == "2026-Q3"      # the current one


def test_incidents_of_a_replay_stay_out_unless_asked_for(worked: Any) -> None:
    replayed = opened(worked, Kind.DRIFT, Clock.EVENT)
    worked.clock.move(hours=1)
    wall = part(kpis(worked)["drift_alerts_handled"], "opened")
    assert (wall["value"], wall["excluded"]) == (0, {"clock_event": 1})
    assert part(kpis(worked, clock="all")["drift_alerts_handled"], "opened")["records"] == [replayed]


def test_an_export_is_stored_and_served_again_byte_for_byte(worked: Any) -> None:
    worked.clock.at = datetime(2026, 10, 5, tzinfo=UTC)
    first = {form: export(worked, format=form) for form in ("json", "html")}
    worked.clock.move(days=30)
    for form, answer in first.items():
        again = export(worked, format=form)
        assert again.content == answer.content
        assert again.headers["etag"] == answer.headers["etag"]
    pack = first["json"].json()
    assert pack["generated"]["revision"] == 1
    assert pack["generated"]["by"] == "ana"
    assert pack["generated"]["at"] == "2026-10-05T00:00:00Z"
    text = json.dumps(pack["figures"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == pack["generated"]["figures_hash"]
    assert pack["generated"]["figures_hash"] in first["html"].text


def test_late_facts_make_a_new_revision_and_the_old_one_stays(worked: Any) -> None:
    worked.clock.at = datetime(2026, 10, 5, tzinfo=UTC)
    first = export(worked)
    worked.post("predictions", [worked.prediction(500, timestamp="2026-07-08T00:00:00Z")])
    worked.fold()
    second = export(worked)
    assert second.json()["generated"]["revision"] == 2
    gap = second.json()["figures"]["data_gaps"][0]
    assert (gap["predictions"], gap["without_outcome"]) == (401, 1)
    assert export(worked, revision=1).content == first.content
    assert export(worked, revision=2, format="html").headers["etag"] == second.headers["etag"]
    assert export(worked).content == second.content


def test_the_pack_says_what_the_records_say(worked: Any) -> None:
    worked.declare(owner="risk")
    worked.clock.at = datetime(2026, 10, 5, tzinfo=UTC)
    figures = export(worked).json()["figures"]
    scope = figures["scope"]
    assert [(m["model"], m["covered"], m["owner"], m["predictions"]) for m in scope] == [("churn", True, "risk", 400)]
    made = [(c["version"], c["changed"], c["by"]) for c in figures["changes"]]
    assert made == [(1, [], "ana"), (2, ["owner"], "ana")]
    told = figures["incidents"][0]
    assert (told["id"], told["root_cause"], told["bias_finding"]) == (worked.incident, "a skewed campaign", True)
    gap = figures["data_gaps"][0]
    assert (gap["rejected"], gap["reject_reasons"][0]["field"]) == (1, "prediction_score")
    assert {w["family"] for w in gap["windows"]} >= {"drift", "fairness"}
    assert [q["period"] for q in figures["kpis"][0]["trend"]] == ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3"]


def test_each_clock_has_its_own_pack(worked: Any) -> None:
    worked.clock.at = datetime(2026, 10, 5, tzinfo=UTC)
    wall, event = export(worked), export(worked, clock="event")
    assert event.json()["figures"]["clock"] == "event"
    assert event.json()["generated"]["revision"] == 1
    assert event.content != wall.content


def test_the_page_stands_alone(worked: Any) -> None:
    answer = export(worked, format="html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = answer.text.lower()
    assert "<script" not in page
    assert "src=" not in page
    assert "href=" not in page
    assert "url(" not in page
    assert "complian" not in page
    assert "the period is not over" in page


def test_who_may_ask(worked: Any, problem: Any) -> None:
    for name, kpi_status, pack_status in (("read", 200, 403), ("export", 403, 200), ("ingest", 403, 403)):
        headers = {"authorization": worked.keys[name]}
        assert worked.client.get("/v1/kpis", headers=headers).status_code == kpi_status
        assert worked.client.get(PACK, headers=headers).status_code == pack_status
    other = worked.key("read", "export", models=frozenset({"other"}))
    problem(worked.client.get("/v1/kpis", params={"model": "churn"}, headers=other), 403, "forbidden")
    problem(worked.client.get(PACK, headers=other), 403, "forbidden")
    seen = worked.client.get("/v1/kpis", params={"period": "2026-Q3"}, headers=other).json()["kpis"]
    assert not [r for k in seen for r in k["records"]]


def test_what_cannot_be_asked(worked: Any, problem: Any) -> None:
    body = problem(worked.client.get("/v1/kpis", params={"period": "soon"}), 422, "invalid-input")
    assert "2026-Q3" in body["mend"]
    problem(worked.client.get("/v1/kpis", params={"model": "nobody"}), 404, "not-found")
    problem(worked.client.get(PACK, params={"period": "2026-Q3", "revision": 9}), 404, "not-found")
    assert worked.client.get("/v1/kpis", params={"clock": "sand"}).status_code == 422
