"""docs/catalogue.md is what the catalogue says. ``UPDATE_GOLDEN=1`` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from detectors.catalogue import CATALOGUE
from monitor.cli.catalogue import catalogue_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "catalogue.md"


def test_the_page_is_that_of_the_catalogue() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(catalogue_page(), "utf-8")
    shown = PAGE.read_text("utf-8")
    assert shown == catalogue_page()
    assert all(f"| `{name}` |" in shown for name in CATALOGUE)
