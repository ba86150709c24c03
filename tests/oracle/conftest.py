"""``pytest tests/oracle --vectors FILE`` runs any file of reference cases through the code that runs our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "vectors" / "vectors.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vectors", type=Path, default=VECTORS, help="a file of reference cases, of vectors.json's shape")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a ``vector`` runs once for each case of the file."""
    if "vector" in metafunc.fixturenames:
        cases = json.loads(metafunc.config.getoption("--vectors", VECTORS).read_text(encoding="utf-8"))["cases"]
        names = ["-".join(filter(None, (c["id"], c["metric"], c["variant"], c["case"]))) for c in cases]
        metafunc.parametrize("vector", cases, ids=names)


@pytest.fixture
def own_vectors(pytestconfig: pytest.Config) -> list[dict]:
    """The cases kept here, whatever file was asked for."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
