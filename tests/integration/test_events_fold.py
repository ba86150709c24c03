"""Events of payload loggers in the fold: paired in any order, counted once, given up when they wait too long.

Their fixtures have the shape that KServe and MLServer send (``tests/support/events.py``).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from databases import Deployment
from events import (
    ASKED,
    BATCH,
    KSERVE,
    ROWS,
    SOURCES,
    STRUCTURED,
    TOLD,
    KServe,
    mlserver,
    send,
    send_json,
    v2_request,
    v2_response,
)
from state import EXACT, contents, differing

from monitor.app import App

ALL = (*EXACT, "models", "folded", "halves")


@pytest.fixture
def events(service: Any) -> Any:
    """The tiny model with sources and a reference, and a key for its logger."""
    assert service.declare(sources=SOURCES).status_code == 200
    assert service.reference().status_code == 202
    service.fold()
    return service


def taken(service: Any) -> dict[str, int]:
    """What became of the events and the predictions of them."""
    service.fold()
    named = ("events", "exchanges", "duplicate_events", "orphan_requests", "orphan_responses", "refused",
             "predictions", "duplicates", "conflicts")  # fmt: skip
    found = service.counts()
    return {name: found[name] for name in named if found.get(name)}


def rows_of(service: Any, table: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in contents(service.app.state, (table,))[table]]


@pytest.mark.parametrize("sent", [(ASKED, TOLD), (TOLD, ASKED)], ids=["in order", "swapped"])
def test_a_request_and_its_response_are_predictions_in_whatever_order_they_come(events: Any, sent: Any) -> None:
    answer = send(events, *sent).json()
    assert (answer["accepted"], answer["rejected"], answer["errors"]) == (1, 0, [])
    assert taken(events) == {"events": 2, "exchanges": 1, "predictions": 2}
    found = events.report()
    assert found["row_count", "model"]["value"] == 2
    told = events.client.get(f"/v1/batches/{answer['batches'][0]['batch_id']}").json()
    assert (told["kind"], told["accepted"], told["folded"]) == ("events", 1, True)


def test_both_halves_in_one_segment_and_in_two_folds_give_the_same(events: Any) -> None:
    send(events, TOLD)
    assert taken(events) == {"events": 1}
    send(events, ASKED)
    assert taken(events) == {"events": 2, "exchanges": 1, "predictions": 2}
    other = KSERVE.request("r-2", ROWS), KSERVE.response("r-2", [[0.2], [0.9]])
    send(events, *other)
    assert taken(events) == {"events": 4, "exchanges": 2, "predictions": 4}


def test_outcomes_find_the_rows_of_a_request_by_their_ids(events: Any) -> None:
    send(events, ASKED, TOLD)
    events.post("outcomes", [events.outcome(prediction_id=f"r-1/{row}") for row in (0, 1)])
    events.fold()
    assert events.counts()["joined"] == 2


def test_the_version_is_that_of_the_annotation_and_a_protected_attribute_leaves_the_features(events: Any) -> None:
    second = KServe(annotations={"model_version": "v2"})
    send(events, ASKED, TOLD, second.request("r-2", ROWS), second.response("r-2", [[0.1], [0.8]]))
    assert taken(events)["predictions"] == 4
    versions = {row["version"] for row in rows_of(events, "summaries") if row["kind"] == "predictions"}
    assert versions == {"v1", "v2"}
    assert events.client.get("/v1/models/churn").json()["features"] == {"age": "numeric", "plan": "categorical"}


def test_an_event_that_comes_again_is_a_duplicate_whether_its_other_half_is_there_or_not(events: Any) -> None:
    send(events, ASKED, ASKED)
    assert taken(events) == {"events": 2, "duplicate_events": 1}
    send(events, TOLD, TOLD, ASKED)
    assert taken(events) == {"events": 5, "duplicate_events": 3, "exchanges": 1, "predictions": 2}


def test_one_that_is_sent_whole_again_much_later_counts_once(events: Any) -> None:
    send(events, ASKED, TOLD)
    events.fold()
    events.clock.move(minutes=30)
    send(events, ASKED, TOLD)
    assert taken(events) == {"events": 4, "exchanges": 2, "predictions": 2, "duplicates": 2}


def test_a_half_that_stays_alone_is_an_orphan_by_the_arrival_of_later_data(events: Any) -> None:
    send(events, ASKED, KSERVE.response("r-9", [[0.5]]))
    events.fold()
    events.clock.move(minutes=9)
    send(events, KSERVE.request("r-3", ROWS))
    assert "orphan_requests" not in taken(events)
    events.clock.move(minutes=1)
    send(events, KSERVE.response("r-3", [[0.2], [0.9]]))
    assert taken(events) == {
        "events": 4, "exchanges": 1, "orphan_requests": 1, "orphan_responses": 1, "predictions": 2,
    }  # fmt: skip
    page = events.client.get("/metrics").text
    for side in ("request", "response"):
        assert f'vigil_events_orphaned_total{{model="churn",side="{side}"}} 1.0' in page


def test_a_half_that_stays_alone_is_an_orphan_by_a_tick_where_no_data_come(events: Any) -> None:
    send(events, ASKED)
    events.fold()
    events.clock.move(minutes=11)
    assert events.app.worker.tick("churn")
    assert taken(events) == {"events": 1, "orphan_requests": 1}
    assert not events.app.worker.tick("churn"), "nothing waits any more"


def test_seldon_s_events_of_0_3_have_a_family_of_their_own_and_no_time(events: Any) -> None:
    asked = v2_request("s-1", age=[31.0, 44.0], plan=["a", "b"], sex=["f", "m"])
    send(events, mlserver("response", "s-1", v2_response("s-1", [0.2, 0.9])), mlserver("request", "s-1", asked))
    assert taken(events) == {"events": 2, "exchanges": 1, "predictions": 2}
    (row,) = [r for r in rows_of(events, "summaries") if r["kind"] == "predictions"]
    assert row["version"] == "v3", "the response's own"
    at = int(events.clock.at.timestamp()) // 3600 * 3600 * 10**6
    assert row["bucket"] == at, "without a time it is the arrival"


def test_structured_and_batch_mode_carry_the_same_events(events: Any) -> None:
    answer = send_json(events, ASKED.structured(), STRUCTURED)
    assert answer.status_code == 202, answer.text
    told = mlserver("response", "s-2", v2_response("s-2", [0.4])).structured(base64_data=True)
    asked = mlserver("request", "s-2", v2_request("s-2", age=[20.0], plan=["a"])).structured()
    answer = send_json(events, [TOLD.structured(base64_data=True), told | {"specversion": "1.0"}, asked], BATCH)
    assert answer.json()["accepted"] == 3
    assert taken(events) == {"events": 4, "exchanges": 2, "predictions": 3}


def test_a_batch_tells_which_of_its_events_were_not_taken_and_takes_the_others(events: Any) -> None:
    stranger = KServe(service="nobody").request("x", ROWS).structured()
    feedback = ASKED.structured() | {"type": "io.seldon.serving.feedback"}
    old = ASKED.structured() | {"specversion": "0.1"}
    answer = send_json(events, [stranger, ASKED.structured(), 7, feedback, old, TOLD.structured()], BATCH)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["rejected"]) == (2, 4)
    assert [(e["row"], e["field"]) for e in body["errors"]] == [
        (0, "source"), (2, ""), (3, "type"), (4, "specversion"),
    ]  # fmt: skip
    assert "inferenceservice: nobody" in body["errors"][0]["reason"], "it says what to declare"
    assert body["batches"] == [{"model": "churn", "batch_id": body["batches"][0]["batch_id"], "accepted": 2}]
    assert taken(events) == {"events": 2, "exchanges": 1, "predictions": 2}


def test_an_exchange_that_cannot_be_taken_is_kept_with_the_rejects(events: Any) -> None:
    one, late, ahead = ROWS[:1], "2026-07-01T11:00:00Z", "2026-07-01T13:00:00Z"
    wanted = {}
    for id_, asked, told, field, reason in (
        ("rows", KSERVE.request("rows", one), KSERVE.response("rows", [[0.1], [0.2]]), "response", "has 2 rows"),
        ("width", KSERVE.request("width", [[1.0]]), KSERVE.response("width", [[0.1]]), "request", "1 values a row"),
        ("score", KSERVE.request("score", one), KSERVE.response("score", [[1.5]]), "prediction_score", "outside of 0"),
        ("ahead", KSERVE.request("ahead", one, time=ahead), KSERVE.response("ahead", [[0.1]]), "timestamp", "ahead of"),
        ("none", KSERVE.request("none", []), KSERVE.response("none", []), "request", "has no rows"),
    ):
        batch = send(events, asked, told).json()["batches"][0]["batch_id"]
        wanted[id_] = (batch, field, reason)
    send(events, KSERVE.request("good", one), KSERVE.response("good", [[0.1]], time=late))
    assert taken(events) == {"events": 12, "exchanges": 6, "refused": 5, "predictions": 1}
    refused = events.client.get("/v1/models/churn/rejects").json()["rejects"]
    assert len(refused) == 5
    for row in refused:
        id_ = next(name for name in wanted if f"request '{name}'" in row["reason"])
        batch, field, reason = wanted.pop(id_)
        assert (row["kind"], row["batch_id"], row["field"]) == ("refused", batch, field), "told with its last event"
        assert reason in row["reason"]


def test_the_response_carries_the_request_s_content_type_and_is_read_by_what_it_is(events: Any) -> None:
    sender = KServe(content_type="text/csv")
    asked = sender.request("r", [])
    asked.body = b"31.0,a,f\n44.0,b,m\n"
    send(events, asked, sender.response("r", [[0.2], [0.9]]))
    assert taken(events) == {"events": 2, "exchanges": 1, "predictions": 2}


def test_a_reference_that_comes_later_folds_the_events_that_waited_for_it(service: Any) -> None:
    service.declare(sources=SOURCES)
    send(service, ASKED, TOLD)
    service.fold()
    assert service.counts() == {}
    service.reference()
    assert taken(service) == {"events": 2, "exchanges": 1, "predictions": 2}


@pytest.mark.both_databases
def test_after_a_kill_and_after_a_rebuild_the_state_is_the_same(events: Any, deployment: Deployment) -> None:
    send(events, ASKED, TOLD, KSERVE.request("r-2", ROWS))
    events.fold()
    events.clock.move(minutes=12)
    send(events, KSERVE.response("r-2", [[0.3], [0.4]]), KSERVE.request("r-4", ROWS), ASKED)
    events.fold()
    first = contents(events.app.state, ALL)
    assert len(first["halves"]) == 3
    deployment.drop_state()
    again = App(events.app.settings, events.clock)
    while again.worker.step("churn"):
        pass
    assert differing(first, contents(again.state, ALL)) == {}
    again.log.engine.dispose()
    again.state.dispose()


def test_what_the_fold_refuses_is_listed_behind_what_was_rejected_at_once(events: Any) -> None:
    good = events.prediction(1)
    events.post("predictions", [good, events.prediction(2, prediction_score=7)])
    events.post("predictions", [events.prediction(1, prediction_score=0.7)])
    send(events, KSERVE.request("r", ROWS), KSERVE.response("r", [[0.1]]))
    events.fold()
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = events.client.get("/v1/models/churn/rejects", params={"after": after, "limit": 1}).json()
        found, after = found + page["rejects"], page["next"]
    assert [row["kind"] for row in found] == ["rejected", "conflict", "refused"]
    assert [row["field"] for row in found] == ["prediction_score", "prediction_id", "response"]
    of = {"batch": found[1]["batch_id"]}
    assert events.client.get("/v1/models/churn/rejects", params=of).json()["rejects"] == [found[1]]
