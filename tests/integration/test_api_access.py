"""Who may do what: each route with no key, a wrong one, one without the scope, and one for another model."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.times import to_micros

# route: (method, path, the scope that it needs)
ROUTES = [
    ("POST", "/v1/models/churn/predictions", "ingest"),
    ("POST", "/v1/models/churn/outcomes", "ingest"),
    ("POST", "/v1/models/churn/reference", "ingest"),
    ("PUT", "/v1/models/churn", "admin"),
    ("GET", "/v1/models", "read"),
    ("GET", "/v1/models/churn", "read"),
    ("GET", "/v1/models/churn/points", "read"),
    ("GET", "/v1/models/churn/rejects", "read"),
    ("GET", "/v1/models/churn/report?from=2026-07-01T00:00:00Z&to=2026-07-02T00:00:00Z", "read"),
    ("GET", "/v1/models/churn/erasures", "admin"),
    ("GET", "/v1/batches/b_1", "read"),
    ("GET", "/v1/incidents", "read"),
    ("GET", "/v1/incidents/inc_1", "read"),
    ("GET", "/v1/incidents/inc_1/events", "read"),
    *(("POST", f"/v1/incidents/inc_1/{verb}", "operate") for verb in ("acknowledge", "resolve", "reopen", "close")),
    ("POST", "/v1/incidents/inc_1/comment", "operate"),
    ("POST", "/v1/incidents/inc_1/assign", "operate"),
    ("POST", "/v1/incidents/inc_1/dispose", "operate"),
]
BODIES = {"comment": {"text": "x"}, "assign": {"to": "x"}, "dispose": {"disposition": "true"}}


def call(service: Any, method: str, path: str, headers: dict[str, str]) -> Any:
    body = BODIES.get(path.rpartition("/")[2]) if method == "POST" else None
    return service.client.request(method, path, json=body, headers=headers)


def test_every_route_needs_its_own_scope_and_no_other_will_do(service: Any, problem: Any) -> None:
    for method, path, scope in ROUTES:
        allowed = {scope, "admin"}
        for name, key in service.keys.items():
            answer = call(service, method, path, {"authorization": key})
            if name in allowed:
                assert answer.status_code not in (401, 403), f"{name} on {method} {path}: {answer.text}"
            else:
                body = problem(answer, 403, "forbidden")
                assert f"'{scope}'" in body["detail"], f"{name} on {method} {path}"


def test_every_route_needs_a_key(service: Any, problem: Any) -> None:
    del service.client.headers["authorization"]
    for method, path, _ in ROUTES:
        answer = call(service, method, path, {})
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_list_of_routes_is_whole(service: Any) -> None:
    document = service.client.get("/openapi.json").json()
    listed = {(m.upper(), p) for p, methods in document["paths"].items() if p.startswith("/v1/") for m in methods}
    tried = set()
    for method, path, _ in ROUTES:
        plain = path.partition("?")[0].replace("churn", "{model}").replace("b_1", "{batch_id}")
        tried.add((method, plain.replace("inc_1", "{incident_id}")))
    assert tried <= listed


def _revoked(service: Any) -> str:
    token: str = service.key("read")["authorization"]
    service.app.keys.revoke(token.split("_")[1])
    return token


def _expired(service: Any) -> str:
    ends = to_micros(service.clock() + timedelta(hours=1))
    token: str = service.key("read", expires_at=ends)["authorization"]
    assert service.client.get("/v1/models", headers={"authorization": token}).status_code == 200
    service.clock.move(hours=1)
    return token


BAD_KEYS = {
    "revoked": _revoked,
    "expired": _expired,
    "unknown": lambda service: "Bearer vgl_deadbeef_" + "x" * 43,
    "another's secret": lambda s: s.keys["read"].rpartition("_")[0] + "_" + s.keys["admin"].rpartition("_")[2],
    "cut off": lambda service: service.keys["read"][:-1],
    "longer": lambda service: service.keys["read"] + "x",
    "another word": lambda service: service.keys["read"].replace("vgl_", "key_"),
    "another scheme": lambda service: service.keys["read"].replace("Bearer", "Basic"),
    "empty": lambda service: "Bearer ",
    "not ASCII": lambda service: "Bearer vgl_é_é".encode("latin-1"),
}


@pytest.mark.parametrize("make", BAD_KEYS.values(), ids=list(BAD_KEYS))
def test_a_bad_key_is_refused_without_saying_why(service: Any, problem: Any, make: Any) -> None:
    token = make(service)
    answer = service.client.get("/v1/models", headers={"authorization": token})
    problem(answer, 401, "unauthenticated")
    assert "revoked" not in answer.text
    assert "expired" not in answer.text


def test_a_key_for_one_model_reaches_no_other(service: Any, problem: Any) -> None:
    assert service.declare(model="other").status_code == 201
    mine = service.key("ingest", "read", "operate", models=frozenset({"other"}))
    rows = [service.prediction()]
    problem(service.post("predictions", rows, headers=mine), 403, "forbidden")
    taken = service.post("predictions", rows)
    assert service.post("predictions", rows, model="other", headers=mine).status_code == 202
    problem(service.client.get("/v1/models/churn", headers=mine), 403, "forbidden")
    problem(service.client.get("/v1/models/churn/rejects", headers=mine), 403, "forbidden")
    problem(service.client.get(f"/v1/batches/{taken.json()['batch_id']}", headers=mine), 403, "forbidden")
    problem(service.client.get("/v1/incidents?model=churn", headers=mine), 403, "forbidden")
    assert [m["model"] for m in service.client.get("/v1/models", headers=mine).json()["models"]] == ["other"]


def test_sensitive_is_only_ever_given_by_name(service: Any) -> None:
    from monitor.access import Principal
    from monitor.errors import Forbidden

    administrator = service.app.keys.verify(service.keys["admin"].removeprefix("Bearer "))
    assert isinstance(administrator, Principal)
    for scope in ("ingest", "read", "operate", "export", "admin"):
        administrator.require(scope)
    with pytest.raises(Forbidden, match="'sensitive'"):
        administrator.require("sensitive")


def test_health_asks_for_no_key(service: Any) -> None:
    del service.client.headers["authorization"]
    for path in ("/livez", "/readyz"):
        assert (service.client.get(path).status_code, service.client.get(path).text) == (200, "ok")


def cookie_of(service: Any) -> str:
    """The cookie of a session that the administrator's key began."""
    token = service.app.people.sign_in_by_key(service.keys["admin"].removeprefix("Bearer "))
    return f"vigil_session={token}"


