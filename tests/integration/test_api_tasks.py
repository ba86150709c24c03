"""Models of many classes, intersections, embeddings and a cost matrix, from the request to the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inprocess import declare, fold, open_vigil, report, take
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from monitor import queries
from monitor.app import App
from monitor.equivalence import equivalence_of
from monitor.explain import explain
from monitor.judge.measure import WindowData
from monitor.judge.watch import Watch
from monitor.reliability import reliability_of
from monitor.store.models import ModelState
from monitor.times import to_micros

START = datetime(2026, 6, 1, tzinfo=UTC)
JSON = "application/json"
PETS = b"""
model: pets
task: multiclass_classification
classes: [cat, dog, bird]
features: {weight: numeric, coat: categorical, vector: "embedding[4]"}
favourable: dog
protected_attributes: {sex: {min_group: 20}, age: {min_group: 20}}
intersections: [[sex, age]]
segments: [country]
windows: {drift: 1d, performance: 1d, fairness: 1d}
cost_matrix: {dog: {dog: 5, cat: -10}}
"""
CLASSES = ("cat", "dog", "bird")


def rows(seed: int, day: int, n: int, outcome: bool) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    scores = rng.dirichlet([1, 1, 1], n) * 0.7 + np.eye(3)[truth] * 0.3
    sex, age = rng.integers(1, 3, n), rng.integers(0, 3, n)
    found = []
    for i in range(n):
        row: dict[str, Any] = {
            "prediction_id": f"{seed}-{i}",
            "timestamp": (START + timedelta(days=day, seconds=i)).isoformat(),
            "prediction_score": dict(zip(CLASSES, scores[i].round(6).tolist(), strict=True)),
            "features": {
                "weight": float(rng.normal(5 * truth[i], 1)), "coat": "abc"[rng.integers(3)],
                "vector": rng.normal(truth[i], 1, 4).round(4).tolist(),
            },
            "protected": {"sex": int(sex[i]), "age": int(age[i])},
            "tags": {"country": "uk" if i % 2 else "us"},
        }  # fmt: skip
        if outcome:
            row["actual_label"] = CLASSES[truth[i]]
        found.append(row)
    return found


def truths(seed: int, n: int) -> list[dict[str, Any]]:
    truth = np.random.default_rng(seed).integers(0, 3, n)
    at = (START + timedelta(days=40)).isoformat()
    return [{"prediction_id": f"{seed}-{i}", "timestamp": at, "actual_label": CLASSES[t]} for i, t in enumerate(truth)]


DAY = rows(2, 30, 600, outcome=False)
WINDOW = tuple(to_micros(START + timedelta(days=d)) for d in (30, 31))


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A day of 600 predictions with their outcomes, against a reference of 2,000 rows."""
    folder: Path = tmp_path_factory.mktemp("pets")
    vigil = open_vigil(folder)
    try:
        declare(vigil, PETS)
        posts = [("reference", rows(1, 0, 2000, outcome=True)), ("predictions", DAY), ("outcomes", truths(2, 600))]
        take(vigil, "pets", [(kind, json.dumps(sent).encode()) for kind, sent in posts], media=JSON)  # type: ignore[misc]
        fold(vigil, "pets")
        yield vigil
    finally:
        vigil.stop()


@pytest.fixture(scope="module")
def points(pets: App) -> tuple[dict[Any, Any], list[dict[str, Any]]]:
    """The day's report, and its predictions."""
    start = START + timedelta(days=30)
    return report(pets, "pets", start, start + timedelta(days=1)), DAY


@pytest.fixture(scope="module")
def watched(pets: App) -> tuple[ModelState, Watch, WindowData]:
    state = pets.model_state("pets")
    assert state is not None
    watch = queries.watch_of(pets.spec("pets", state.declaration), state)
    assert watch is not None
    return state, watch, pets.ask(queries.window_data, state, watch, *WINDOW)


