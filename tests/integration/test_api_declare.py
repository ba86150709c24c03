"""Declaring a model over HTTP: versions, faults with key and line, and what a second declaration may change."""

from __future__ import annotations

from typing import Any


def test_the_same_declaration_is_the_version_that_stands_and_another_the_next(service: Any) -> None:
    assert (service.declare().status_code, service.declare().json()["version"]) == (200, 1)
    changed = service.declare(decision_threshold=0.7)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    shown = service.client.get("/v1/models/churn").json()
    assert (shown["version"], shown["declared_by"]) == (2, "ana")
    assert shown["declaration"]["decision_threshold"] == 0.7


def test_yaml_and_json_declare_the_same(service: Any) -> None:
    text = b"model: two\ntask: regression\nfeatures: {x: numeric}\n"
    headers = {"content-type": "application/yaml"}
    assert service.client.put("/v1/models/two", content=text, headers=headers).status_code == 201
    again = service.client.put(
        "/v1/models/two", json={"model": "two", "task": "regression", "features": {"x": "numeric"}}
    )
    assert (again.status_code, again.json()["version"]) == (200, 1)


def test_faults_name_the_key_and_its_line_all_at_once(service: Any, problem: Any) -> None:
    text = b"model: churn\ntask: binary_clasification\ngrain: 1 hour\nfavorable: 1\n"
    answer = service.client.put("/v1/models/churn", content=text, headers={"content-type": "application/yaml"})
    faults = problem(answer, 422, "invalid-declaration")["errors"]
    assert [(f["key"], f["line"]) for f in faults] == [("task", 2), ("grain", 3), ("favorable", 4)]
    assert "favourable" in faults[2]["reason"]


def test_a_declaration_that_cannot_be_read(service: Any, problem: Any) -> None:
    for body in (b'{"model": ', b"[1]", b"\xff\xfe"):
        problem(service.client.put("/v1/models/churn", content=body), 422, "invalid-declaration")
    problem(service.client.put("/v1/models/churn", content=b""), 400, "malformed-body")


def test_the_path_and_the_declaration_must_agree(service: Any, problem: Any) -> None:
    body = problem(service.client.put("/v1/models/other", json=service.tiny), 422, "invalid-input")
    assert "churn" in body["detail"]


def test_a_model_keeps_its_task(service: Any, problem: Any) -> None:
    body = {"model": "churn", "task": "regression"}
    problem(service.client.put("/v1/models/churn", json=body), 409, "conflict")
    assert service.client.get("/v1/models/churn").json()["version"] == 1


def test_a_feature_may_change_its_type_with_a_new_reference(service: Any) -> None:
    service.reference()
    service.post("predictions", [service.prediction(i) for i in range(10)])
    service.fold()
    assert service.declare(features={"age": "categorical", "plan": "numeric"}).status_code == 200
    rows = [
        service.prediction(i, prediction_id=f"n{i}", features={"age": 20 + i % 50, "plan": i}) for i in range(100)
    ]
    assert service.post("reference", rows).status_code == 202
    service.post("predictions", [service.prediction(11, features={"age": "forty", "plan": 3})])
    service.fold()
    assert service.counts() == {"predictions": 11}
    report = service.report()
    assert report["unseen_category_rate", "age"]["value"] == 1 / 11      # the numbers of before are known categories
    assert report["missing_rate", "plan"]["value"] == 10 / 11            # "a" and "b" are no numbers
    assert service.client.get("/v1/models/churn").json()["features"] == {"age": "categorical", "plan": "numeric"}


def test_features_are_inferred_from_the_reference(service: Any) -> None:
    service.client.put("/v1/models/bare", json={"model": "bare", "task": "binary_classification"})
    rows = [service.prediction(i, protected=..., prediction_id=f"r{i}") for i in range(50)]
    assert service.post("reference", rows, model="bare").status_code == 202
    service.fold()
    assert service.client.get("/v1/models/bare").json()["features"] == {"age": "numeric", "plan": "categorical"}
    assert service.post("predictions", [service.prediction(protected=...)], model="bare").status_code == 202
    service.fold()
    assert service.counts("bare") == {"predictions": 1}
