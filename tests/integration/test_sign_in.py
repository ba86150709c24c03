"""Signing in with a name and a password or a key; what the cookie is like; and that no form goes without its token."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from routes import every_route
from sqlalchemy import event
from starlette.testclient import TestClient

from monitor.app import App
from monitor.errors import Unauthenticated
from monitor.log.audit import at_the_machine
from monitor.people.accounts import New

OWN = {"origin": "http://testserver"}
WORDS = "correct horse battery"


@pytest.fixture
def browser(client: TestClient) -> Iterator[TestClient]:
    """A browser of its own, without a key."""
    found = TestClient(client.app, follow_redirects=False, raise_server_exceptions=False)
    found.headers["origin"] = "http://testserver"
    yield found
    found.close()


@pytest.fixture
def people(vigil: App) -> dict[str, str]:
    """An account for each role: its id by its name."""
    by = at_the_machine()
    return {r: vigil.people.create(New(r, r), by, WORDS)[0].id for r in ("viewer", "responder", "manager", "admin")}


def sign_in(browser: TestClient, name: str = "admin", **more: str) -> httpx.Response:
    return browser.post("/sign-in", data={"name": name, "password": WORDS, "next": "/", **more})


def token(browser: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/account").text)
    assert found is not None
    return found[1]


def test_a_password_begins_a_session_in_a_cookie_that_scripts_and_other_sites_cannot_have(
    browser: TestClient, people: dict[str, str]
) -> None:
    wrong = sign_in(browser, password="wrong")
    assert (wrong.status_code, "not right" in wrong.text, "set-cookie" in wrong.headers) == (401, True, False)
    again = sign_in(browser)
    assert (again.status_code, again.headers["retry-after"]) == (429, "2")


def test_the_cookie_of_a_session(browser: TestClient, people: dict[str, str], vigil: App) -> None:
    answer = sign_in(browser, next="/incidents")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents")
    cookie = answer.headers["set-cookie"]
    for part in ("vigil_session=", "HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    assert browser.get("/incidents").status_code == 200
    secure = TestClient(browser.app, base_url="https://testserver", follow_redirects=False)
    cookie = secure.post("/sign-in", data={"name": "viewer", "password": WORDS},
                         headers={"origin": "https://testserver"}).headers["set-cookie"]  # fmt: skip
    assert cookie.startswith("__Host-vigil_session=")
    assert "Secure" in cookie


def test_each_sign_in_is_a_new_session_and_the_one_before_ends(
    browser: TestClient, people: dict[str, str], vigil: App
) -> None:
    browser.cookies.set("vigil_session", "fixed-by-somebody-else", domain="testserver.local", path="/")
    first = sign_in(browser).cookies["vigil_session"]
    assert first != "fixed-by-somebody-else"
    sign_in(browser, "viewer")
    with pytest.raises(Unauthenticated):
        vigil.people.verify(first)


def test_a_key_signs_in_and_its_secret_is_not_in_the_cookie(browser: TestClient, service: Any) -> None:
    key = service.keys["read"].removeprefix("Bearer ")
    answer = browser.post("/sign-in", data={"key": key})
    assert answer.status_code == 303
    assert key.split("_", 2)[2] not in answer.headers["set-cookie"]
    assert browser.get("/").status_code == 200
    service.app.keys.revoke(key.split("_")[1])
    assert browser.get("/").status_code == 303
    for bad in ("vgl_x_y", "x", service.keys["ingest"].removeprefix("Bearer ")):
        assert browser.post("/sign-in", data={"key": bad}).status_code == 401


def test_signing_out_ends_the_session_itself(browser: TestClient, people: dict[str, str]) -> None:
    sign_in(browser)
    kept = browser.cookies["vigil_session"]
    assert browser.post("/sign-out").status_code == 403, "no form without its token"
    assert browser.post("/sign-out", data={"csrf": token(browser)}).status_code == 303
    browser.cookies.set("vigil_session", kept)
    assert browser.get("/").headers["location"] == "/sign-in"


def forms(browser: TestClient) -> list[str]:
    """Every route of the console that is posted to, with ids that lead nowhere."""
    found = []
    for route in every_route(browser.app):
        path = getattr(route, "path", "")
        if "POST" in (getattr(route, "methods", None) or ()) and not path.startswith("/v1/"):
            found.append(re.sub(r"\{[^}]+\}", "x", path))
    return [path for path in found if path not in ("/sign-in", "/a/x")]     # before there is a session


def test_no_form_is_taken_without_the_token_of_its_session(
    browser: TestClient, people: dict[str, str], vigil: App
) -> None:
    paths = forms(browser)
    assert {"/sign-out", "/people", "/people/x", "/keys", "/account", "/incidents/x/x"} <= set(paths)
    sign_in(browser, "viewer")
    theirs = token(browser)
    sign_in(browser)
    for path in paths:
        for sent in ({}, {"csrf": ""}, {"csrf": theirs}, {"csrf": "é"}):
            answer = browser.post(path, data=sent)
            # What does not fit the form at all is refused before anybody is asked who sends it.
            assert answer.status_code in (403, 422), f"{path} {sent}: {answer.status_code}"
            assert answer.status_code == 422 or "not given out by this session" in answer.text, path
    mine = token(browser)
    for origin in ("https://evil.example", "null"):
        answer = browser.post("/sign-out", data={"csrf": mine}, headers={"origin": origin})
        assert (answer.status_code, "another site" in answer.text) == (403, True)
    assert {a.name: a.role for a, _ in vigil.people.list()} == {r: r for r in people}


def test_every_form_of_every_page_has_the_token(browser: TestClient, people: dict[str, str]) -> None:
    sign_in(browser)
    mine = token(browser)
    for path in ("/", "/incidents", "/people", f"/people/{people['viewer']}", "/keys", "/audit", "/account"):
        page = browser.get(path).text
        posted = re.findall(r'<form method="post".*?</form>', page, re.S)
        assert posted, path
        assert all(f'name="csrf" value="{mine}"' in form for form in posted), path


def test_rows_that_are_sent_with_a_key_ask_for_no_session_no_account_and_no_hash(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(service.app.people._passwords, "verify", never)
    said: list[str] = []
    listen: Callable[..., None] = lambda _c, _cur, statement, *_: said.append(statement)    # noqa: E731
    event.listen(service.app.log.engine, "before_cursor_execute", listen)
    headers = {"authorization": service.keys["ingest"]}
    assert service.post("predictions", [service.prediction(1)], headers=headers).status_code == 202
    event.remove(service.app.log.engine, "before_cursor_execute", listen)
    assert said
    for table in ("sessions", "accounts", "secrets", "audit"):
        assert not any(re.search(rf"\b{table}\b", statement) for statement in said), table
