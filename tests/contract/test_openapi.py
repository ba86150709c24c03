"""The OpenAPI document is valid and whole: every route says what it does, what it needs and how it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from api.problems import problem, status_of
from api.server import create
from monitor import errors
from monitor.app import App
from monitor.batch import Kind
from monitor.codecs import FORMATS, decode, infer_features, normalise
from monitor.model import ModelSpec, Schema
from monitor.settings import Settings


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made: dict[str, Any] = create(App(Settings(data_dir=tmp_path_factory.mktemp("vigil"), worker="none"))).openapi()
    return made


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def v1(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [o for o in operations(document) if o[1].startswith("/v1/")]


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema in the document, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "schema":
                yield inner
            yield from schemas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas(inner)


def test_its_frame_is_that_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "Vigil"
    assert document["info"]["version"]
    assert set(document) <= {"openapi", "info", "servers", "paths", "components", "tags", "security", "externalDocs"}
    for method, path, operation in operations(document):
        assert method in {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
        assert path.startswith("/")
        assert operation["responses"], f"{method} {path}"
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status)
            assert response["description"]


def test_every_operation_has_an_id_of_its_own_a_summary_and_a_description(document: dict[str, Any]) -> None:
    ids = [o["operationId"] for _, _, o in operations(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(document):
        assert operation.get("summary"), f"{method} {path}"
        assert len(operation.get("description", "")) > 10, f"{method} {path} says nothing of what it does"
        assert operation.get("tags"), f"{method} {path}"


def test_each_parameter_in_a_path_is_described_and_required(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        given = operation.get("parameters", [])
        named = {p["name"] for p in given if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), f"{method} {path}"
        assert all(p["required"] for p in given if p["in"] == "path")
        assert len({(p["name"], p["in"]) for p in given}) == len(given), f"{method} {path} has a parameter twice"


def test_every_schema_is_valid_json_schema_2020_12(document: dict[str, Any]) -> None:
    found = [*schemas(document), *document["components"]["schemas"].values()]
    assert len(found) > 30
    for schema in found:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            value = list(value.values())
        for inner in value if isinstance(value, list) else []:
            yield from references(inner)

    for reference in references(document):
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
    assert "HTTPValidationError" not in document["components"]["schemas"], "no error has another shape than a problem"


def test_every_error_of_v1_is_a_documented_problem(document: dict[str, Any]) -> None:
    for method, path, operation in v1(document):
        failures = {s: r for s, r in operation["responses"].items() if s >= "4"}
        assert {"401", "403", "422"} <= set(failures), f"{method} {path}"
        assert "404" in failures or not re.search(r"\{", path) or method == "put", f"{method} {path}"
        if method in ("post", "put"):
            assert {"400", "503"} <= set(failures), f"{method} {path} can be malformed, and fail to be durable"
        for status, response in failures.items():
            assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"
            assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503"))


def test_every_kind_of_error_has_a_status_that_is_documented_somewhere(document: dict[str, Any]) -> None:
    documented = {int(s) for _, _, o in operations(document) for s in o["responses"] if s >= "4"}
    kinds: list[type[errors.VigilError]] = [*errors.VigilError.__subclasses__(), *errors.InvalidInput.__subclasses__()]
    for kind in set(kinds) - {errors.InvalidSettings}:
        status, title = status_of(kind.__new__(kind))
        assert status in documented, f"{kind.__name__}: {status} {title}"


def test_a_key_is_needed_for_all_of_v1_but_what_is_signed_and_for_nothing_else(document: dict[str, Any]) -> None:
    (name, scheme), = document["components"]["securitySchemes"].items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for method, path, operation in operations(document):
        needed = path.startswith("/v1/") and path != "/v1/pagerduty"        # whose webhooks are signed
        expected: list[dict[str, list[str]]] = [{name: []}] if needed else []
        assert operation["security"] == expected, f"{method} {path}"


def test_ingest_takes_every_format_and_its_examples_are_taken(document: dict[str, Any]) -> None:
    spec = ModelSpec("m", "binary_classification", favourable="1")
    kinds: tuple[Kind, ...] = ("predictions", "outcomes", "reference")
    for kind in kinds:
        body = document["paths"][f"/v1/models/{{model}}/{kind}"]["post"]["requestBody"]
        assert set(body["content"]) == set(FORMATS)
        for example in body["content"]["application/json"]["examples"].values():
            columns = decode("application/json", json.dumps(example["value"]).encode(), kind, {})
            now = datetime(2026, 7, 1, tzinfo=UTC)
            batch = normalise(columns, Schema(spec, infer_features(columns)), kind, "b", now)
            assert (batch.accepted, batch.rejects) == (1, []), f"{kind}: {example}"


def test_the_example_of_a_declaration_can_be_declared(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/models/{model}"]["put"]["requestBody"]["content"]
    assert ModelSpec.from_dict(content["application/json"]["example"]).model == "census-employment"


def test_a_real_problem_fits_the_schema_of_a_problem(document: dict[str, Any]) -> None:
    schema = {"$ref": "urn:vigil#/components/schemas/Problem"}
    registry = Registry().with_resource("urn:vigil", Resource.opaque(document))
    validator = jsonschema.Draft202012Validator(schema, registry=registry)
    answer = problem(422, "no-good-row", "No row", "none", "mend", errors=[{"row": 0, "reason": "x"}])
    said = json.loads(bytes(answer.body))
    assert list(validator.iter_errors(said)) == []
    assert list(validator.iter_errors({"detail": "only that"}))
