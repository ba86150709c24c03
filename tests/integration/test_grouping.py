"""One cause, one incident, from rows to the incident and again from the log: each story ends in a rebuild."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from databases import Deployment
from inprocess import declare, fold, open_vigil, take
from state import EXACT, contents, differing

from incidents.incident import Incident
from incidents.verdict import Kind
from monitor import views
from monitor.app import App
from monitor.store import incidents

pytestmark = pytest.mark.both_databases

MODEL = "shop"
DECLARED: dict[str, Any] = {
    "model": MODEL, "task": "binary_classification", "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1, "label_delay": "1h", "protected_attributes": {"sex": {"min_group": 20}},
    "windows": {"drift": "1d", "performance": "1d", "fairness": "1d"},
    "monitors": [       # so wide that days of this few rows can be clean again
        *({"metric": "jensen_shannon", "scope": s, "breach": {"above": 0.2}}
          for s in ("feature:age", "feature:plan", "output:score")),
        {"metric": "unseen_category_rate", "scope": "feature:plan", "breach": {"above": 0.05}},
        {"metric": "roc_auc", "breach": {"below": 0.7}, "severity": "critical"},
        {"metric": "demographic_parity_ratio", "scope": "attribute:sex", "breach": {"below": 0.8}},
    ],
}  # fmt: skip
N, DAY = 600, timedelta(days=1)
Row = dict[str, Any]
Change = Callable[[Row, int], None]


class Shop:
    """A model of which each day brings rows, an outcome for each, and a look at the clock."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, self.at = deployment, datetime(2026, 3, 2, tzinfo=UTC)
        self.rng, self.sent = np.random.default_rng(5), 0
        self.vigil: App = open_vigil(deployment, lambda: self.at)
        declare(self.vigil, json.dumps(DECLARED).encode())
        reference = self.rows(self.at - 30 * DAY, 6_000)
        self.send("reference", [row | {"actual_label": self.label(row)} for row in reference])
        self.fold()

    def rows(self, start: datetime, n: int = N) -> list[Row]:
        out = []
        for i in range(n):
            plan = "abc"[self.rng.integers(3)]
            mean = {"a": 0.2, "b": 0.5, "c": 0.8}[plan]
            out.append({
                "prediction_id": f"p{self.sent}", "timestamp": (start + i * DAY / n).isoformat(), "model_version": "v1",
                "features": {"age": float(self.rng.normal(40, 10)), "plan": plan},
                "prediction_score": float(np.clip(self.rng.normal(mean, 0.1), 0, 1)),
                "protected": {"sex": "fm"[self.rng.integers(2)]},
            })  # fmt: skip
            self.sent += 1
        return out

    def label(self, row: Row) -> int:
        return int(self.rng.random() < row["prediction_score"])

    def send(self, kind: str, rows: list[Row]) -> None:
        take(self.vigil, MODEL, [(kind, json.dumps(rows).encode())], clock="wall", media="application/json")  # type: ignore[list-item]

    def fold(self) -> None:
        fold(self.vigil, MODEL)

    def days(self, n: int, change: Change | None = None, label: Callable[[Row], int] | None = None) -> None:
        for _ in range(n):
            rows = self.rows(self.at)
            self.at += DAY + timedelta(hours=2)
            known = [(row["prediction_id"], (label or self.label)(row)) for row in rows]
            for i, row in enumerate(rows):
                if change is not None:
                    change(row, i)
            self.send("predictions", rows)
            self.send("outcomes", [
                {"prediction_id": p, "timestamp": self.at.isoformat(), "actual_label": y} for p, y in known
            ])  # fmt: skip
            self.fold()
            self.vigil.worker.tick(MODEL)
            self.at -= timedelta(hours=2)

    def silent(self, days: int) -> None:
        for _ in range(days):
            self.at += DAY
            self.vigil.worker.tick(MODEL)

    @property
    def live(self) -> list[Incident]:
        state = self.vigil.model_state(MODEL)
        assert state is not None
        return list(self.vigil.ask(incidents.live_incidents, state.id))

    @property
    def kinds(self) -> list[str]:
        return ["+".join(f.kind.value for f in i.fingerprints) for i in self.live]

    def rebuilt(self) -> None:
        """The log alone makes the same incidents, rules and model."""
        before = contents(self.vigil.state, (*EXACT, "models", "live_fingerprints"))
        self.vigil.stop()
        self.deployment.drop_state()
        self.vigil = open_vigil(self.deployment, lambda: self.at)
        self.fold()
        assert differing(before, contents(self.vigil.state, (*EXACT, "models", "live_fingerprints"))) == {}


@pytest.fixture
def shop(deployment: Deployment) -> Iterator[Shop]:
    found = Shop(deployment)
    yield found
    found.vigil.stop()


