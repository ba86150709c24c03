"""The console in a real browser: what it shows, and that every view is a link."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
import small
from playwright.sync_api import expect

pytestmark = pytest.mark.needs_chromium

MODEL = "/models/census-employment"
REPORT = f"{MODEL}/report?from=2018-01-01&to=2018-01-08"
SMALL = [f"/models/{name}" for name in small.DECLARATIONS]


def test_home_says_what_needs_somebody_and_how_each_model_stands(visit: Callable[..., Any]) -> None:
    page = visit().go("/")
    expect(page.locator("#now")).to_contain_text("Needs somebody")
    expect(page.locator(".incidents")).to_contain_text("Drift in RELP")
    expect(page.locator("tbody tr")).to_have_count(1 + len(small.DECLARATIONS))
    row = page.locator("tbody tr").filter(has_text="census-employment")
    expect(row.locator("[data-name=Drift] .status")).to_have_text(re.compile("▲\\s*breach"))
    expect(row.locator("[data-name=Quality] .status")).to_have_text(re.compile("✓\\s*ok"))
    expect(row.locator("[data-name=Predictions]")).to_contain_text("14,000")
    expect(row.locator("[data-name='With outcome']")).to_contain_text("100%")
    assert row.locator("svg.spark").get_attribute("aria-label").startswith("ROC AUC over")


def test_a_models_page_draws_every_chart_and_its_links_lead_on(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go(MODEL)
    charts = page.locator(".chart")
    assert charts.count() == 1 + 4 + 2 + 3 + 3      # heat, drift, performance and coverage, disparities, groups
    for i in range(charts.count()):
        assert charts.nth(i).locator("svg.marks, svg").first.bounding_box()["width"] > 150
        assert charts.nth(i).get_attribute("aria-label")

    page.get_by_role("link", name=re.compile("^AGEP")).click()
    expect(page).to_have_url(re.compile("feature=AGEP"))
    expect(page.locator("#feature h3").first).to_contain_text("AGEP")
    page.get_by_role("link", name="RAC1P", exact=True).last.click()
    expect(page).to_have_url(re.compile("feature=AGEP.*attribute=RAC1P"))
    page.get_by_role("link", name="Brier score").click()
    expect(page.locator("#performance ~ .pair h3").first).to_contain_text("Brier score")
    page.get_by_role("link", name="Earlier window").click()
    expect(page).to_have_url(re.compile("window=2018"))
    page.get_by_label("Window", exact=True).select_option(index=3)
    expect(page.get_by_role("link", name="latest")).to_be_visible()


def test_a_cell_of_the_heat_strip_is_a_link(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go(MODEL)
    box = page.locator("#heat svg .mark-rect path").nth(5).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 2)
    expect(page).to_have_url(re.compile(r"feature=\w+&window=20\d\d"))
    page.wait_for_selector("html[data-drawn]")


def test_the_numbers_behind_a_chart_are_those_of_the_store(visit: Callable[..., Any], console: Any) -> None:
    page = visit().go(MODEL)
    page.locator(".numbers[data-of=metric-line] summary").click()
    asked = {"metric": "roc_auc", "scope": "model"}
    headers = {"Authorization": f"Bearer {console.reader}"}
    found = httpx.get(f"{console.url}/v1{MODEL}/points", params=asked, headers=headers).json()["points"]
    assert len(found) >= 8
    expect(page.locator(".numbers[data-of=metric-line] tbody tr")).to_have_count(len(found))
    shown = page.locator(".numbers[data-of=metric-line] tbody").inner_text()
    assert all(f"{p['value']:.4g}" in shown for p in found)


def test_small_groups_are_named_and_nothing_more(visit: Callable[..., Any]) -> None:
    page = visit().go(f"{MODEL}?attribute=RAC1P")
    expect(page.locator("#fairness ~ .note").first).to_contain_text("RAC1P=4")
    page.locator(".numbers[data-of=rate-1] summary").click()
    row = page.locator(".numbers[data-of=rate-1] tbody tr").filter(has_text="too few rows to show").first
    assert re.findall(r"\d+", row.inner_text())[1:] == []      # the group's own name, and no number of it


def test_an_estimate_stands_beside_the_realised_figure_and_never_for_it(visit: Callable[..., Any]) -> None:
    seen = visit()
    last = small.START + timedelta(days=small.DAYS - 1)
    page = seen.go(f"/models/pets?window={last.isoformat().replace('+00:00', 'Z')}")
    expect(page.locator("#performance ~ .pair")).to_contain_text("outcomes known for 0%")
    row = page.locator("#performance ~ .pair tr").filter(has_text="ROC AUC")
    expect(row.locator("[data-name=Realised]")).to_have_text("–")
    expect(row.locator("[data-name=Estimate] i")).to_have_text(re.compile(r"0\.\d+"))
    expect(row.locator("[data-name=Verdict]")).to_contain_text("no outcomes")
    dashed = page.locator("#metric-line svg .mark-line path[stroke-dasharray='6,4']")
    expect(dashed).to_have_count(1)
    assert "estimated" not in page.locator("section[aria-labelledby=fairness]").inner_text()
    page = seen.go("/models/pets")
    row = page.locator("#performance ~ .pair tr").filter(has_text="ROC AUC")
    expect(row.locator("[data-name=Realised]")).to_have_text(re.compile(r"0\.\d+"))


def test_what_would_decide_stands_beside_the_inconclusive(visit: Callable[..., Any]) -> None:
    page = visit().go("/models/pets?attribute=age")
    said = page.locator("section[aria-labelledby=fairness] .verdict").filter(has_text="inconclusive").first
    expect(said).to_contain_text(re.compile(r"needs about [\d.,]+ times the rows: .* at this volume"))


def test_models_of_other_tasks_have_their_own_figures(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go("/models/pets")
    expect(page.locator("table").filter(has_text="Class").last.locator("tbody tr")).to_have_count(len(small.CLASSES))
    page.get_by_role("link", name="sex&age", exact=True).click()
    expect(page.locator("#fairness ~ h3").first).to_contain_text("Groups of sex&age")
    page.locator(".numbers[data-of=rate-1] summary").click()
    expect(page.locator(".numbers[data-of=rate-1] tbody tr")).to_have_count(6)
    page = seen.go("/models/prices")
    expect(page.locator("#performance ~ .pair h3").first).to_contain_text("MAE")
    expect(page.locator("section[aria-labelledby=fairness]")).to_contain_text("MAE difference")
    expect(page.locator(".signals li").first).to_contain_text("Page-Hinkley: error went up")
    page = seen.go("/models/search")
    expect(page.locator("#performance ~ .pair h3").first).to_contain_text("NDCG")
    assert page.locator("#fairness").count() == 0


def test_the_budget_of_false_alarms_is_told_with_what_it_rests_on(visit: Callable[..., Any]) -> None:
    section = visit().go(MODEL).locator("section[aria-labelledby=incidents]")
    expect(section).to_contain_text(re.compile(r"Promised\s*at most 0\.117"))
    expect(section).to_contain_text(re.compile(r"Unknown, because \d+ windows have been judged, and a year has 117\."))
    expect(section).to_contain_text(re.compile(r"0 of \d incidents were disposed of as false positive"))


def test_the_full_report_is_found_narrowed_and_holds_back_small_groups(visit: Callable[..., Any]) -> None:
    seen = visit()
    page = seen.go(f"{MODEL}?window=2018-01-01T00:00:00Z")
    page.get_by_role("link", name="Full report").click()
    expect(page.locator("h1")).to_contain_text("Full report")
    rows = page.locator("tr[data-words]:visible")
    page.get_by_label("Find").fill("hellinger relp")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Hellinger distance")
    page.get_by_label("Find").fill("nothing like it")
    expect(page.locator("section:visible")).to_have_count(0)
    page.get_by_label("Find").fill("")
    page.get_by_role("link", name=re.compile("^fairness")).click()
    expect(page).to_have_url(re.compile("family=fairness"))
    expect(page.locator("section")).to_have_count(1)
    few = page.locator("tr[data-words]").filter(has_text="RAC1P=4").filter(has_text="selection rate")
    expect(few.locator("[data-name=n]")).to_have_text("–")
    expect(few).to_contain_text("too few samples")
    page.get_by_role("link", name="Window before").click()
    expect(page.get_by_label("From")).to_have_value("2017-12-25")


@pytest.mark.parametrize("path", ["/", MODEL, REPORT, *SMALL, "/incidents", "incident", "/sign-in", "/models/none"])
def test_on_a_phone_nothing_runs_off_the_side(visit: Callable[..., Any], path: str) -> None:
    seen = visit(viewport={"width": 360, "height": 740}, has_touch=True)
    page = seen.go(_path(seen, path))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    seen.faults[:] = [f for f in seen.faults if "404" not in f]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", MODEL, REPORT, SMALL[0], "/incidents", "incident", "/sign-in"])
def test_text_stands_out_from_its_ground(visit: Callable[..., Any], path: str, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5, of every piece of text as it is painted."""
    seen = visit(color_scheme=scheme)
    page = seen.go(_path(seen, path))
    luminance = page.evaluate(_LUMINANCE)
    assert luminance < 0.05 if scheme == "dark" else luminance > 0.8
    assert page.evaluate(_FAINT) == []


