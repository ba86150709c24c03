"""Batches: how they are made, what is sent again and what is not, and that nothing counts twice."""

from __future__ import annotations

import functools
import random
import socket
import time
from typing import Any

import pytest
from scripted import KEY, answer, balanced, cut, eventually, take

from vigil_client.answers import Again
from vigil_client.batch import Batch
from vigil_client.queue import Lane


def test_a_prediction_is_sent_as_columns(service: Any, make: Any) -> None:
    client = make(model_version="v3", source="web", environment="prod", schema_version="2")
    name = client.log("a", {"age": 40, "plan": "b"}, 0.7, protected={"sex": "f"}, tags={"state": "MA"}, latency_ms=3)
    assert name == "a"
    assert client.flush()
    (request,) = service.requests
    assert request.path == "/v1/models/churn/predictions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    timestamp = request.columns.pop("timestamp")
    assert timestamp[0].endswith("+00:00")
    assert request.body == {
        "source": "web",
        "environment": "prod",
        "schema_version": "2",
        "columns": {
            "prediction_id": ["a"], "model_version": ["v3"], "prediction_score": [0.7], "latency_ms": [3],
            "features.age": [40], "features.plan": ["b"], "tags.state": ["MA"], "protected.sex": ["f"],
        },
    }  # fmt: skip


def test_rows_of_different_shapes_share_a_batch(service: Any, client: Any) -> None:
    client.log("a", {"age": 40})
    client.log("b", {"plan": "x"}, tags={"state": "MA"})
    client.log_many(prediction_id=["c", "d"], features={"age": [1, 2]}, prediction_score=0.5)
    client.log("e", None, 0.1)
    assert client.flush()
    (request,) = service.requests
    found = {name: values for name, values in request.columns.items() if name != "timestamp"}
    assert found == {
        "prediction_id": ["a", "b", "c", "d", "e"],
        "features.age": [40, None, 1, 2, None],
        "features.plan": [None, "x", None, None, None],
        "tags.state": [None, "MA", None, None, None],
        "prediction_score": [None, None, 0.5, 0.5, 0.1],
    }


def test_outcomes_and_other_models_go_where_they_belong(service: Any, client: Any) -> None:
    client.log("a", {"age": 1}, 0.5)
    client.log("b", {"age": 1}, 0.5, model="a/b c")
    client.outcome("a", 1, final_decision="approve")
    client.outcome("a", actual_value=2.5, model="other")
    client.outcome_many(prediction_id=["x", "y"], actual_label=[0, 1])
    assert client.flush()
    paths = sorted(r.path for r in service.requests)
    assert paths == ["/v1/models/a%2Fb%20c/predictions", "/v1/models/churn/outcomes", "/v1/models/churn/predictions",
                     "/v1/models/other/outcomes"]  # fmt: skip
    outcomes = next(r for r in service.requests if r.path.endswith("churn/outcomes"))
    assert outcomes.ids == ["a", "x", "y"]
    assert outcomes.columns["actual_label"] == [1, 0, 1]
    assert outcomes.columns["final_decision"] == ["approve", None, None]


def test_a_full_batch_goes_before_its_time(service: Any, make: Any) -> None:
    client = make(flush_every=60.0, batch_rows=10)
    for i in range(25):
        client.log(f"p{i}", {"age": i}, 0.5)
    service.wait(2)
    assert [len(r.ids) for r in service.requests] == [10, 10]
    assert client.flush()
    assert service.ids == [f"p{i}" for i in range(25)]


def test_a_row_is_sent_once_it_is_old_enough(service: Any, make: Any) -> None:
    client = make(flush_every=0.2)
    client.log("a", {"age": 1}, 0.5)
    began = time.monotonic()
    service.wait(1)
    assert 0.05 < time.monotonic() - began < 2.0


def test_a_block_over_the_batch_is_cut(service: Any, make: Any) -> None:
    client = make(batch_rows=10)
    names = client.log_many(features={"age": range(25)}, prediction_score=[0.5] * 25)
    assert client.flush()
    assert [len(r.ids) for r in service.requests] == [10, 10, 5]
    assert service.ids == names
    assert [v for r in service.requests for v in r.columns["features.age"]] == list(range(25))