def test_many_classes_are_what_scikit_learn_says(points: Any) -> None:
    found, day = points
    scores = np.array([[r["prediction_score"][c] for c in CLASSES] for r in day])
    decided, truth = scores.argmax(axis=1), np.random.default_rng(2).integers(0, 3, 600)
    value = {m: p["value"] for (m, attribute, _), p in found.items() if attribute is None}
    assert value["accuracy"] == pytest.approx(sk.accuracy_score(truth, decided))
    assert value["f1"] == pytest.approx(sk.f1_score(truth, decided, average="macro"))
    assert value["mcc"] == pytest.approx(sk.matthews_corrcoef(truth, decided))
    assert value["log_loss"] == pytest.approx(-np.log(scores[np.arange(600), truth]).mean(), abs=1e-6)
    areas = [sk.roc_auc_score(truth == c, scores[:, c]) for c in range(3)]
    assert value["roc_auc"] == pytest.approx(np.mean(areas), abs=2e-3)
    table = sk.confusion_matrix(truth, decided)
    assert value["business_value"] == pytest.approx((5 * table[1, 1] - 10 * table[0, 1]) / 600)
    assert value["row_count"] == 600


def test_an_intersection_has_the_groups_of_both_attributes(points: Any) -> None:
    found, day = points
    decided = [max(r["prediction_score"], key=r["prediction_score"].get) for r in day]
    mine = [d == "dog" for d, r in zip(decided, day, strict=True) if r["protected"] == {"sex": 1, "age": 2}]
    assert found["selection_rate", "sex&age", "1&2"]["value"] == pytest.approx(np.mean(mine))
    assert found["selection_rate", "sex&age", "1&2"]["n"] == len(mine)
    assert found["demographic_parity_difference", "sex&age", None]["value"] > 0


def test_each_class_has_a_reliability_curve(watched: Any) -> None:
    _, watch, data = watched
    found = reliability_of(watch, data)
    scores = np.array([[r["prediction_score"][c] for c in CLASSES] for r in DAY])
    truth = np.random.default_rng(2).integers(0, 3, 600)
    assert [curve["class"] for curve in found["curves"]] == list(CLASSES)
    for i, curve in enumerate(found["curves"]):
        rate, _ = calibration_curve(truth == i, scores[:, i], n_bins=10)
        assert [b["rate"] for b in curve["bins"]] == pytest.approx(rate.tolist())
        assert curve["expected_calibration_error"]["scope"]["output"] == f"label={CLASSES[i]}"
    assert found["expected_calibration_error"]["scope"]["output"] is None


def test_groups_of_an_intersection_are_tested_for_equivalence(watched: Any) -> None:
    _, watch, data = watched
    found = equivalence_of(watch, data, "demographic_parity_difference", "sex&age", 0.9)
    assert {g["group"] for g in found["rates"][0]["compared"]} == {f"{s}&{a}" for s in (1, 2) for a in (0, 1, 2)}
    assert found["equivalent"] is True
    assert found["text"] == "The data show that the groups differ by less than 0.9 in selection rate"


def test_an_embedding_has_its_part_in_an_explanation(pets: App, watched: Any) -> None:
    state, watch, _ = watched
    found = pets.ask(explain, pets.log, state, watch, *WINDOW)
    assert found["rows"] == {"reference": 2000, "window": 600}
    assert {f["feature"] for f in found["features"]} == {"weight", "coat", "vector"}
    (vector,) = [f for f in found["features"] if f["feature"] == "vector"]
    assert {(c["of"], c["name"]) for c in vector["columns"]} == {("dimension", f"vector[{i}]") for i in range(4)}
    assert found["text"].startswith("The rows of the window cannot be told from those of reference")
    assert found["left_out"] == []


SHOP = b"""
model: shop
task: ranking
top: 2
features: {hour: numeric}
segments: [country]
windows: {drift: 1d, performance: 1d, fairness: 1d}
"""


def lists(day: int, n: int, outcome: bool) -> list[dict[str, Any]]:
    """Ten items a list, by falling score; the relevant ones are the second, and for every other list also the ninth."""
    found = []
    for i in range(n):
        row: dict[str, Any] = {
            "prediction_id": f"{day}-{i}",
            "timestamp": (START + timedelta(days=day, seconds=i)).isoformat(),
            "prediction_score": {f"item{j}": 10.0 - j for j in range(10)},
            "features": {"hour": float(i % 24)},
            "tags": {"country": "uk" if i % 2 else "us"},
        }
        if outcome:
            row["actual_relevance"] = relevant(i)
        found.append(row)
    return found


