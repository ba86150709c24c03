"""The words of the interface are documented, and the documents name nothing that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from detectors.catalogue import CATALOGUE
from detectors.point import Reason
from incidents.verdict import VerdictKind
from monitor.judge import defaults, respond
from monitor.model import ModelSpec

ROOT = Path(__file__).resolve().parents[2]
METRICS_PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
MONITORS_PAGE = (ROOT / "docs" / "monitors.md").read_text("utf-8")


def section(page: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no section '{title}'"
    return found[1]


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_every_reason_of_a_point_is_explained_and_no_other() -> None:
    assert first_cells(section(METRICS_PAGE, "Why a value is unknown")) == [r.value for r in Reason]


def judge_words() -> set[str]:
    """The reasons that the judge gives in its own words: what stands behind a kind of verdict in a pair."""
    tree = ast.parse((ROOT / "monitor" / "judge" / "verdicts.py").read_text("utf-8"))
    pairs = [node.elts for node in ast.walk(tree) if isinstance(node, ast.Tuple) and len(node.elts) == 2]
    return {
        second.value
        for first, second in pairs
        if ast.unparse(first).startswith("VerdictKind.")
        and isinstance(second, ast.Constant)
        and isinstance(second.value, str)
    }


def test_every_reason_of_a_verdict_is_explained_and_no_other() -> None:
    words = judge_words()
    assert len(words) >= 3
    text = section(METRICS_PAGE, "What a verdict says")
    assert set(first_cells(text)) == words
    assert all(f"`{kind.value}`" in text for kind in VerdictKind)


def test_each_number_of_the_defaults_is_in_the_page_with_its_name() -> None:
    numbers = {
        name: value
        for name, value in vars(defaults).items()
        if name.isupper() and isinstance(value, int | float | tuple)
    } | {"SEVERE": respond.SEVERE}
    assert len(numbers) >= 11
    for name, value in numbers.items():
        assert f"`{name}`" in MONITORS_PAGE, f"docs/monitors.md does not say why {name}"
        for number in value if isinstance(value, tuple) else (value,):
            said = f"{number:g}"
            words = {"2": "twice", "8": "8", "4": "4"}.get(said, said)
            assert words in MONITORS_PAGE, f"{name} is {number}, which docs/monitors.md does not say"


def test_the_monitors_of_the_page_are_the_defaults() -> None:
    from detectors.reference import Reference
    from detectors.summaries.space import example_space
    from detectors.summaries.summary import Summary

    spec = ModelSpec("m", "binary_classification", protected_attributes={}, favourable="1")
    reference = Reference.build("r", example_space(), [Summary.zero()])
    baseline = {("roc_auc", "model"): 0.9, ("accuracy", "model"): 0.8}
    found = {m.metric for m in defaults.monitors_for(spec, reference, baseline)}
    named = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| ([^|]*) \|", MONITORS_PAGE, re.MULTILINE))))
    assert found <= named
    assert named <= set(CATALOGUE)