@pytest.mark.parametrize("broken", [answer(500), answer(502), answer(408), answer(503), cut])
def test_what_may_pass_is_sent_again_under_the_same_key(service: Any, client: Any, broken: Any) -> None:
    service.answers[:] = [broken, broken]
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert len(service.requests) == 3
    assert len({r.headers["idempotency-key"] for r in service.requests}) == 1
    assert len({str(r.body) for r in service.requests}) == 1
    assert (client.stats.sent, client.stats.retries, client.stats.lost) == (1, 2, 0)


def test_each_batch_has_a_key_of_its_own(service: Any, client: Any) -> None:
    for name in "ab":
        client.log(name, {"age": 1}, 0.5)
        assert client.flush()
    first, second = (r.headers["idempotency-key"] for r in service.requests)
    assert first != second
    assert len(first) == 32


def test_an_answer_that_comes_too_late_counts_once(service: Any, make: Any) -> None:
    late = answer(202, after=0.6)
    late.takes = True  # type: ignore[attr-defined]
    service.answers[:] = [late]
    client = make(timeout=0.2)
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert len(service.requests) >= 2
    assert service.ids == ["a"]
    assert client.stats.sent == 1


def test_retry_after_is_honoured(service: Any, client: Any) -> None:
    service.answers[:] = [answer(503, Retry_After="1")]
    client.log("a", {"age": 1}, 0.5)
    service.wait(1)
    began = time.monotonic()
    assert not client.flush(0.3), "flushing does not hurry a service that asked for time"
    service.wait(2)
    assert 0.9 < time.monotonic() - began < 4.0


def test_each_attempt_waits_longer_than_the_one_before(make: Any, monkeypatch: Any) -> None:
    client = make(url="http://127.0.0.1:1")
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    lane, batch, waits = Lane(("m", "predictions")), Batch.of([(1, 1, {})]), []
    batch.first = time.monotonic()
    for batch.attempts in range(1, 12):
        client._sender._again(lane, batch, Again("no answer"))
        waits.append(batch.due - time.monotonic())
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0], abs=0.02)


def test_one_models_wait_is_not_anothers(service: Any, client: Any) -> None:
    service.answers[:] = [answer(429, Retry_After="30")]
    client.log("a", {"age": 1}, 0.5)
    service.wait(1)
    client.log("b", {"age": 1}, 0.5, model="other")
    service.wait(2)
    assert service.ids == ["b"]
    eventually(lambda: client.stats.sent == 1)
    assert client.stats.waiting == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 415, 422, 301])
def test_what_will_not_pass_is_not_sent_again(service: Any, client: Any, status: int) -> None:
    service.answers[:] = [answer(status, {"detail": "no such thing", "mend": "Do this"})]
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert len(service.requests) == 1
    assert client.stats.rejected == 1
    assert client.stats.reasons == {f"status {status}: no such thing. Do this": 1}


def test_rejected_rows_are_told(service: Any, client: Any) -> None:
    errors = [{"row": i, "field": "features.age", "reason": "is text; send a number"} for i in range(2)]
    service.answers[:] = [answer(202, {"accepted": 1, "rejected": 2, "errors": errors})]
    client.log_many(prediction_id=["a", "b", "c"], features={"age": ["x", "y", 1]}, prediction_score=0.5)
    assert client.flush()
    assert (client.stats.sent, client.stats.rejected) == (1, 2)
    assert client.stats.reasons == {"features.age: is text; send a number": 2}


def test_a_batch_that_is_too_large_goes_in_halves(service: Any, make: Any) -> None:
    client = make(flush_every=60.0)
    service.answers[:] = [answer(413), answer(413)]
    client.log_many(prediction_id=list("abcdefg"), features={"age": range(7)}, prediction_score=0.5)
    client.log("h", {"age": 7}, 0.5)
    assert client.flush()
    assert service.ids == list("abcdefgh")
    assert len(service.requests) == 5
    assert len({r.headers["idempotency-key"] for r in service.requests}) == 5
    assert client.stats.sent == 8


