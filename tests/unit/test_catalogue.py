"""The catalogue names what is measured, and what it names is measured: by models of every task, of all there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inprocess import declare, fold, open_vigil, take

from detectors import drift
from detectors.catalogue import CATALOGUE
from detectors.catalogue.entry import ANY_TASK
from monitor import queries
from monitor.app import App
from monitor.times import to_micros

START = datetime(2026, 6, 1, tzinfo=UTC)
COMMON = """
features: {weight: numeric, height: numeric, coat: categorical}
protected_attributes: {sex: {reference_group: 1, min_group: 5}}
windows: {drift: 1d, performance: 1d, fairness: 1d}
"""
MODELS = {
    "binary_classification": "favourable: 1\ncost_matrix: {1: {1: 5, 0: -10}}",
    "multiclass_classification": "classes: [a, b, c]\nfavourable: a\ncost_matrix: {a: {b: -1}}",
    "regression": "quantile: 0.9",
    "ranking": "top: 3",
}


def output(task: str, rng: np.random.Generator, truth: int) -> dict[str, Any]:
    match task:
        case "binary_classification":
            return {"prediction_score": float(rng.beta(2 + 2 * (truth % 2), 3))}
        case "multiclass_classification":
            shares = rng.dirichlet(1 + 2 * np.eye(3)[truth])
            return {"prediction_score": dict(zip("abc", shares.tolist(), strict=True))}
        case "regression":
            return {"prediction_value": truth + float(rng.normal())}
    return {"prediction_score": {f"item{i}": float(rng.random() + (i == truth)) for i in range(6)}}


def outcome(task: str, truth: int) -> dict[str, Any]:
    match task:
        case "binary_classification":
            return {"actual_label": truth % 2}
        case "multiclass_classification":
            return {"actual_label": "abc"[truth]}
        case "regression":
            return {"actual_value": truth + 1.0}
    return {"actual_relevance": {f"item{truth}": 1.0}}


def rows(task: str, day: int, n: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Predictions of a day, each with its outcome."""
    rng = np.random.default_rng(day)
    for i in range(n):
        truth = int(rng.integers(0, 3))
        at = (START + timedelta(days=day, seconds=60 * i)).isoformat()
        weight = float(rng.normal(truth))
        features = {"weight": weight, "height": weight + float(rng.normal()), "coat": "xyz"[rng.integers(3)]}
        about = {"prediction_id": f"{day}-{i}", "timestamp": at}
        prediction = {**about, "features": features, "protected": {"sex": 1 + i % 2}, **output(task, rng, truth)}
        yield prediction, outcome(task, truth)


def points_of(vigil: App, task: str) -> list[dict[str, Any]]:
    """Every point of one day's report of a model of that task."""
    name = task.replace("_", "-")
    declare(vigil, f"model: {name}\ntask: {task}\n{MODELS[task]}\n{COMMON}".encode())
    reference = [{**p, **o} for p, o in rows(task, 0, 600)]
    day = list(rows(task, 10, 300))
    at = (START + timedelta(days=20)).isoformat()
    outcomes = [{"prediction_id": p["prediction_id"], "timestamp": at, **o} for p, o in day]
    sent = (("reference", reference), ("predictions", [p for p, _ in day]), ("outcomes", outcomes))
    take(vigil, name, [(kind, json.dumps(body).encode()) for kind, body in sent], media="application/json")  # type: ignore[misc]
    fold(vigil, name)
    state = vigil.model_state(name)
    assert state is not None
    watch = queries.watch_of(vigil.spec(name, state.declaration), state)
    start = to_micros(START + timedelta(days=10))
    report = vigil.ask(queries.report, state, watch, start, start + 86_400_000_000, None, None)
    return list(report["points"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    folder: Path = tmp_path_factory.mktemp("catalogue")
    vigil = open_vigil(folder)
    try:
        return {task: points_of(vigil, task) for task in MODELS}
    finally:
        vigil.stop()


@pytest.mark.parametrize("task", MODELS)
def test_every_metric_of_a_task_is_measured_and_no_other(measured: dict[str, Any], task: str) -> None:
    found = {p["metric"] for p in measured[task]}
    assert found == {m.name for m in CATALOGUE.values() if task in m.tasks}


def test_a_metric_has_an_interval_exactly_where_the_catalogue_names_its_method(measured: dict[str, Any]) -> None:
    known = [p for points in measured.values() for p in points if p["status"] == "known"]
    without = {name for name in CATALOGUE if name not in {p["metric"] for p in known}}
    assert without == set(), "a metric of which no model knows the value"
    for p in known:
        entry = CATALOGUE[p["metric"]]
        assert (p["interval"] is not None) == (entry.interval is not None), p
        if p["interval"] is not None and entry.family != "drift":
            assert p["interval"][0] <= p["value"] <= p["interval"][1], p
        assert p["estimate"] == (entry.family == "estimation")


def test_what_is_kept_of_the_columns_is_what_drift_measures_unasked() -> None:
    assert {m.name for m in CATALOGUE.values() if m.kept} & drift.METRICS == drift.HEADLINE


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_entry_is_whole(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.name == name
    assert entry.needs
    assert entry.tasks
    assert set(entry.tasks) <= set(ANY_TASK)
    assert entry.description.endswith(".")
    assert all(word.strip() == word != "" for word in (entry.unit, entry.source, *entry.needs))
