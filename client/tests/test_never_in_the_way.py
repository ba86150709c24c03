"""Whatever a caller does and whatever happens, no exception comes back, and it is counted and told without secrets."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from scripted import KEY, answer, balanced, eventually

from vigil_client import Client


class Hostile:
    """Fails at everything."""

    def _fail(self, *_: Any) -> Any:
        raise RuntimeError("a value that must not be told")

    __str__ = __len__ = __iter__ = __index__ = __eq__ = __ne__ = __getattr__ = _fail  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


CALLS = [
    ("log", (), {"features": 5}),
    ("log", (), {"features": [1, 2]}),
    ("log", (), {"features": Hostile()}),
    ("log", (Hostile(),), {}),
    ("log", (), {"tags": "text"}),
    ("log", (), {"model": Hostile()}),
    ("outcome", (), {}),
    ("outcome", ("",), {"actual_label": 1}),
    ("outcome", (Hostile(),), {"actual_label": 1}),
    ("log_many", (), {}),
    ("log_many", (5,), {}),
    ("log_many", ("text",), {}),
    ("log_many", ({"features.age": 5},), {}),
    ("log_many", ({"features.age": "text"},), {}),
    ("log_many", ({"a": [1], "b": [1, 2]},), {}),
    ("log_many", (Hostile(),), {}),
    ("outcome_many", ({"actual_label": [1]},), {}),
]


@pytest.mark.parametrize(("name", "args", "more"), CALLS)
def test_what_cannot_be_understood_is_counted(make: Any, name: str, args: Any, more: Any) -> None:
    client = make()
    getattr(client, name)(*args, **more)
    stats = client.stats
    assert (stats.failed_calls, stats.logged) == (1, 0)
    assert next(iter(stats.reasons)).startswith(f"{name}: ")
    assert "must not be told" not in str(stats)


def test_a_field_that_there_is_not_costs_no_row(service: Any, client: Any) -> None:
    client.log("a", {"age": 1}, 0.5, None, None, "too many", modle_version="v3")
    client.outcome("a", 1, None, "too many", prediction_label=1)
    assert client.flush()
    assert client.stats.sent == 2
    assert [reason.split(":")[0] for reason in client.stats.reasons] == [
        "predictions have no field 'modle_version'; 'model_version'?",
        "log",
        "outcomes have no field 'prediction_label'; 'prediction_id'?",
        "outcome",
    ]


def test_values_that_cannot_be_read_are_sent_as_missing(service: Any, client: Any) -> None:
    client.log("a", {"age": Hostile(), "x": b"bytes", "many": 10**5_000, "\n": 1, "ok": 2, "y" * 301: 3}, 0.5)
    assert client.flush()
    assert service.requests[0].columns["features.ok"] == [2]
    assert service.requests[0].columns["features.age"] == [None]
    assert len(service.requests[0].columns) == 7
    assert client.stats.sent == 1
    assert sum(client.stats.reasons.values()) == 5
    assert "must not be told" not in str(client.stats)


def test_no_thread_no_connection_no_row_before_it_is_needed(make: Any) -> None:
    before = threading.active_count()
    client = make()
    assert threading.active_count() == before
    assert client.flush(0.0)
    assert client.close()
    assert threading.active_count() == before


def test_a_thread_that_cannot_start_loses_nothing(service: Any, client: Any, monkeypatch: Any) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "vigil_client":
            raise RuntimeError("can't start new thread at interpreter shutdown")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert client.log("a", {"age": 1}, 0.5) == "a"
        assert client.stats.waiting == 1
        assert client.flush(), "it is sent by who waits for it"
    client.log("b", {"age": 1}, 0.5)
    assert client.flush()
    assert service.ids == ["a", "b"]


def test_an_error_of_the_client_itself_does_not_end_the_thread(service: Any, client: Any, monkeypatch: Any) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("vigil_client.answers.read", broken)
        client.log("a", {"age": 1}, 0.5)
        eventually(lambda: client.stats.retries > 0)
    with monkeypatch.context() as patched:
        patched.setattr("vigil_client.sender.encode", broken)
        client.log("b", {"age": 1}, 0.5, model="other")
        eventually(lambda: client.stats.dropped == {"unreadable": 1})
    assert client.flush()
    assert client.stats.sent == 1


def test_what_is_logged_after_close_is_counted(service: Any, client: Any) -> None:
    client.log("a", {"age": 1}, 0.5)
    assert client.close()
    assert client.log("b", {"age": 1}, 0.5) == "b"
    client.log_many(features={"age": [1, 2]})
    assert client.close()
    assert client.stats.dropped == {"closed": 3}
    assert service.ids == ["a"]
    eventually(lambda: not any(t.name == "vigil_client" for t in threading.enumerate()))


def test_close_waits_no_longer_than_it_may(service: Any, make: Any) -> None:
    service.answers[:] = [answer(202, after=0.6)]
    client = make()
    client.log("a", {"age": 1}, 0.5)
    service.wait(1)
    assert not client.close(0.2)
    assert client.stats.dropped == {"closed": 1}
    eventually(lambda: client._sender._thread is None)
    assert client.stats.sent == 0, "an answer that comes after the end changes no account"
    assert balanced(client)


def test_many_threads_log_at_once(service: Any, make: Any) -> None:
    client = make(batch_rows=100)

    def work(number: int) -> None:
        for i in range(500):
            client.log(f"{number}/{i}", {"age": i}, 0.5)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush()
    assert len(set(service.ids)) == len(service.ids) == 2_000
    assert client.stats.sent == 2_000


def test_more_models_than_a_client_can_have(client: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("vigil_client.queue.MOST_PLACES", 2)
    client.log("a", {"age": 1}, 0.5, model="x")
    client.log("a", {"age": 1}, 0.5, model="y")
    client.log("a", {"age": 1}, 0.5, model="z")
    assert client.stats.dropped == {"too_many_models": 1}
    assert balanced(client)


def test_warnings_are_rare_and_say_what_is_lost(service: Any, client: Any, caplog: Any) -> None:
    service.answers[:] = [answer(422, {"detail": "no"})] * 3
    with caplog.at_level(logging.WARNING, "vigil_client"):
        for name in "abc":
            client.log(name, {"age": 1}, 0.5)
            assert client.flush()
        eventually(lambda: bool(caplog.records))
        assert [r.getMessage() for r in caplog.records] == [
            "of 1 rows logged: 1 rows rejected, 0 dropped. status 422: no (1)"
        ]
        client.close()
    assert caplog.records[-1].getMessage() == "of 3 rows logged: 3 rows rejected, 0 dropped. status 422: no (3)"
    assert len(caplog.records) == 2


def test_nothing_is_printed(service: Any, client: Any, capfd: Any) -> None:
    service.answers[:] = [answer(422)]
    client.log("a", {"age": 1}, 0.5)
    client.log(features=5)
    client.flush()
    client.close()
    assert capfd.readouterr() == ("", "")


def test_the_key_is_nowhere(make: Any, caplog: Any) -> None:
    def tells(*_: Any, **__: Any) -> Any:
        raise ValueError(f"Illegal header value b'Bearer {KEY}'")

    client = make(url="http://user:pass@127.0.0.1:1/", give_up_after=0.0, http_client=None)
    client._sender._http.post = tells
    with caplog.at_level(logging.DEBUG):
        client.log("a", {"age": 1}, 0.5)
        client.flush()
        client.close()
    told = caplog.text + repr(client) + str(client.stats) + repr(client._sender)
    assert "no answer: ValueError Illegal header value b'Bearer ***'" in told
    assert KEY not in told
    assert "pass" not in repr(client)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"url": "127.0.0.1:8000"}, "url"),
        ({"url": ""}, "url"),
        ({"key": ""}, "key"),
        ({"key": f"{KEY}\nX: y"}, "key"),
        ({"model": ""}, "model"),
        ({"sampling_rate": 0.0}, "sampling_rate"),
        ({"sampling_rate": 1.5}, "sampling_rate"),
    ],
)
def test_arguments_that_can_never_work(monkeypatch: Any, more: Any, named: str) -> None:
    monkeypatch.delenv("VIGIL_URL", raising=False)
    monkeypatch.delenv("VIGIL_KEY", raising=False)
    with pytest.raises(ValueError, match=named) as caught:
        Client(**{"url": "http://127.0.0.1:8000", "key": KEY, "model": "churn", **more})
    assert "secret" not in str(caught.value)


def test_the_environment_says_where_and_who(service: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("VIGIL_URL", service.url)
    monkeypatch.setenv("VIGIL_KEY", KEY)
    with Client(model="churn") as client:
        client.log("a", {"age": 1}, 0.5)
    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_client_that_is_off_does_nothing(monkeypatch: Any) -> None:
    monkeypatch.delenv("VIGIL_URL", raising=False)
    client = Client(enabled=False)
    assert client.log("a", {"age": 1}, 0.5) == "a"
    assert client.log_many(prediction_id=["x", "y"], features={"age": [1, 2]}) == ["x", "y"]
    client.outcome("a", 1)
    assert client.flush()
    assert client.close()
    assert client.stats.logged == 0


def test_what_is_mutated_later_was_logged_as_it_was(service: Any, make: Any) -> None:
    client = make(flush_every=60.0)
    features: dict[str, Any] = {"age": 1, "embedding": [1.0, 2.0]}
    ages, scores = [1, 2], {"x": 0.5, "y": 0.5}
    client.log("a", features, scores)
    client.log_many(prediction_id=["b", "c"], features={"age": ages})
    features["age"] = features["embedding"][0] = ages[0] = scores["x"] = 9
    assert client.flush()
    assert service.requests[0].columns["prediction_score"] == [{"x": 0.5, "y": 0.5}, None, None]
    assert service.requests[0].columns["features.age"] == [1, 1, 2]
    assert service.requests[0].columns["features.embedding"] == [[1.0, 2.0], None, None]


def test_the_package_says_that_it_is_typed() -> None:
    import vigil_client

    assert (Path(vigil_client.__file__).parent / "py.typed").exists()