def test_headings_go_down_one_step_at_a_time(visit: Callable[..., Any]) -> None:
    seen = visit()
    for path in ("/", MODEL, REPORT, *SMALL, "/incidents", "incident", "/sign-in"):
        page = seen.go(_path(seen, path))
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels)), (path, levels)
        assert page.evaluate("document.querySelectorAll('input:not([type=hidden]):not([id])').length") == 0


def test_charts_follow_the_scheme(visit: Callable[..., Any]) -> None:
    seen = visit(color_scheme="light")
    page = seen.go(MODEL)
    line = page.locator("#metric-line svg .mark-line path").first
    light = line.get_attribute("stroke")
    assert light
    page.emulate_media(color_scheme="dark")
    expect(line).to_have_attribute("stroke", re.compile(f"^(?!{light})"))


def test_nothing_is_asked_of_another_host_and_nothing_inline_runs(visit: Callable[..., Any], console: Any) -> None:
    seen = visit()
    asked: list[str] = []
    seen.page.on("request", lambda r: asked.append(r.url))
    seen.go(MODEL)
    assert {u for u in asked if not u.startswith((console.url, "data:"))} == set()
    headers = {"Authorization": f"Bearer {console.reader}"}
    answer = httpx.get(console.url + MODEL, headers=headers)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["content-encoding"] == "gzip"
    assert not re.search(r"<script(?![^>]*(src=|application/json))| style=| on[a-z]+=", answer.text)
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
        assert "immutable" in httpx.get(console.url + address).headers["cache-control"]


