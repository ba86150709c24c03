"""What each role may do: every role against every route of the API and the console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from routes import every_route
from starlette.testclient import TestClient

from monitor.app import App
from monitor.log.audit import at_the_machine
from monitor.people.accounts import New
from monitor.people.roles import ROLES

WORDS = "correct horse battery"
FROM: dict[str, str] = {"read": "viewer", "operate": "responder", "approve": "manager", "export": "manager",
                        "ingest": "admin", "admin": "admin"}  # fmt: skip
OPEN = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect", "/sign-in",
        "/sign-out", "/static/{name}", "/a/{token}", "/v1/pagerduty"}  # fmt: skip


@pytest.fixture
def signed_in(client: TestClient, vigil: App) -> dict[str, TestClient]:
    """A browser for each role, and one for an administrator of one model."""
    found = {}
    for name, models in (*((r, None) for r in ROLES), ("some", frozenset({"churn"}))):
        vigil.people.create(New(name, "admin" if name == "some" else name, models=models), at_the_machine(), WORDS)
        browser = TestClient(client.app, follow_redirects=False, raise_server_exceptions=False)
        browser.headers["origin"] = "http://testserver"
        assert browser.post("/sign-in", data={"name": name, "password": WORDS}).status_code == 303
        found[name] = browser
    return found


def routes(client: TestClient) -> list[tuple[str, str, str]]:
    """Method, path, and the scope that its own dependency asks for."""
    found = []
    for route in every_route(client.app):
        if not hasattr(route, "dependant") or route.path in OPEN:
            continue
        scopes = set(_scopes(route.dependant))
        if "POST" in route.methods and route.path.endswith(("/predictions", "/outcomes", "/reference")):
            scopes = {"ingest"}
        found += [(method, route.path, scope) for method in route.methods - {"HEAD"} for scope in scopes]
    return found


def _scopes(dependant: Any) -> Any:
    for inner in dependant.dependencies:
        for cell in getattr(inner.call, "__closure__", None) or ():
            if cell.cell_contents in {*FROM, "sensitive"}:
                yield cell.cell_contents
        yield from _scopes(inner)


def test_each_role_reaches_what_its_scopes_allow_and_nothing_else(
    client: TestClient, signed_in: dict[str, TestClient], service: Any
) -> None:
    table = routes(client)
    assert len(table) > 50
    tokens = {name: _token(browser) for name, browser in signed_in.items()}
    for method, path, scope in table:
        where = re.sub(r"\{[^}]+\}", "x", path.replace("{model}", "churn"))
        for role in ROLES:
            sent: dict[str, Any] = {} if method == "GET" else {"data": {"csrf": tokens[role]}}
            answer = signed_in[role].request(method, where, **sent)
            may = scope in FROM and ROLES.index(role) >= ROLES.index(FROM[scope])  # type: ignore[arg-type]
            lacks = "lacks the scope" in answer.text and f"{scope}" in answer.text
            if may:
                assert not lacks, f"{role} on {method} {where}: {answer.text[:300]}"
            elif answer.status_code != 422:     # what does not fit at all is refused before anybody is asked for
                assert (answer.status_code, lacks) == (403, True), f"{role} on {method} {where}: {answer.status_code}"


def test_every_route_has_a_scope_or_is_one_of_those_that_are_open(client: TestClient) -> None:
    known = {path for _, path, _ in routes(client)}
    bare = {r.path for r in every_route(client.app) if hasattr(r, "path")} - known - OPEN
    assert bare == {"/v1/ingest/cloudevents"}, "which takes a mesh’s identity too"


def test_people_keys_and_the_trail_are_for_an_administrator_of_all_models(
    signed_in: dict[str, TestClient], people_paths: list[str]
) -> None:
    for path in people_paths:
        assert signed_in["admin"].get(path).status_code == 200, path
        answer = signed_in["some"].get(path)
        assert (answer.status_code, "all models" in answer.text) == (403, True), path
        assert signed_in["manager"].get(path).status_code == 403
    assert "/people" not in signed_in["some"].get("/account").text
    assert "/people" in signed_in["admin"].get("/account").text


@pytest.fixture
def people_paths() -> list[str]:
    return ["/people", "/keys", "/audit", "/v1/people", "/v1/audit"]


def test_a_machine_with_every_right_makes_neither_people_nor_a_persons_key(service: Any, client: TestClient) -> None:
    key = service.key("admin", "operate")
    made = client.post("/v1/people", json={"name": "eve", "role": "admin"}, headers=key)
    assert (made.status_code, "only a person" in made.text) == (403, True)
    for path, form in (("/people", {"name": "eve", "role": "admin"}), ("/keys", {"kind": "person", "scopes": "read"})):
        answer = client.post(path, data=form, headers=key)
        assert (answer.status_code, "only a person" in answer.text) == (403, True)
    assert service.app.people.is_empty()


def test_a_persons_key_is_made_for_oneself_alone(signed_in: dict[str, TestClient], vigil: App) -> None:
    browser = signed_in["admin"]
    form = {"kind": "person", "owner": "viewer", "scopes": "operate", "csrf": _token(browser)}
    page = browser.post("/keys", data=form)
    assert page.status_code == 200
    found = re.search(r"vgl_[0-9a-f]{8}_[\w-]{43}", page.text)
    assert found is not None
    assert vigil.keys.verify(found[0]).owner == "admin", "nobody makes a key that acts as another person"
    assert found[0] not in browser.get("/keys").text, "it is shown once"


def test_people_by_the_api(client: TestClient, vigil: App, problem: Any) -> None:
    made = client.post("/v1/people", json={"name": "Ben", "role": "responder", "email": "ben@example.org"})
    assert made.status_code == 201
    body = made.json()
    assert vigil.people.sign_in("ben", body["password"], "x")
    listed = client.get("/v1/people").json()["people"]
    assert [(p["name"], p["role"], p["email"]) for p in listed] == [("ben", "responder", "ben@example.org")]
    assert "password" not in listed[0]
    path = f"/v1/people/{body['id']}"
    assert client.patch(path, json={"role": "manager"}).json()["role"] == "manager"
    assert client.patch(path, json={"email": None}).json()["email"] is None
    assert client.patch(path, json={"disabled": True}).json()["disabled"] is True
    problem(client.patch(path, json={"role": "root"}), 422, "invalid-input")
    problem(client.patch("/v1/people/acc_none", json={"role": "viewer"}), 404, "not-found")
    problem(client.post("/v1/people", json={"name": "ben", "role": "viewer"}), 409, "conflict")
    entries = client.get("/v1/audit").json()["entries"]
    assert [e["what"] for e in entries[:2]] == ["person.change", "person.change"]
    assert entries[0]["who"] == {"id": "ana", "kind": "person"}


def _token(browser: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/account").text)
    assert found is not None
    return found[1]
