"""The OpenAPI document, word for word: what changes for callers is seen. ``UPDATE_GOLDEN=1`` writes it anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from api.server import create
from monitor.app import App
from monitor.settings import Settings


def test_the_document_is_the_one_that_was_agreed(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    document = create(App(Settings(data_dir=tmp_path, worker="none"))).openapi()
    document["info"]["version"] = "any"
    golden("openapi.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