def recoded(row: Row, _: int) -> None:
    """A source that codes one plan anew: the model does not know it."""
    if row["features"]["plan"] == "c":
        row["features"]["plan"], row["prediction_score"] = "C", max(row["prediction_score"] - 0.6, 0.0)


def test_a_fault_of_quality_and_the_drift_that_it_makes_are_one_incident(shop: Shop) -> None:
    shop.days(5)
    assert shop.kinds == []
    shop.days(2, recoded)
    (one,) = [i for i in shop.live if Kind.QUALITY in {f.kind for f in i.fingerprints}]
    assert {f.kind for f in one.fingerprints} == {Kind.QUALITY, Kind.DRIFT}
    assert one.title.startswith("Data quality: ")
    assert {e.about and e.about.kind for e in one.evidence} == {Kind.QUALITY, Kind.DRIFT}
    assert one.causes[0].name == "plan"
    drift = next(e for e in one.evidence if e.about is not None and e.about.kind is Kind.DRIFT)
    assert drift.causes[0].name == "plan"
    assert drift.causes[0].weight is not None
    assert drift.causes[0].weight > 0.5
    assert not [i for i in shop.live if i.fingerprint.kind is Kind.DRIFT]
    shop.days(2)
    assert not [k for k in shop.kinds if "drift" in k or "quality" in k], "it ends when both are clean"
    shop.rebuilt()


def worse(row: Row, i: int) -> None:
    """A new version from the afternoon on, that reads ages wrongly and scores at random."""
    if i >= N // 4:
        row["model_version"] = "v2"
        row["features"]["age"] += 25.0
        row["prediction_score"] = (i * 37 % 100) / 100


def test_what_a_new_version_breaks_is_one_incident_that_names_it(shop: Shop) -> None:
    shop.days(5)
    shop.days(3, worse)
    (one,) = [i for i in shop.live if i.fingerprint.kind is not Kind.FAIRNESS]
    assert {f.kind for f in one.fingerprints} >= {Kind.DRIFT, Kind.PERFORMANCE}
    assert [(c.kind.value, c.version) for c in one.changes] == [("version", "v2")]
    assert one.changes[0].at < one.started_at
    assert one.severity.value == "critical", "a fall in performance raises it"
    shop.rebuilt()


def unfair(row: Row, i: int) -> None:
    worse(row, i)
    if row["protected"]["sex"] == "f":
        row["prediction_score"] *= 0.4


def test_a_disparity_of_the_same_version_is_a_finding_of_its_own(shop: Shop) -> None:
    shop.days(5)
    shop.days(3, unfair)
    (finding,) = [i for i in shop.live if i.fingerprint.kind is Kind.FAIRNESS]
    assert finding.fingerprints == (finding.fingerprint,)
    assert [c.version for c in finding.changes] == ["v2"], "it is told what changed all the same"
    limits = {limit.metric: (limit.low, limit.high) for limit in finding.limits}
    assert limits["demographic_parity_ratio"] == (0.8, None)
    assert all(Kind.FAIRNESS not in {f.kind for f in i.fingerprints} for i in shop.live if i.id != finding.id)
    assert len(shop.live) == 2
    shop.rebuilt()


def test_a_model_that_falls_silent_has_an_incident_of_its_own_kind(shop: Shop) -> None:
    shop.days(5)
    shop.silent(3)
    (one,) = shop.live
    assert one.fingerprint.kind is Kind.SERVICE
    assert one.title == "Volume: row count 0, below 300"
    (limit,) = one.limits
    assert (limit.low, limit.high) == (300.0, 1800.0)
    assert one.changes == (), "silence is what it is about, and nothing else changed"
    radius = shop.vigil.ask(views.blast, shop.vigil.model_state(MODEL), one)
    assert (radius.decisions, radius.over) == (0, False)
    shop.rebuilt()


def test_features_that_drift_together_are_one_incident_whose_radius_is_a_count_of_rows(shop: Shop) -> None:
    def moved(row: Row, _: int) -> None:
        row["features"] |= {"age": min(row["features"]["age"] + 15.0, 70.0), "plan": "a"}

    shop.days(5)
    shop.days(3, moved)
    (one,) = shop.live
    assert one.fingerprints == (one.fingerprint,)
    assert {c.name for c in one.causes} == {"age", "plan"}
    radius = shop.vigil.ask(views.blast, shop.vigil.model_state(MODEL), one)
    assert radius.decisions == 3 * N
    shop.days(2)
    assert shop.live == []
    ended = shop.vigil.ask(incidents.find, one.id)
    assert shop.vigil.ask(views.blast, shop.vigil.model_state(MODEL), ended).decisions == 3 * N
    shop.rebuilt()
