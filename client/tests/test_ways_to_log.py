"""The decorator, the ``with`` block, and the client in async code."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")


def sent(service: Any, client: Any) -> dict[str, list[Any]]:
    """The columns of the one batch that was sent, without what differs from run to run."""
    assert client.flush()
    (request,) = service.requests
    columns: dict[str, list[Any]] = {k: v for k, v in request.columns.items() if k != "timestamp"}
    return columns


def test_a_function_is_monitored(service: Any, client: Any) -> None:
    @client.monitor(prediction_id="request", model_version="v3")
    def predict(request: str, age: float, plan: str = "a") -> float:
        """Says."""
        return age / 100

    assert predict("r1", 40) == 0.4
    assert predict(request="r2", age=50, plan="b") == 0.5
    assert (predict.__name__, predict.__doc__) == ("predict", "Says.")
    found = sent(service, client)
    assert all(0 <= v < 5_000 for v in found.pop("latency_ms"))
    assert found == {
        "prediction_id": ["r1", "r2"], "model_version": ["v3", "v3"], "prediction_score": [0.4, 0.5],
        "features.age": [40, 50], "features.plan": ["a", "b"],
    }  # fmt: skip


def test_a_method_with_one_map(service: Any, client: Any) -> None:
    class Model:
        @client.monitor(result=lambda found: {"prediction_label": found[0], "prediction_score": found[1]})
        def predict(self, features: dict[str, Any]) -> tuple[str, float]:
            return "1", 0.7

    assert Model().predict({"age": 40}) == ("1", 0.7)
    found = sent(service, client)
    assert (found["features.age"], found["prediction_label"], found["prediction_score"]) == ([40], ["1"], [0.7])
    assert len(found) == 5


def test_features_of_ones_own_and_a_map_of_fields_as_the_result(service: Any, client: Any) -> None:
    @client.monitor(features=lambda person, **_: {"age": person.age})
    def decide(person: Any, **_options: Any) -> dict[str, Any]:
        return {"prediction_score": 0.5, "model_decision": "approve"}

    class Person:
        age = 40

    decide(Person(), verbose=True)
    found = sent(service, client)
    assert (found["features.age"], found["model_decision"]) == ([40], ["approve"])
    assert not any("person" in name or "verbose" in name for name in found)


def test_a_batch_function(service: Any, client: Any) -> None:
    @client.monitor(batch=True, prediction_id="ids")
    def predict(ids: list[str], frame: Any) -> Any:
        return frame["age"].to_numpy() / 100

    assert list(predict(["a", "b"], pd.DataFrame({"age": [40, 50]}))) == [0.4, 0.5]
    found = sent(service, client)
    assert found["prediction_id"] == ["a", "b"]
    assert (found["features.age"], found["prediction_score"]) == ([40, 50], [0.4, 0.5])
    assert len(set(found["latency_ms"])) == 1


def test_a_coroutine_function(service: Any, client: Any) -> None:
    @client.monitor(result="prediction_value")
    async def predict(age: float) -> float:
        await asyncio.sleep(0.01)
        return age * 2

    assert inspect.iscoroutinefunction(predict)
    assert asyncio.run(predict(20)) == 40
    found = sent(service, client)
    assert found["prediction_value"] == [40]
    assert found["latency_ms"][0] >= 9


def test_a_call_that_raises_is_passed_on_and_not_logged(service: Any, client: Any) -> None:
    @client.monitor()
    def predict(age: float) -> float:
        raise ZeroDivisionError("the model's own")

    @client.monitor()
    async def predict_later(age: float) -> float:
        raise ZeroDivisionError("the model's own")

    with pytest.raises(ZeroDivisionError):
        predict(1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(predict_later(1))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        predict()
    assert client.stats.logged == client.stats.failed_calls == 0


def test_what_the_monitor_cannot_read_is_counted_and_the_result_is_the_callers(client: Any) -> None:
    @client.monitor(features=lambda **_: 1 / 0)
    def one(age: float) -> float:
        return 0.5

    @client.monitor(result=lambda found: found.missing)
    def two(age: float) -> float:
        return 0.5

    assert (one(age=1), two(age=1)) == (0.5, 0.5)
    assert client.stats.failed_calls == 2
    assert list(client.stats.reasons) == ["monitor of one: ZeroDivisionError", "monitor of two: AttributeError"]


def test_a_function_without_a_signature(service: Any, client: Any) -> None:
    found = client.monitor(result="prediction_value")(max)
    assert found(1, 2) == 2
    assert sent(service, client)["prediction_value"] == [2]


def test_a_block(service: Any, client: Any) -> None:
    with client.prediction("a", model_version="v3") as p:
        p.features({"age": 40}, plan="b")
        p.features(np_value=np.float32(0.5))
        p.protected(sex="f")
        p.tags(state="MA")
        p.score(0.7)
        p.label("1")
        p.value(3)
        p.set(model_decision="approve")
    found = sent(service, client)
    assert found.pop("latency_ms")[0] >= 0
    assert found == {
        "prediction_id": ["a"], "model_version": ["v3"], "model_decision": ["approve"], "prediction_score": [0.7],
        "prediction_label": ["1"], "prediction_value": [3], "features.age": [40], "features.plan": ["b"],
        "features.np_value": [0.5], "tags.state": ["MA"], "protected.sex": ["f"],
    }  # fmt: skip


def test_a_block_knows_its_id_and_is_not_logged_when_it_raises(client: Any) -> None:
    def predict() -> None:
        with client.prediction() as p:
            assert len(p.id) == 36
            p.score(1 / 0)

    with pytest.raises(ZeroDivisionError):
        predict()
    assert client.stats.logged == 0
    with client.prediction() as p:
        p.features(5)
        p.score(0.5)
    assert client.stats.failed_calls == 1


def test_the_client_in_async_code(service: Any, make: Any) -> None:
    async def serve() -> None:
        async with make(flush_every=60.0) as client:
            client.log("a", {"age": 1}, 0.5)
            assert await client.aflush()
            assert service.ids == ["a"]
            client.log("b", {"age": 1}, 0.5)
        assert client.stats.sent == 2

    asyncio.run(serve())
    assert service.ids == ["a", "b"]