def relevant(i: int) -> dict[str, float]:
    return {"item1": 1.0} if i % 2 else {"item1": 1.0, "item8": 2.0}


def test_a_ranking_is_judged_by_its_first_items(tmp_path: Path) -> None:
    vigil = open_vigil(tmp_path)
    try:
        declare(vigil, SHOP)
        at = (START + timedelta(days=40)).isoformat()
        told = [{"prediction_id": f"30-{i}", "timestamp": at, "actual_relevance": relevant(i)} for i in range(400)]
        posts = [("reference", lists(0, 1000, True)), ("predictions", lists(30, 400, False)), ("outcomes", told)]
        take(vigil, "shop", [(kind, json.dumps(sent).encode()) for kind, sent in posts], media=JSON)  # type: ignore[misc]
        fold(vigil, "shop")
        start = START + timedelta(days=30)
        found = report(vigil, "shop", start, start + timedelta(days=1))
    finally:
        vigil.stop()
    value = {m: p["value"] for (m, *_), p in found.items()}
    second = 1 / np.log2(3)
    assert value["mean_reciprocal_rank"] == pytest.approx(0.5)
    assert value["precision_at_k"] == pytest.approx(0.5)
    assert value["recall_at_k"] == pytest.approx((1 + 0.5) / 2)
    assert value["ndcg"] == pytest.approx((second + second / (2 + second)) / 2)
    assert found["ndcg", None, None]["n"] == 400


@pytest.mark.parametrize("bad", [0.5, {}, {"a": "x"}, {"a": True}, [1, 2]])
def test_a_list_that_is_none_is_refused_with_the_mend(tmp_path: Path, bad: Any) -> None:
    vigil = open_vigil(tmp_path)
    try:
        declare(vigil, SHOP)
        rows = lists(0, 2, False)
        rows[1]["prediction_score"] = bad
        sent = vigil.intake.take("shop", "predictions", JSON, json.dumps(rows).encode(), {}, None)
        receipt = asyncio.run(sent)
    finally:
        vigil.stop()
    assert (receipt.accepted, receipt.errors[0].field) == (1, "prediction_score")
    assert "send a map from item to score" in receipt.errors[0].reason


def test_mistyped_features_and_fields_that_nobody_declared_are_counted(tmp_path: Path) -> None:
    vigil = open_vigil(tmp_path)
    try:
        declare(vigil, SHOP)
        day = lists(30, 100, False)
        for row in day[:10]:
            row["features"] = {"hour": "noon"}
        for row in day[50:75]:
            row["features"] |= {"minute": 3}
        day.append({**day[20], "prediction_id": "s", "role": "shadow"})      # it counts apart, and takes no fault along
        vigil_rows = [("reference", lists(0, 200, False))]
        take(vigil, "shop", [(kind, json.dumps(sent).encode()) for kind, sent in vigil_rows], media=JSON)  # type: ignore[misc]
        for _ in range(2):           # sent again, they are duplicates, and so are their faults
            sent = vigil.intake.take("shop", "predictions", JSON, json.dumps(day).encode(), {"clock": "event"}, None)
            assert asyncio.run(sent).rejected == 0
        fold(vigil, "shop")
        state = vigil.model_state("shop")
        assert state is not None
        watch = queries.watch_of(vigil.spec("shop", state.declaration), state)
        start = to_micros(START + timedelta(days=30))
        found = vigil.ask(queries.report, state, watch, start, start + 86_400_000_000, None, None)["points"]
    finally:
        vigil.stop()
    value = {(p["metric"], p["scope"]["feature"]): (p["value"], p["n"]) for p in found}
    assert value["row_count", None] == (100.0, 100)
    assert value["type_error_rate", "hour"] == (0.1, 100)
    assert value["undeclared_field_rate", None] == (0.25, 100)
