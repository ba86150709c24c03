"""Golden files: what was agreed, kept beside the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with the golden file of that name; with ``UPDATE_GOLDEN=1`` it becomes the golden file."""

    def check(name: str, text: str) -> None:
        file = FOLDER / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            file.write_text(text, "utf-8")
        assert file.exists(), f"no golden {name} yet: run with UPDATE_GOLDEN=1 to write it"
        agreed = file.read_text("utf-8").splitlines()
        assert text.splitlines() == agreed, f"{name} has changed: run with UPDATE_GOLDEN=1 if that is meant"

    return check