def test_a_cookie_is_a_session_but_not_from_another_site(service: Any, problem: Any) -> None:
    del service.client.headers["authorization"]
    cookie = {"cookie": cookie_of(service)}
    own, other = "http://testserver", "https://evil.example"
    assert service.client.get("/v1/models", headers=cookie | {"origin": other}).status_code == 200
    body = service.tiny
    for headers in ({"origin": other}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        problem(service.client.put("/v1/models/churn", json=body, headers=cookie | headers), 403, "forbidden")
    for headers in ({"origin": own}, {"sec-fetch-site": "same-origin"}):
        assert service.client.put("/v1/models/churn", json=body, headers=cookie | headers).status_code == 200


def test_answers_carry_the_headers_of_a_careful_site(service: Any) -> None:
    for path in ("/v1/models", "/v1/nothing"):
        headers = service.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    for rows in ([service.prediction(1)], []):
        headers = service.post("predictions", rows).headers
        assert headers["x-frame-options"] == "DENY"


def test_rows_are_taken_with_the_consoles_cookie_as_with_a_key(service: Any) -> None:
    sent = service.post("predictions", [service.prediction(1)])
    del service.client.headers["authorization"]
    cookie = {"cookie": cookie_of(service), "origin": "http://testserver"}
    by_cookie = service.post("predictions", [service.prediction(2)], headers=cookie)
    assert (by_cookie.status_code, by_cookie.headers) == (sent.status_code, sent.headers)
    assert service.post("predictions", [service.prediction(3)]).status_code == 401
