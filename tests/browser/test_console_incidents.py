"""An on-call person's day at the console: sign in, look, acknowledge, comment, resolve, record, close."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.needs_chromium


def test_signing_in_by_form_and_by_link_and_out_again(visit: Callable[..., Any], console: Any) -> None:
    seen = visit(key=None)
    page = seen.go("/incidents?state=live")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/incidents%3Fstate%3Dlive$"))
    page.get_by_text("With a key instead").click()
    page.get_by_label("Key").fill("vgl_not_a_key")
    page.get_by_role("button", name="Sign in with the key").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("Key").fill(console.reader)
    page.get_by_role("button", name="Sign in with the key").click()
    expect(page).to_have_url(f"{console.url}/incidents?state=live")
    cookie = next(c for c in page.context.cookies() if c["name"] == "vigil_session")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", False)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{console.url}/sign-in")
    assert page.context.cookies() == []
    seen.go(f"/sign-in#key={console.person}")
    expect(page).to_have_url(f"{console.url}/")
    seen.faults[:] = [f for f in seen.faults if "401" not in f]


def test_one_who_only_reads_and_a_machine_have_no_buttons(visit: Callable[..., Any], console: Any) -> None:
    for key in (console.reader, console.machine):
        seen = visit(key=key)
        page = seen.go(_an_incident(seen))
        expect(page.locator("#timeline")).to_be_visible()
        assert page.locator("main form[method=post], main button").count() == 0


def test_other_sites_cannot_act_and_next_leads_nowhere_else(
    console: Any, visit: Callable[..., Any], session: Callable[[str], httpx.Client]
) -> None:
    page = _an_incident(visit())
    act = f"{console.url}{page}/acknowledge"
    client = session(console.person)
    refused = client.post(act, headers={"Origin": "https://evil.example"})
    assert (refused.status_code, "another site" in refused.text) == (403, True)
    assert client.post(act, headers={"Origin": "null", "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert "not given out by this session" in client.post(act).text
    for key, why in ((console.reader, "operate"), (console.machine, "nly a person")):
        client = session(key)
        form = re.search(r'name="csrf" value="([^"]+)"', client.get(f"{console.url}/account").text)
        assert form is not None
        assert why in client.post(act, data={"csrf": form[1]}).text
    for away in ("//evil.example/", "https://evil.example/", "/\\evil.example", "/a\nb"):
        form = {"key": console.reader, "next": away}
        answer = httpx.post(f"{console.url}/sign-in", data=form, headers={"Origin": console.url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    form = {"key": console.reader, "next": "/"}
    assert httpx.post(f"{console.url}/sign-in", data=form, headers={"Origin": "null"}).status_code == 403


def test_a_link_from_a_chat_finds_its_way_in(console: Any) -> None:
    """The cookie does not come along from another site, so the page asks for itself anew, from this one."""
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = httpx.get(f"{console.url}/incidents", headers=headers)
    assert (answer.status_code, 'http-equiv="refresh"' in answer.text) == (200, True)
    assert httpx.get(f"{console.url}/incidents").status_code == 303


def test_what_carries_a_fall_in_performance_is_a_table_whose_links_lead_on(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go(_an_incident(seen, "Performance: ROC AUC"))
    carried = page.locator("#causes ~ .scroll table").first
    expect(carried.locator("tbody tr").first.locator("[data-name=Carry] svg.bar")).to_be_visible()
    expect(carried).to_contain_text("→")
    expect(page.locator("#causes ~ h3").nth(1)).to_contain_text("Features that drifted")
    carried.locator("tbody th a").first.click()
    expect(page).to_have_url(re.compile("feature="))
    expect(page.locator("#drift")).to_be_visible()
    page = seen.go(_an_incident(seen, "Performance: ROC AUC"))
    page.locator("#worst + p a").click()
    expect(page.locator("#drift")).to_be_visible()


def test_the_whole_day(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go(_an_incident(seen, "Drift in RELP"))
    expect(page.locator("h1")).to_contain_text("Drift in RELP")
    expect(page.locator("#causes + .scroll tbody tr").first).to_contain_text("RELP")
    assert page.locator(".chart svg").count() >= 2
    expect(page.locator(".timeline")).to_contain_text("Opened")

    other = visit()
    other.go(page.url.removeprefix(seen.base))
    _press(page, "acknowledge", "on it")
    _says(page, "Acknowledged")
    expect(page.locator(".facts")).not_to_contain_text("by nobody yet")
    _press(other.page, "acknowledge")
    expect(other.page.get_by_role("alert")).to_contain_text("Nothing changed. Somebody has acknowledged it already")

    page.get_by_label("Comment").fill("RELP 17 is <b>group quarters</b>")
    page.get_by_role("button", name="Add comment").click()
    _says(page, "Comment added")
    _press(page, "resolve", "survey changed")
    _says(page, "Resolved")
    expect(page.get_by_role("button", name="Close")).to_have_count(0)
    page.get_by_label("What was it?").select_option("true")
    page.get_by_label("Root cause").fill("the survey recoded RELP")
    page.get_by_role("button", name="Record").click()
    _says(page, "Disposition recorded")
    page.get_by_label("What is done so that").fill("watch RELP upstream")
    page.get_by_label("Due").fill("2026-12-15")
    page.get_by_label("Check whether it worked").fill("2027-01-15")
    page.get_by_role("button", name="Plan", exact=True).click()
    _press(page, "close")
    _says(page, "Closed")

    expect(page.locator("h1 + p .status").last).to_contain_text("closed")
    timeline = page.locator(".timeline > li b").all_inner_texts()
    assert timeline[:6] == [
        "Closed", "Corrective action planned", "Disposed", "Resolved", "Commented", "Acknowledged",
    ]
    assert timeline[-1] == "Opened"
    expect(page.locator(".timeline")).to_contain_text("RELP 17 is <b>group quarters</b>")
    expect(page.locator(".timeline")).to_contain_text("by ana")

    listed = seen.go("/incidents?state=closed")
    expect(listed.locator(".incidents")).to_contain_text("Drift in RELP")
    assert seen.go("/incidents?state=closed&severity=info").locator(".incidents").count() == 0


def test_forms_work_without_scripts(visit: Callable[..., Any], console: Any) -> None:
    page = visit(key=None, java_script_enabled=False).page
    page.goto(f"{console.url}/incidents")
    page.get_by_text("With a key instead").click()
    page.get_by_label("Key").fill(console.person)
    page.get_by_role("button", name="Sign in with the key").click()
    page.locator(".incidents .what a").last.click()
    page.get_by_label("Comment").fill("seen without scripts")
    page.get_by_role("button", name="Add comment").click()
    _says(page, "Comment added")
    expect(page.locator(".timeline")).to_contain_text("seen without scripts")
    page.goto(f"{console.url}/models/census-employment")
    page.get_by_label("Window", exact=True).select_option(index=2)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("window=20"))


def _an_incident(seen: Any, title: str = "") -> str:
    page = seen.go("/incidents")
    return page.locator(".incidents .what a").filter(has_text=title).first.get_attribute("href")


def _press(page: Any, action: str, note: str = "") -> None:
    page.locator(f"#{action}-note").fill(note)
    page.get_by_role("button", name=action.capitalize(), exact=True).click()


def _says(page: Any, words: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(words)
