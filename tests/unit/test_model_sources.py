"""A declaration's ``sources``: what is taken, what each fault says, and that a declaration gives them back."""

from __future__ import annotations

import pytest

from monitor.errors import InvalidDeclaration
from monitor.model import ModelSpec, Source, parse_declaration

HEAD = "model: census\ntask: binary_classification\nfavourable: 1\nprotected_attributes: {SEX: {}}\n"
REGRESSION = "model: census\ntask: regression\n"


def read(source: str, head: str = HEAD) -> Source:
    [found] = parse_declaration(f"{head}sources:\n  - {source}\n", "yaml").sources
    return found


def test_a_source_with_every_key() -> None:
    found = read("""{kind: kserve, inferenceservice: census, namespace: prod, component: predictor, endpoint: default,
        version: "annotation:model-version", role: challenger, columns: [AGEP, SEX], score: 1, label: predict,
        decision: offer, classes: [0, 1], id: application, timestamp: at, subject_key: person, protected: {SEX: SEX},
        tags: {state: ST}, sampling_rate: 0.1, identity: "spiffe://prod/census"}""")
    assert found == Source(
        "kserve",
        {"inferenceservice": "census", "namespace": "prod", "component": "predictor", "endpoint": "default"},
        version="annotation:model-version", role="challenger", columns=("AGEP", "SEX"), score=1, label="predict",
        decision="offer", classes=("0", "1"), id="application", timestamp="at", subject_key="person",
        protected={"SEX": "SEX"}, tags={"state": "ST"}, sampling_rate=0.1, identity="spiffe://prod/census",
    )  # fmt: skip
    spec = parse_declaration(f"{HEAD}sources: [{{kind: kserve, score: 1}}]", "yaml")
    assert ModelSpec.from_dict(spec.to_dict()) == spec


def test_a_version_may_be_a_number_and_a_multiclass_source_has_the_model_s_classes() -> None:
    assert read("{kind: mlflow, score: 0, version: 3}").version == "3"
    many = "model: m\ntask: multiclass_classification\nclasses: [cat, dog, bird]\n"
    assert read("{kind: mlflow, score: 0}", many).classes == ("cat", "dog", "bird")
    assert read("{kind: bentoml, value: pred, time_zone: Europe/Berlin, actual: truth}", REGRESSION).actual == "truth"


@pytest.mark.parametrize(("source", "key", "part"), [
    ("{kind: kservee, score: 1}", "kind", "the nearest known is 'kserve'"),
    ("{score: 1}", "kind", "is missing; name what sends"),
    ("{kind: kserve, scoer: 1}", "scoer", "is no key here; the nearest known is 'score'"),
    ("{kind: kserve, scoer: 1}", "score", "is missing; write which output is the score or the label"),
    ("{kind: sagemaker, inferenceservice: a, score: 1}", "inferenceservice", "is no key of sagemaker"),
    ("{kind: kserve, score: -1}", "score", "from 0, or its name"),
    ("{kind: kserve, score: true}", "score", "found true"),
    ("{kind: kserve, score: 1, value: 2}", "value", "has no meaning for a binary_classification"),
    ("{kind: kserve, score: 1, columns: [a, a]}", "columns", "twice"),
    ("{kind: kserve, score: 1, columns: a}", "columns", "write a list: [a]"),
    ("{kind: kserve, score: 1, protected: {sex: x}}", "protected.sex", "of this model; known are SEX"),
    ("{kind: kserve, score: 1, tags: {state: 1}}", "tags.state", "write a text"),
    ("{kind: kserve, score: 1, sampling_rate: 0}", "sampling_rate", "the share that is captured"),
    ("{kind: kserve, score: 1, sampling_rate: 10}", "sampling_rate", "from 0 to 1"),
    ("{kind: kserve, score: 1, role: canary}", "role", "champion, challenger, shadow"),
    ("{kind: bentoml, score: 1, time_zone: CEST+2}", "time_zone", "write a zone such as UTC"),
    ("{kind: kserve, score: 1, time_zone: UTC}", "time_zone", "is for bentoml"),
    ("{kind: kserve, score: 1, actual: y}", "actual", "is for bentoml"),
    ("{kind: kserve, score: [1, 2]}", "score", "found a list"),
    ("kserve", "", "write a map"),
])  # fmt: skip
def test_a_fault_names_its_key_its_line_and_the_mend(source: str, key: str, part: str) -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        read(source)
    dotted = f"sources[0].{key}" if key else "sources[0]"
    [fault] = [f for f in caught.value.faults if f["key"] == dotted]
    assert fault["line"] == 6
    assert part in str(fault["reason"])


def test_a_regression_needs_the_value_and_has_no_score() -> None:
    with pytest.raises(InvalidDeclaration, match=r"sources\[0\].score.*has no meaning for a regression"):
        read("{kind: mlflow, score: 0}", REGRESSION)
    with pytest.raises(InvalidDeclaration, match=r"sources\[0\].value.*is missing"):
        read("{kind: mlflow}", REGRESSION)


def test_there_are_not_more_than_a_hundred() -> None:
    with pytest.raises(InvalidDeclaration, match="at most 100"):
        parse_declaration(HEAD + "sources:\n" + "  - {kind: mlflow, score: 0}\n" * 101, "yaml")
