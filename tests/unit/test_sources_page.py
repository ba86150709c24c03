"""docs/sources.md: every key of a source stands there, and each example is read as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.model import parse_declaration
from monitor.model.sources import KINDS, READS, SELECTORS
from monitor.sources import FORMATS, decode

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


def test_every_key_and_kind_is_on_the_page() -> None:
    for key in {"kind", *READS, *KINDS, *(key for keys in SELECTORS.values() for key in keys)}:
        assert f"`{key}`" in SECTIONS["The keys of a source"], key


@pytest.mark.parametrize("section", ["KServe and Seldon", "SageMaker", "Databricks", "MLflow", "BentoML"])
def test_the_examples_are_read(section: str) -> None:
    [declared] = blocks(section, "yaml")
    spec = parse_declaration(declared, "yaml")
    if (format_ := section.lower()) in FORMATS:
        [record] = blocks(section, "json")
        found = decode(format_, "application/x-ndjson", record.encode(), "predictions", {"endpoint": "churn"}, spec)
        assert found.n_rows > 0
        assert found.rejects == []
        assert {f"features.{name}" for name in spec.features} == {n for n in found.data if n.startswith("features.")}
