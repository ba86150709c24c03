"""The committed dashboards are what the code builds, keep to Grafana's model, and speak of series that there are."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from grafana.build import FOLDER, files

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "tests" / "grafana_schema" / "dashboard.json").read_text("utf-8"))
PAGE = (ROOT / "tests" / "golden" / "metrics_page.txt").read_text("utf-8")
DASHBOARDS = {name: json.loads(text) for name, text in files().items()}
BUILT_IN = {"datasource", "__rate_interval"}

each_dashboard = pytest.mark.parametrize("board", DASHBOARDS.values(), ids=list(DASHBOARDS))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in board["panels"] if p["type"] != "row"]


def queries(board: dict[str, Any]) -> list[str]:
    return [t["expr"] for p in panels(board) for t in p["targets"]]


def served() -> set[str]:
    """The names of the series of the metrics page, histograms' three included."""
    names = set()
    for line in PAGE.splitlines():
        name, kind = line.split(" ")[:2]
        names |= {f"{name}_{s}" for s in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def asked(expr: str) -> set[str]:
    return set(re.findall(r"\b(?:vigil|process)_\w+", re.sub(r'"[^"]*"', '""', expr)))


def test_the_committed_files_are_what_the_code_builds() -> None:
    committed = {f.name: f.read_text("utf-8") for f in FOLDER.iterdir()}
    assert committed == files(), "run: python -m grafana.build"


def test_the_uids_never_change() -> None:
    assert {b["uid"] for b in DASHBOARDS.values()} == {"vigil-on-call", "vigil-management"}


@each_dashboard
def test_the_dashboard_keeps_to_grafanas_model(board: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(board)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("panels", 1, "targets", 0, "datasource", "uid"), "one-grafana's-own"),
        (("panels", 1, "gridPos", "w"), 25),
        (("panels", 1, "fieldConfig", "defaults", "unit"), "parsec"),
        (("panels", 1, "description"), ""),
        (("schemaVersion",), 17),
        (("colour",), "mauve"),
    ],
)
def test_the_schema_would_see_a_fault(path: tuple[Any, ...], value: Any) -> None:
    board = json.loads(files()["vigil-on-call.json"])
    place = board
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(board)


@each_dashboard
def test_panels_have_ids_of_their_own_and_do_not_overlap(board: dict[str, Any]) -> None:
    ids = [p["id"] for p in board["panels"]]
    assert len(set(ids)) == len(ids)
    for p in board["panels"]:
        assert p["gridPos"]["x"] + p["gridPos"]["w"] <= 24, p["title"]
    for a, b in combinations(board["panels"], 2):
        g, h = a["gridPos"], b["gridPos"]
        beside = g["x"] + g["w"] <= h["x"] or h["x"] + h["w"] <= g["x"]
        below = g["y"] + g["h"] <= h["y"] or h["y"] + h["h"] <= g["y"]
        assert beside or below, f"{a['title']} overlaps {b['title']}"


@each_dashboard
def test_targets_are_told_apart_and_titles_too(board: dict[str, Any]) -> None:
    for p in panels(board):
        refs = [t["refId"] for t in p["targets"]]
        assert len(set(refs)) == len(refs), p["title"]
    titles = [p["title"] for p in panels(board)]
    assert len(set(titles)) == len(titles)


@each_dashboard
def test_every_variable_that_is_used_is_defined(board: dict[str, Any]) -> None:
    defined = {v["name"] for v in board["templating"]["list"]}
    used = {name for q in queries(board) for name in re.findall(r"\$\{?(\w+)", q)}
    assert used <= defined | BUILT_IN
    assert defined <= used | BUILT_IN, "a variable that no panel uses"


@each_dashboard
def test_every_series_that_is_asked_for_is_served(board: dict[str, Any]) -> None:
    names = {name for q in queries(board) for name in asked(q)}
    assert names, "the dashboard asks for nothing"
    assert names <= served()


def test_every_series_of_the_rules_is_served() -> None:
    files_ = sorted((ROOT / "deploy" / "rules").glob("*.yml"))
    rules = [r for f in files_ for g in yaml.safe_load(f.read_text("utf-8"))["groups"] for r in g["rules"]]
    assert len(rules) > 8
    for rule in rules:
        assert asked(rule["expr"]) <= served(), rule
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
            assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_provisioning_names_files_that_grafana_reads() -> None:
    folder = ROOT / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "vigil.yaml").read_text("utf-8"))
    provider = yaml.safe_load((folder / "dashboards" / "vigil.yaml").read_text("utf-8"))
    assert source["apiVersion"] == provider["apiVersion"] == 1
    assert source["datasources"][0]["type"] == "prometheus"
    scrape = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))["global"]["scrape_interval"]
    assert source["datasources"][0]["jsonData"]["timeInterval"] == scrape
    assert provider["providers"][0]["type"] == "file"
