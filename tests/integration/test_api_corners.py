"""Corners that a second pair of eyes found: each was wrong once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from monitor.store import tables

DAY = "2026-07-{:02}T00:00:00+00:00"


def windows(vigil: Any, family: str = "drift") -> list[Any]:
    query = select(tables.windows).where(tables.windows.c.family.startswith(family)).order_by(tables.windows.c.start)
    with vigil.state.connect() as db:
        return list(db.execute(query).all())


def verdicts(vigil: Any, metric: str) -> list[str]:
    query = select(tables.verdicts.c.verdict).join(tables.points, tables.points.c.id == tables.verdicts.c.point)
    with vigil.state.connect() as db:
        return list(db.execute(query.where(tables.points.c.metric == metric).order_by(tables.points.c.id)).scalars())


@pytest.mark.parametrize("path", ["/v1/incidents/inc_1/acknowledge", "/sign-in", "/v1/kpis"])
def test_a_large_body_is_refused_before_anybody_asks_for_a_key(client: Any, problem: Any, path: str) -> None:
    answer = client.post(path, content=b" " * (2**20 + 1), headers={"authorization": ""})
    problem(answer, 413, "too-large")

    def endless() -> Any:
        for _ in range(64):
            yield b" " * 2**16

    form = {"authorization": "", "content-type": "application/x-www-form-urlencoded"}
    assert 400 <= client.post(path, content=endless(), headers=form).status_code < 500


def test_a_bad_key_beside_a_token_is_a_reject_and_fails_nobody(service: Any) -> None:
    service.reference()
    body = b'[{"prediction_id": "p0", "\\ud800k": NaN}, '
    row = service.prediction(1)
    answer = service.post("predictions", body + json.dumps(row).encode() + b"]")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    (told,) = service.client.get("/v1/models/churn/rejects").json()["rejects"]
    assert told["field"].startswith("\\ud800k")


def test_the_same_reference_again_is_none_whatever_ids_it_is_given(service: Any, vigil: Any) -> None:
    rows = [service.prediction(i, prediction_id=..., timestamp=DAY.format(1), actual_label=i % 2) for i in range(50)]
    service.post("reference", rows)
    service.fold()
    first = vigil.model_state("churn").reference_seq
    service.post("reference", rows)
    service.fold()
    assert vigil.model_state("churn").reference_seq == first
    service.post("reference", rows[1:])
    service.fold()
    assert vigil.model_state("churn").reference_seq > first


def test_a_score_is_the_probability_of_one_label_for_good(service: Any, problem: Any) -> None:
    body = problem(service.declare(positive_label=0), 409, "conflict")
    assert "positive_label" in body["detail"]


@pytest.mark.parametrize(
    ("act", "body"),
    [("comment", {"text": "  "}), ("assign", {"to": " "}), ("dispose", {"disposition": "true", "root_cause": " "})],
)
def test_blanks_are_no_text(client: Any, problem: Any, act: str, body: dict[str, str]) -> None:
    problem(client.post(f"/v1/incidents/inc_1/{act}", json=body), 422, "invalid-input")


def test_label_coverage_is_not_judged_before_outcomes_are_due(service: Any, vigil: Any) -> None:
    watch = {"metric": "label_coverage", "window": "1d", "breach": {"below": 0.8}, "min_samples": 1}
    service.declare(grain="1d", label_delay="30d", windows={"performance": "1d"}, monitors=[watch])
    service.reference()
    service.post("predictions", [service.prediction(i) for i in range(40)])
    service.clock.move(days=2)
    service.fold()
    vigil.worker.tick("churn")
    assert set(verdicts(vigil, "label_coverage")) == {"unknown"}
    service.clock.move(days=31)
    vigil.worker.tick("churn")
    assert "breach" in verdicts(vigil, "label_coverage")


def test_rows_of_windows_that_were_passed_over_are_measured_when_they_come(service: Any, vigil: Any) -> None:
    service.declare(grain="1d", windows={"drift": "1d", "performance": "1d", "fairness": "1d"})
    service.reference()
    service.post("predictions", [service.prediction(0, timestamp=DAY.format(1))])
    service.fold()
    service.clock.move(days=25)
    vigil.worker.tick("churn")
    late = [service.prediction(i, timestamp=DAY.format(15)) for i in range(1, 30)]
    assert DAY.format(15)[:10] not in {str(w.start) for w in windows(vigil)}
    before = len(windows(vigil))
    service.post("predictions", late)
    service.fold()
    assert len(windows(vigil)) > before
    points = service.client.get("/v1/models/churn/points", params={"metric": "row_count"}).json()["points"]
    assert {p["window"]["start"][:10]: p["value"] for p in points}["2026-07-15"] == 29.0


def test_a_window_length_that_is_declared_no_more_asks_for_no_more_ticks(service: Any, vigil: Any) -> None:
    service.declare(grain="1d", label_delay="20d", windows={"performance": "1d", "fairness": "1d"})
    service.reference()
    service.post("predictions", [service.prediction(i) for i in range(10)])
    service.clock.move(days=2)
    service.fold()
    vigil.worker.tick("churn")
    service.declare(grain="1d", label_delay="20d", windows={"performance": "2d", "fairness": "2d"})
    service.reference(n=150)
    service.clock.move(days=30)
    service.fold()
    while vigil.worker.tick("churn"):
        service.clock.move(hours=2)
    ticks = len(vigil.log.ticks("churn"))
    service.clock.move(seconds=10)
    assert not vigil.worker.tick("churn")
    assert len(vigil.log.ticks("churn")) == ticks


@pytest.mark.parametrize("path", ["/v1/models/churn", "/v1/models/churn/erasures"])
def test_a_path_names_all_the_methods_that_it_takes_on_whichever_routes(service: Any, problem: Any, path: str) -> None:
    answer = service.client.delete(path)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == ("GET, PUT" if path.endswith("churn") else "GET, POST")


@pytest.mark.parametrize("written", ["0", "0.5", "1467331200", "-1e9", "٢٠٢٦-07-01"])
def test_a_bare_number_is_no_instant(service: Any, problem: Any, written: str) -> None:
    for question, other in (("points", {}), ("report", {"to": "2026-07-02"})):
        answer = service.client.get(f"/v1/models/churn/{question}", params={"from": written} | other)
        said = problem(answer, 422, "invalid-input")
        assert [fault["field"] for fault in said["errors"]] == ["from"]


@pytest.mark.parametrize("blank", ["", " \t", "\x1d", "\x85", "\u2003"])
def test_a_blank_text_is_not_valid_whatever_space_it_is_of(service: Any, problem: Any, blank: str) -> None:
    for path, body in (
        ("models/churn/erasures", {"subject_key": "s", "reason": blank}),
        ("incidents/inc_1/assign", {"to": blank}),
        ("incidents/inc_1/comment", {"text": blank}),
        ("incidents/inc_1/dispose", {"disposition": "true", "root_cause": blank}),
    ):
        said = problem(service.client.post(f"/v1/{path}", json=body), 422, "invalid-input")
        assert [fault["field"] for fault in said["errors"]] == [list(body)[-1]]
