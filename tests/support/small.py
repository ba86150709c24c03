"""Small models of the tasks that the shipped data have not: many classes, a ranking, a regression; ten days of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS, ROWS = 10, 300
UNSEEN = 2                  # the last days, of which no outcome has come yet
CLASSES = ("cat", "dog", "bird")
_COMMON = """
features: {weight: numeric, coat: categorical, vector: "embedding[3]"}
windows: {drift: 1d, performance: 1d, fairness: 1d}
"""
_PEOPLE = "protected_attributes: {sex: {reference_group: 1, min_group: 5}, age: {min_group: 5}}\n"
DECLARATIONS = {
    "pets": f"model: pets\ntask: multiclass_classification\nclasses: [{', '.join(CLASSES)}]\nfavourable: dog\n"
            f"intersections: [[sex, age]]\n{_PEOPLE}{_COMMON}",
    "prices": f"model: prices\ntask: regression\n{_PEOPLE}{_COMMON}"
              "streams: [{stream: error, detector: page_hinkley}]\n",
    "search": f"model: search\ntask: ranking\ntop: 3\n{_COMMON}",
}  # fmt: skip


def posts(model: str) -> Iterator[tuple[str, bytes]]:
    """The reference, then each day's predictions, and its outcomes but for the last days."""
    yield "reference", _body([p | o for p, o in _rows(model, 0, 800)])
    for day in range(1, DAYS + 1):
        rows = list(_rows(model, day, ROWS))
        yield "predictions", _body([p for p, _ in rows])
        if day <= DAYS - UNSEEN:
            at = (START + timedelta(days=day, hours=20)).isoformat()
            yield "outcomes", _body([{"prediction_id": p["prediction_id"], "timestamp": at} | o for p, o in rows])


def _rows(model: str, day: int, n: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    rng = np.random.default_rng(day)
    for i in range(n):
        truth = int(rng.integers(0, 3))
        features = {"weight": float(rng.normal(truth)), "coat": "xyz"[rng.integers(3)],
                    "vector": rng.normal(truth, 1, 3).round(3).tolist()}  # fmt: skip
        at = (START + timedelta(days=day, minutes=i)).isoformat()
        row = {"prediction_id": f"{day}-{i}", "timestamp": at, "features": features}
        if model != "search":
            row["protected"] = {"sex": 1 + i % 2, "age": i % 3}
        output, outcome = _told(model, rng, truth, day)
        yield row | output, outcome


def _told(model: str, rng: np.random.Generator, truth: int, day: int) -> tuple[dict[str, Any], dict[str, Any]]:
    if model == "pets":
        shares = rng.dirichlet(1 + 2 * np.eye(3)[truth]).tolist()
        return {"prediction_score": dict(zip(CLASSES, shares, strict=True))}, {"actual_label": CLASSES[truth]}
    if model == "prices":
        wrong = 4.0 if day > DAYS // 2 else 1.0
        return {"prediction_value": truth + float(rng.normal(0, wrong))}, {"actual_value": float(truth)}
    scores = {f"item{i}": float(rng.random() + 0.3 * (i == truth)) for i in range(6)}
    return {"prediction_score": scores}, {"actual_relevance": {f"item{truth}": 1.0}}


def _body(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows).encode()
