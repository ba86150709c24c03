"""What axe-core finds on each page against WCAG 2.2 A and AA, wide and narrow, light and dark: nothing, but for the
size of links on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.needs_chromium

RULES = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
PAGES = ("/", "/incidents", "incident", "disparity", "/actions", "/account", "/models/census-employment", "/sign-in")


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule(visit: Callable[..., Any], size: dict[str, int], scheme: str) -> None:
    seen = visit(viewport=size, color_scheme=scheme, bypass_csp=True)       # axe is put into the page as a script
    links = seen.go("/incidents").locator(".incidents .what a")
    of = {"incident": links.first, "disparity": links.filter(has_text="Disparity").first}
    paths = [of[path].get_attribute("href") if path in of else path for path in PAGES]
    rules = RULES if size is LAPTOP else RULES | {"rules": {"target-size": {"enabled": False}}}
    found = [(path, v["id"], v["nodes"][0]["html"][:200]) for path in paths
             for v in Axe().run(seen.go(path), options=rules).response["violations"]]  # fmt: skip
    assert found == []
