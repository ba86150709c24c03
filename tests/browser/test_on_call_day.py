"""An on-call person's day with a bias finding, at the console: from the page to the closing, with a second person."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.needs_chromium


def test_from_the_page_to_the_closing(visit: Callable[..., Any], console: Any) -> None:
    seen = visit()
    page = seen.go("/incidents?state=live")
    link = page.locator(".incidents .what a").filter(has_text="Disparity by RAC1P").first.get_attribute("href")
    page = seen.go(link)
    expect(page.locator("#causes")).to_be_visible()
    expect(page.locator("section[aria-labelledby=worst]")).to_contain_text("decisions were made since it began")

    # By keys alone: each leads to its form, and Enter sends it.
    for key, note, said in (("a", "on it", "Acknowledged"), ("r", "the threshold is back", "Resolved")):
        page.keyboard.press(key)
        page.keyboard.type(note)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(said)
    page.keyboard.press("n")
    page.keyboard.type("seen in the report too")
    page.get_by_role("button", name="Add comment").click()
    expect(page.locator(".timeline")).to_contain_text("seen in the report too")

    page.get_by_label("Root cause").fill("a release moved the threshold")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.locator("#do ~ .notice")).to_contain_text("a re-test that passed, or an accepted risk")
    expect(page.get_by_role("button", name="Close")).to_have_count(0)
    page.get_by_role("button", name="Test again").click()
    expect(page.get_by_role("status")).to_contain_text("The re-test is recorded")
    expect(page.locator(".timeline")).to_contain_text("Tested again")

    page.get_by_label("Why it may stay").fill("the retrained model ships in March")
    page.get_by_label("Until", exact=True).fill("2027-03-01")
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("status")).to_contain_text("Another person has to approve it")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    second = visit(key=console.second).go(link)
    expect(second.locator(".waiting")).to_contain_text("accepting the risk until 2027-03-01")
    second.get_by_role("button", name="Approve").click()
    expect(second.get_by_role("status")).to_contain_text("Approved, and carried out")

    page = seen.go(link)
    expect(page.locator("section[aria-labelledby=finding]")).to_contain_text("Risk accepted by ana and cyd")
    expect(page.locator("#do ~ .notice")).to_contain_text("It needs a corrective action")
    page.get_by_label("What is done so that").fill("compare rates by group before a release")
    page.get_by_label("Due").fill("2026-12-15")
    page.get_by_label("Check whether it worked").fill("2027-01-15")
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("planned")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Closed")
    expect(page.locator("h1 + p .status").last).to_contain_text("closed")

    page = seen.go("/actions?state=open")
    row = page.locator("tbody tr").filter(has_text="compare rates by group")
    expect(row).to_contain_text("planned")
    row.get_by_role("link").click()
    page.get_by_role("button", name=re.compile("^Done")).click()
    page.get_by_role("button", name=re.compile("^It worked")).click()
    expect(page.locator("section[aria-labelledby=actions]")).to_contain_text("it worked")


def test_keys_are_told_and_can_be_switched_off(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go("/incidents")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.incidents') !== null")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Acknowledge")
    page.get_by_label("Use them").uncheck()
    page.get_by_role("button", name="Shut").click()
    page.locator("h1").click()
    page.reload()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement === document.body")