def test_a_model_that_is_not_there_or_a_wrong_choice_is_a_page_that_says_so(console: Any) -> None:
    headers = {"Authorization": f"Bearer {console.reader}"}
    for path, status, said in (
        ("/models/none", 404, "no model"),
        (f"{MODEL}?feature=none", 404, "It has"),
        (f"{MODEL}?attribute=none", 404, "There are"),
        (f"{MODEL}?metric=none", 404, "Measured are"),
        (f"{MODEL}?window=soon", 422, "is no instant"),
        (f"{MODEL}/report?from=2018-01-01", 422, "to: Field required"),
        (f"{MODEL}/report?from=2018-01-01T00:30:00&to=2018-01-02", 422, "the grain"),
        (f"{REPORT}&family=odd", 404, "There are"),
        ("/incidents?state=odd", 422, "state"),
        ("/incidents/none", 404, "no incident"),
    ):
        answer = httpx.get(console.url + path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
        assert said in answer.text


def _path(seen: Any, path: str) -> str:
    if path != "incident":
        return path
    page = seen.go("/incidents")
    return page.locator(".incidents .what a").first.get_attribute("href")


_LUMINANCE = """() => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""

_FAINT = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const lum = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
    .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || e.closest('script,svg,.sr,option') || !e.getClientRects().length) continue;
    const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(walk.currentNode.data.trim().slice(0, 40));
  }
  for (const t of document.querySelectorAll('.chart svg text')) {
    const [a, b] = [lum(parse(getComputedStyle(t).fill)), lum(ground(t.closest('.chart')))].sort((x, y) => y - x);
    if (t.textContent && (a + 0.05) / (b + 0.05) < 4.5) faint.push(t.textContent);
  }
  return faint;
}"""
