"""Whose an event is: the most closely fitting source, or a reason that says what to declare."""

from __future__ import annotations

import pytest

from monitor.events.cloudevents import Event, Refused
from monitor.events.families import Logged, read
from monitor.events.route import Route, Routes
from monitor.model.sources import Source


def logged(kind: str = "kserve", **said: str) -> Logged:
    return Logged(kind, "request", "r", "", said)  # type: ignore[arg-type]


def source(kind: str = "kserve", **selectors: str) -> Source:
    return Source(kind, selectors)  # type: ignore[arg-type]


def test_the_source_that_says_most_of_an_event_takes_it() -> None:
    routes = Routes({
        "any": [source()],
        "churn": [source("seldon", model="churn"), source(inferenceservice="churn")],
        "canary": [source(inferenceservice="churn", endpoint="canary")],
    })
    assert routes.find(logged(inferenceservice="churn", endpoint="default")) == Route("churn", 1)
    assert routes.find(logged(inferenceservice="churn", endpoint="canary")) == Route("canary", 0)
    assert routes.find(logged(inferenceservice="x")) == Route("any", 0)
    assert routes.find(logged("seldon", model="churn")) == Route("churn", 0)
    with pytest.raises(Refused, match="no model declares a source"):
        routes.find(logged("seldon", model="x"))


def test_two_models_that_claim_one_event_equally_are_told() -> None:
    routes = Routes({"a": [source(namespace="prod")], "b": [source(inferenceservice="churn")]})
    with pytest.raises(Refused, match="a and b both declare a source for it"):
        routes.find(logged(inferenceservice="churn", namespace="prod"))
    twice = Routes({"a": [source(namespace="prod"), source(inferenceservice="churn")]})
    assert twice.find(logged(inferenceservice="churn", namespace="prod")) == Route("a", 0)


def test_an_event_that_names_nothing_is_told_so() -> None:
    with pytest.raises(Refused, match=r"names no service; declare sources: .*kind: seldon.* of its model"):
        Routes({}).find(logged("seldon"))


@pytest.mark.parametrize("type_", ["io.seldon.serving.feedback", "io.seldon.serving.logging", "com.example.x" * 50])
def test_other_types_are_no_inference(type_: str) -> None:
    with pytest.raises(Refused, match="is no request or response of an inference") as refused:
        read(Event(0, "r", type_, "/s", None, "", b"", {}))
    assert len(refused.value.reason) < 450


def test_ids_and_nodes_are_bounded() -> None:
    seldon, kserve = "io.seldon.serving.inference.request", "org.kubeflow.serving.inference.request"
    for type_, attributes in ((seldon, {"requestid": "r" * 121}), (seldon, {"modelid": "m" * 129}),
                              (kserve, {"component": "c" * 129})):  # fmt: skip
        with pytest.raises(Refused, match="is longer than"):
            read(Event(0, "r", type_, "/s", None, "", b"", attributes))
