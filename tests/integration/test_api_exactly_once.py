"""Each prediction and outcome counts once, in whatever form, order and number of sendings it comes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import func, select

from monitor.store import tables

pytestmark = pytest.mark.both_databases

ARROW = "application/vnd.apache.arrow.stream"
EARLY, MIDDLE, LATE = (f"2026-07-01T0{hour}:00:00Z" for hour in (6, 7, 8))


def test_the_same_batch_as_rows_columns_and_arrow_counts_once(service: Any) -> None:
    service.reference()
    rows = [service.prediction(i) for i in range(40)]
    truth = [service.outcome(i) for i in range(40)]
    sent = [
        service.post("predictions", rows),
        service.post("predictions", service.column_form(rows)),
        service.post("predictions", service.arrow_bytes(rows), content_type=ARROW),
        service.post("predictions", rows[::-1]),
    ]
    told = [
        service.post("outcomes", truth),
        service.post("outcomes", service.column_form(truth)),
        service.post("outcomes", service.arrow_bytes(truth), content_type=ARROW),
    ]
    service.fold()
    assert service.counts() == {"predictions": 40, "outcomes": 40, "joined": 40, "duplicates": 120 + 80}
    assert [service.batch(a)["result"]["counts"].get("duplicates", 0) for a in sent] == [0, 40, 40, 40]
    assert [service.batch(a)["result"]["counts"].get("duplicates", 0) for a in told] == [0, 40, 40]
    report = service.report()
    assert report["row_count", "model"]["value"] == 40
    assert (report["accuracy", "model"]["value"], report["accuracy", "model"]["n"]) == (1.0, 40)


def test_a_row_twice_in_one_batch_counts_once(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(1), service.prediction(1), service.prediction(2)])
    service.post("outcomes", [service.outcome(1), service.outcome(1)])
    service.fold()
    assert service.counts() == {"predictions": 2, "outcomes": 1, "joined": 1, "duplicates": 2}


def test_what_is_no_content_makes_no_conflict(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(1, request_id="a", trace_id="b", latency_ms=3, status="200")])
    service.post("predictions", [service.prediction(1, request_id="c", latency_ms=9)])
    service.fold()
    assert service.counts() == {"predictions": 1, "duplicates": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction_score": 0.2}, {"features": {"age": 21.5, "plan": "b"}}, {"features": {"age": 21.0, "plan": "a"}},
        {"timestamp": "2026-07-01T00:02:00Z"}, {"role": "shadow"}, {"protected": {"sex": "m"}},
        {"tags": {"state": "NY"}}, {"prediction_label": "0"},
    ],
)  # fmt: skip
def test_other_content_under_one_identity_is_a_conflict_that_counts_nothing(
    service: Any, changes: dict[str, Any]
) -> None:
    service.reference()
    service.post("predictions", [service.prediction(1)])
    rows = [service.prediction(2), service.prediction(1, **changes), service.prediction(3)]
    second = service.post("predictions", rows)
    service.fold()
    assert service.counts() == {"predictions": 3, "conflicts": 1}
    batch = service.batch(second)
    assert batch["folded"] is True
    assert batch["result"]["counts"]["conflicts"] == 1
    assert batch["result"]["conflicts"] == [1], "the row's number in the request"
    assert service.report()["row_count", "model"]["value"] == 3


@pytest.mark.parametrize("order", list(itertools.permutations("poc")), ids="".join)
def test_prediction_outcome_and_correction_in_any_order(service: Any, order: tuple[str, ...]) -> None:
    rows = {
        "p": ("predictions", service.prediction(1, prediction_score=0.9)),
        "o": ("outcomes", service.outcome(1, actual_label=0, timestamp=EARLY)),
        "c": ("outcomes", service.outcome(1, actual_label=1, timestamp=LATE)),
    }
    service.reference()
    for name in order:
        kind, row = rows[name]
        service.post(kind, [row])
        service.fold()
    counts = service.counts()
    assert (counts["predictions"], counts["outcomes"], counts["joined"]) == (1, 1, 1)
    assert "orphans" not in counts
    accuracy = service.report()["accuracy", "model"]
    assert (accuracy["value"], accuracy["n"]) == (1.0, 1), "the last timestamp holds"


def test_an_older_outcome_is_superseded_and_another_at_the_same_instant_a_conflict(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(9)])
    for time, label in ((MIDDLE, 1), (EARLY, 0), (MIDDLE, 0)):
        last = service.post("outcomes", [service.outcome(9, actual_label=label, timestamp=time)])
    service.fold()
    expected = {"predictions": 1, "outcomes": 1, "joined": 1, "superseded": 1, "conflicts": 1}
    assert service.counts() == expected
    assert service.batch(last)["result"]["conflicts"] == [0]
    assert service.report()["accuracy", "model"]["value"] == 1.0


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
def test_an_outcome_said_again_later_outlives_what_was_said_in_between(service: Any, order: tuple[int, ...]) -> None:
    said = [(EARLY, 1), (MIDDLE, 0), (LATE, 1)]
    service.reference()
    service.post("predictions", [service.prediction(9)])
    for i in order:
        time, label = said[i]
        service.post("outcomes", [service.outcome(9, actual_label=label, timestamp=time)])
    service.fold()
    accuracy = service.report()["accuracy", "model"]
    assert (accuracy["value"], accuracy["n"]) == (1.0, 1)


def test_an_outcome_that_never_comes_leaves_coverage_open(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(i) for i in range(10)])
    service.post("outcomes", [service.outcome(i) for i in range(4)])
    service.fold()
    assert service.counts() == {"predictions": 10, "outcomes": 4, "joined": 4}
    coverage = service.report()["label_coverage", "model"]
    assert (coverage["value"], coverage["n"]) == (0.4, 10)


def test_orphans_are_counted_until_their_prediction_comes(service: Any) -> None:
    service.reference()
    service.post("outcomes", [service.outcome(i) for i in range(6)])
    service.post("outcomes", [service.outcome(0, actual_label=1, timestamp=LATE.replace("08", "11"))])
    service.fold()
    assert service.counts()["orphans"] == 6
    service.post("predictions", [service.prediction(i) for i in range(4)])
    service.fold()
    assert (service.counts()["orphans"], service.counts()["joined"]) == (2, 4)
    service.post("predictions", [service.prediction(i) for i in range(6)])
    service.fold()
    counts = service.counts()
    assert ("orphans" in counts, counts["joined"], counts["duplicates"]) == (False, 6, 4)
    assert service.report()["label_coverage", "model"]["value"] == 1.0


@pytest.mark.parametrize("order", ["cho", "och", "coh", "hoc"])
def test_an_outcome_joins_every_versions_prediction_of_its_id(service: Any, order: str) -> None:
    rows = {
        "c": ("predictions", [service.prediction(i) for i in range(10)]),
        "h": ("predictions", [service.prediction(i, model_version="v2", role="challenger", prediction_score=0.9)
                              for i in range(10)]),
        "o": ("outcomes", [service.outcome(i) for i in range(10)]),
    }  # fmt: skip
    service.reference()
    for name in order:
        service.post(*rows[name])
        service.fold()
    assert service.counts() == {"predictions": 20, "outcomes": 10, "joined": 20}
    report = service.report()
    assert report["row_count", "model"]["value"] == 10, "only the serving role is in the figures"
    assert (report["accuracy", "model"]["value"], report["accuracy", "model"]["n"]) == (1.0, 10)


def test_predictions_before_any_reference_are_folded_when_it_comes(service: Any) -> None:
    rows = [service.prediction(i) for i in range(20)]
    first = service.post("predictions", rows)
    told = service.post("outcomes", [service.outcome(i) for i in range(20)])
    assert service.batch(first)["folded"] is False, "not looked at yet"
    service.fold()
    assert service.counts() == {}
    waiting = service.batch(first)
    assert waiting["folded"] is False
    assert waiting["result"]["counts"] == {"waiting_for_reference": 20}
    reference = service.reference()
    service.fold()
    assert service.counts() == {"predictions": 20, "outcomes": 20, "joined": 20}
    assert [service.batch(a)["folded"] for a in (first, told, reference)] == [True, True, True]
    assert service.report()["accuracy", "model"]["value"] == 1.0


def test_a_second_reference_folds_all_anew_and_the_same_one_again_does_nothing(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(i) for i in range(50)])
    service.post("predictions", [service.prediction(i) for i in range(10)])
    service.post("outcomes", [service.outcome(i) for i in range(50)])
    service.fold()
    before, counts = service.report(), service.counts()
    service.reference()
    service.fold()
    assert service.report() == before
    assert service.counts() == counts
    rows = [service.prediction(i, prediction_id=f"n{i}", features={"age": 80, "plan": "z"}) for i in range(60)]
    service.post("reference", rows)
    service.fold()
    assert service.counts() == counts
    after = service.report()
    assert after["row_count", "model"]["value"] == 50
    assert after["unseen_category_rate", "plan"]["value"] == 1.0
    assert before["unseen_category_rate", "plan"]["value"] == 0.0
    assert after["accuracy", "model"]["value"] == before["accuracy", "model"]["value"]


def test_late_rows_amend_a_closed_window_by_a_new_revision(service: Any) -> None:
    service.reference()
    service.fold()
    service.post("predictions", [service.prediction(i) for i in range(100)])
    service.fold()
    service.clock.move(days=1)
    assert service.app.worker.tick("churn") is True
    query = {"metric": "row_count", "revisions": True}

    def revisions() -> list[tuple[int, float]]:
        found = service.client.get("/v1/models/churn/points", params=query).json()["points"]
        day = [p for p in found if p["window"]["start"] == "2026-07-01T00:00:00Z"]
        return [(p["revision"], p["value"]) for p in day]

    assert revisions() == [(1, 100.0)]
    late = service.post("predictions", [service.prediction(i) for i in range(90, 130)])
    service.fold()
    assert service.batch(late)["result"]["counts"] == {"predictions": 30, "duplicates": 10, "late": 30}
    service.clock.move(hours=2)
    service.app.worker.tick("churn")
    assert revisions() == [(1, 100.0), (2, 130.0)]
    service.post("predictions", [service.prediction(5)])
    service.fold()
    service.clock.move(hours=2)
    service.app.worker.tick("churn")
    assert revisions() == [(1, 100.0), (2, 130.0)], "a duplicate amends nothing"
    latest = service.client.get("/v1/models/churn/points", params={"metric": "row_count"}).json()["points"]
    assert [p["revision"] for p in latest if p["window"]["start"] == "2026-07-01T00:00:00Z"] == [2]


def test_an_idempotency_key_names_a_batch(service: Any) -> None:
    service.reference()
    key = {"idempotency-key": "batch-1"}
    rows = [service.prediction(1, undeclared=5), service.prediction(2), {"prediction_id": "bad"}]
    first = service.post("predictions", rows, headers=key).json()
    assert (first["accepted"], first["rejected"], first["notes"]) == (2, 1, {"undeclared": {"undeclared": 1}})
    again = service.post("predictions", rows, headers=key)
    assert (again.status_code, again.json()) == (202, first | {"repeated": True})
    other = service.post("outcomes", [service.outcome(1)], headers=key).json()
    assert other["batch_id"] != first["batch_id"], "a key is of one model and one kind"
    service.fold()
    assert service.counts() == {"predictions": 2, "outcomes": 1, "joined": 1}
    assert len(service.client.get("/v1/models/churn/rejects").json()["rejects"]) == 1
    assert service.client.get(f"/v1/batches/{first['batch_id']}").json()["notes"] == first["notes"]


def test_a_repeated_key_gets_its_answer_even_where_the_batch_would_not_be_taken_now(service: Any) -> None:
    key = {"idempotency-key": "k"}
    first = service.post("predictions", [service.prediction(1)], headers=key).json()
    assert service.post("predictions", b"[broken", headers=key).json() == first | {"repeated": True}


@pytest.mark.parametrize("key", ["", "x" * 129])
def test_an_idempotency_key_of_no_use(service: Any, problem: Any, key: str) -> None:
    answer = service.post("predictions", [service.prediction()], headers={"idempotency-key": key})
    problem(answer, 422, "invalid-input")


def test_a_batch_that_is_not_there(service: Any, problem: Any) -> None:
    problem(service.client.get("/v1/batches/b_none"), 404, "not-found")


def test_rows_without_an_id_are_named_by_their_batch(service: Any) -> None:
    service.reference()
    rows = [service.prediction(i, prediction_id=...) for i in range(3)]
    batch = service.post("predictions", rows).json()["batch_id"]
    service.post("outcomes", [service.outcome(0, prediction_id=f"{batch}/{i}") for i in range(3)])
    service.fold()
    assert service.counts() == {"predictions": 3, "outcomes": 3, "joined": 3}


def test_a_row_of_long_ago_does_not_bring_all_the_windows_since(service: Any, vigil: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(1, timestamp="1971-01-01T00:00:00Z"), service.prediction(2)])
    service.fold()
    with vigil.state.connect() as db:
        windows = db.execute(select(func.count()).select_from(tables.windows)).scalar_one()
    assert service.counts()["predictions"] == 2
    assert windows < 100


def test_rows_that_come_while_nothing_could_be_read_ahead_do_not_wait(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.reference()
    service.fold()
    monkeypatch.setattr(service.app.worker.ahead, "take", lambda model, after: [])       # read before they came
    service.post("predictions", [service.prediction(i) for i in range(3)])
    assert service.app.worker.step("churn") == 3