def test_one_row_that_is_too_large_is_rejected(service: Any, client: Any) -> None:
    service.answers[:] = [answer(413)]
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert client.stats.rejected == 1


def test_a_batch_that_the_service_stumbles_over_is_given_up(service: Any, make: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("vigil_client.sender._SHORTEST_WAIT", 0.01)
    service.answers[:] = [answer(500)] * 5
    client = make()
    client.log("bad", {"age": 1}, 0.5)
    assert client.flush()
    client.log("good", {"age": 1}, 0.5)
    assert client.flush()
    assert service.ids == ["good"]
    assert client.stats.dropped == {"gave_up": 1}


def test_a_service_that_is_away_too_long_is_given_up(make: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = make(url=url, give_up_after=0.3)
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert client.stats.dropped == {"gave_up": 1}
    assert any("ConnectError" in reason for reason in client.stats.reasons)


def test_the_queue_is_bounded_and_drops_the_newest(service: Any, make: Any) -> None:
    client = make(flush_every=60.0, max_queue_rows=5, batch_rows=100)
    for i in range(8):
        client.log(f"p{i}", {"age": 1}, 0.5)
    assert client.stats.dropped == {"queue_full": 3}
    assert balanced(client)
    assert client.flush()
    assert service.ids == [f"p{i}" for i in range(5)]
    client.log("later", {"age": 1}, 0.5)
    assert client.flush()
    assert service.ids[-1] == "later"


def test_the_queue_is_bounded_by_bytes_too(make: Any) -> None:
    client = make(flush_every=60.0, max_queue_bytes=50_000)
    for i in range(100):
        client.log(f"p{i}", {"text": "x" * 1_000}, 0.5)
    assert 15 <= client.stats.waiting < 40
    assert balanced(client)


def test_gzip_is_asked_for(service: Any, make: Any) -> None:
    client = make(compress=True)
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert service.requests[0].headers["content-encoding"] == "gzip"
    assert service.ids == ["a"]


def test_a_slow_service_slows_no_caller(service: Any, make: Any) -> None:
    service.answers[:] = [answer(202, after=0.3)] * 3
    client = make(batch_rows=10)
    spent = []
    for i in range(2_000):
        began = time.perf_counter()
        client.log(f"p{i}", {"age": i}, 0.5)
        spent.append(time.perf_counter() - began)
    assert sorted(spent)[1_000] < 0.0002, "the median; the benchmark client_log measures it on a quiet machine"
    assert max(spent) < 0.25
    assert balanced(client)


def test_take_is_what_the_service_does(service: Any, client: Any) -> None:
    service.answers[:] = [take]
    client.log("a", {"age": 1}, 0.5)
    assert client.flush()
    assert service.ids == ["a"]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_service_does_each_row_counts_once_or_is_told(service: Any, make: Any, seed: int) -> None:
    """Answers at random: errors, cut connections, answers that come too late, batches taken whose answer is lost."""
    chance = random.Random(seed)
    late, lost = answer(202, after=0.4), functools.partial(cut)
    late.takes = lost.takes = True  # type: ignore[attr-defined]
    statuses = [answer(500), answer(503), answer(429, Retry_After="0"), answer(413), answer(400)]
    service.answers[:] = chance.choices([take, take, cut, lost, late, *statuses], k=25)
    client = make(timeout=0.2, batch_rows=20, max_queue_rows=300)
    for i in range(600):
        client.log(f"p{i}", {"age": i}, 0.5)
        client.outcome(f"p{i}", 1)
        assert balanced(client)
        if i % 20 == 0:
            time.sleep(chance.uniform(0.0, 0.02))
    client.flush(0.5)
    assert balanced(client)
    service.answers.clear()
    assert client.flush(20.0)
    stats = client.stats
    assert len(service.ids) == stats.sent
    assert len(set(service.ids)) <= 600
    assert stats.sent + stats.lost == stats.logged == 1_200
    assert not stats.waiting
