"""Signing in at a real provider, an honest one and one that lies in every way that the standard warns of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import provider as support
import pytest
from provider import CLIENT, SECRET, Provider
from starlette.testclient import TestClient

from api.server import create
from monitor.app import App
from monitor.errors import InvalidSettings
from monitor.log.audit import at_the_machine
from monitor.people.accounts import by_name
from monitor.people.oidc import Provider as Settled
from monitor.settings import Settings

ROLES = "ml-admins=admin, ml-oncall=responder"
ANA = {"sub": "s-1", "preferred_username": "Ana", "email": "ana@example.org", "email_verified": True,
       "groups": ["staff", "ml-oncall"]}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    with support.serving() as provider:
        yield provider


@pytest.fixture
def provider(served: Provider) -> Provider:
    served.claims, served.lies, served.discovery, served.forge = dict(ANA), {}, {}, ""
    return served


@pytest.fixture
def app(tmp_path: Any, provider: Provider) -> Iterator[App]:
    vigil = App(Settings(
        data_dir=tmp_path, worker="none", oidc_issuer=provider.url, oidc_client_id=CLIENT, oidc_client_secret=SECRET,
        oidc_roles=ROLES,
    ), lambda: datetime.now(UTC))  # fmt: skip
    yield vigil
    vigil.log.engine.dispose()
    vigil.state.dispose()


@pytest.fixture
def browser(app: App) -> TestClient:
    return TestClient(create(app), follow_redirects=False)      # not entered: nothing runs in the background


def sign_in(browser: TestClient, next: str = "/", **brought: str) -> httpx.Response:
    """Out to the provider and back, as a browser goes; ``brought`` changes what it brings."""
    out = browser.get("/sign-in/oidc", params={"next": next})
    assert out.status_code == 303, out.text
    back = httpx.get(out.headers["location"], trust_env=False)
    query = {k: v[0] for k, v in parse_qs(urlsplit(back.headers["location"]).query).items()} | brought
    return browser.get("/sign-in/oidc/callback", params=query)


def refused(answer: httpx.Response, why: str = "could not be signed in") -> None:
    assert (answer.status_code, "vigil_session" in answer.headers.get("set-cookie", "")) == (401, False)
    assert why in answer.text


def test_whoever_the_provider_vouches_for_has_an_account_and_the_role_of_the_claim(
    browser: TestClient, app: App, provider: Provider
) -> None:
    answer = sign_in(browser, "/incidents?state=live")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?state=live")
    assert "httponly" in answer.headers["set-cookie"].lower()
    account = app.ask_log(by_name, "ana")
    assert (account.role, account.email, account.issuer, account.password) == ("responder", "ana@example.org",
                                                                             provider.url, False)  # fmt: skip
    page = browser.get("/account")
    assert (page.status_code, "responder" in page.text) == (200, True)
    provider.claims["groups"] = ["ml-admins"]
    assert sign_in(browser).status_code == 303
    assert app.ask_log(by_name, "ana").role == "admin", "the claim's role is the role from then on"
    assert len(app.people.list()) == 1


def test_no_role_no_account(browser: TestClient, app: App, provider: Provider) -> None:
    for groups in (["staff"], [], "nobody", [["ml-admins"]], ...):
        provider.lies = {"groups": groups}
        refused(sign_in(browser), "gives you a role")
    assert app.people.is_empty()


def test_an_ended_account_and_a_name_of_another_are_refused(
    browser: TestClient, app: App, provider: Provider
) -> None:
    assert sign_in(browser).status_code == 303
    app.people.change(app.ask_log(by_name, "ana").id, {"disabled": True}, at_the_machine())
    refused(sign_in(browser), "was ended")
    provider.claims |= {"sub": "s-2", "email": "other@example.org"}
    refused(sign_in(browser), "this name already")


LIES: dict[str, dict[str, Any]] = {
    "wrong nonce": {"lies": {"nonce": "other"}},
    "no nonce": {"lies": {"nonce": ...}},
    "another audience": {"lies": {"aud": "other"}},
    "no audience": {"lies": {"aud": ...}},
    "several audiences and no azp": {"lies": {"aud": [CLIENT, "other"]}},
    "for another party": {"lies": {"azp": "other"}},
    "another issuer": {"lies": {"iss": "https://evil.example"}},
    "no issuer": {"lies": {"iss": ...}},
    "expired": {"lies": {"exp": 1_700_000_000}},
    "without end": {"lies": {"exp": ...}},
    "an end that is no number": {"lies": {"exp": "never"}},
    "of the future": {"lies": {"iat": 4_000_000_000}},
    "nobody": {"lies": {"sub": ""}},
    "not signed": {"forge": "none"},
    "signed with the public key": {"forge": "hs256"},
    "signed with another key": {"forge": "other key"},
    "changed after it was signed": {"forge": "changed"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
def test_a_token_that_does_not_hold_lets_nobody_in(
    browser: TestClient, app: App, provider: Provider, lie: dict[str, Any]
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    refused(sign_in(browser))
    assert app.people.is_empty()


def test_several_audiences_with_us_as_the_party_are_taken(browser: TestClient, provider: Provider) -> None:
    provider.lies = {"aud": [CLIENT, "other"], "azp": CLIENT}
    assert sign_in(browser).status_code == 303


def test_what_the_browser_brings_must_be_of_this_very_sign_in(
    browser: TestClient, app: App, provider: Provider
) -> None:
    before = provider.exchanges
    refused(sign_in(browser, state="other"))
    refused(sign_in(browser, iss="https://evil.example"), "another provider")
    refused(sign_in(browser, error="access_denied"), "access_denied")
    assert provider.exchanges == before, "no code is shown to anybody then"
    refused(sign_in(browser, code="guessed"), "did not take the code")
    refused(browser.get("/sign-in/oidc/callback", params={"code": "x", "state": "y"}), "took too long")
    other = TestClient(browser.app, follow_redirects=False)
    back = httpx.get(browser.get("/sign-in/oidc").headers["location"], trust_env=False).headers["location"]
    refused(other.get("/sign-in/oidc/callback?" + urlsplit(back).query), "another browser")
    assert app.people.is_empty()


def test_a_provider_that_calls_itself_otherwise_or_sends_on_unsafe_ways_is_none(
    browser: TestClient, provider: Provider
) -> None:
    for lie in ({"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": 7}):
        provider.discovery = lie
        answer = browser.get("/sign-in/oidc")
        assert (answer.status_code, "could not be signed in" in answer.text) == (401, True)


def test_new_keys_are_fetched_where_a_token_names_one_that_is_not_known(
    browser: TestClient, app: App, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_in(browser).status_code == 303
    provider.rotate()
    refused(sign_in(browser), "InvalidKeyIdError")
    later = time.monotonic() + 100
    monkeypatch.setattr("monitor.people.oidc.time.monotonic", lambda: later)
    assert sign_in(browser).status_code == 303


@pytest.mark.parametrize(
    ("issuer", "client", "roles", "why"),
    [
        ("http://id.example.org", "vigil", "", "no https"),
        ("https://id.example.org", "", "", "oidc_client_id"),
        ("https://id.example.org", "vigil", "a=root", "'root' is no role"),
        ("https://id.example.org", "vigil", "admin", "without a value"),
    ],
)
def test_settings_that_do_not_fit_are_said(issuer: str, client: str, roles: str, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why):
        Settled.of(issuer, client, "", "groups", roles)
