"""The examples of the pages do what they say: they are run, one after the other, against a service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from scripted import KEY

import vigil_client

PAGES = [Path(__file__).parents[1] / "README.md", Path(__file__).parents[2] / "docs" / "client.md"]


@pytest.mark.parametrize("page", [p for p in PAGES if p.exists()], ids=lambda p: p.name)
def test_the_examples_run(service: Any, monkeypatch: Any, page: Path) -> None:
    monkeypatch.setenv("VIGIL_URL", service.url)
    monkeypatch.setenv("VIGIL_KEY", KEY)
    made: list[vigil_client.Client] = []

    class Kept(vigil_client.Client):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            made.append(self)

    monkeypatch.setattr(vigil_client, "Client", Kept)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, page.name, "exec"), names)
    for client in made:
        assert client.close()
        assert client.stats.sent == client.stats.logged > 0
        assert client.stats.reasons == {}
    assert "app-1" in service.ids


def test_the_readme_names_every_argument() -> None:
    import inspect

    table = PAGES[0].read_text("utf-8").partition("## Arguments")[2]
    named = set(re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line)))
    assert named == set(inspect.signature(vigil_client.Client).parameters)
