"""What can be asked of the state: pages that are whole, the latest revisions, reports of any window on the grain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, insert

from detectors.point import Measurement, MetricPoint, Reason
from detectors.reference import Reference
from detectors.scope import Scope, Window
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary
from incidents.verdict import VerdictKind
from monitor import queries
from monitor.fold.strata import Stratum
from monitor.model import ModelSpec
from monitor.store import models, points, summaries, tables
from monitor.times import span_micros, to_micros
from monitor.verdict import Verdict

pytestmark = pytest.mark.both_databases

START = datetime(2026, 7, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPACE = Space(
    "binary_classification",
    (Column("feature", "c", CategoryGrid(("a", "b"))), Column("output", "score", UniformGrid(10))),
)


@pytest.fixture
def db(state_db: Connection) -> Connection:
    return state_db


def add(db: Connection, model: int, day: int, revision: int = 1, judged: bool = True, **values: float | None) -> None:
    """A revision of a day's window with a point for each metric named, and a verdict on the first."""
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    new = [
        MetricPoint(m, Scope(feature="c"), window,
                    Measurement(v, 5, reason=None if v is not None else Reason.ALL_MISSING), revision=revision)
        for m, v in values.items()
    ]  # fmt: skip
    verdicts = [Verdict(f"m/{new[0].metric}", new[0], VerdictKind.BREACH, None, 0.1, "warning")] if judged else []
    points.add(db, model, "drift/86400s", new, verdicts)


def pages(db: Connection, model: int, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page, after = queries.find_points(db, model, "reference", after=after, **query)
        found += page
    return found


def test_pages_are_whole_whatever_their_size_and_carry_the_verdicts(db: Connection) -> None:
    for day in range(7):
        add(db, 1, day, psi=0.2, missing_rate=None)
    add(db, 2, 0, psi=0.9)
    for limit in (1, 2, 5, 13, 14, 500):
        found = pages(db, 1, limit=limit)
        assert [p["value"] for p in found] == [0.2, None] * 7, limit
        assert [len(p["verdicts"]) for p in found] == [1, 0] * 7, limit
    said = {"monitor": "m/psi", "verdict": "breach", "reason": None, "limit": 0.1, "severity": "warning"}
    said["needed"] = None
    assert pages(db, 1, limit=14)[0]["verdicts"] == [said]
    assert pages(db, 3) == []


def test_points_are_found_by_metric_scope_and_time(db: Connection) -> None:
    for day in range(3):
        add(db, 1, day, psi=float(day), chi_square=9.0)
    assert {p["metric"] for p in pages(db, 1, metric="psi")} == {"psi"}
    assert len(pages(db, 1, metric="psi,chi_square")) == 6
    assert pages(db, 1, scope="feature:d") == []
    between = pages(db, 1, metric="psi", start=to_micros(START + DAY), end=to_micros(START + 2 * DAY))
    assert [p["value"] for p in between] == [1.0]


def test_old_revisions_are_shown_when_they_are_asked_for(db: Connection) -> None:
    add(db, 1, 0, psi=0.1)
    add(db, 1, 0, revision=2, psi=0.3)
    assert [(p["revision"], p["value"]) for p in pages(db, 1)] == [(2, 0.3)]
    assert [(p["revision"], p["value"]) for p in pages(db, 1, revisions=True)] == [(1, 0.1), (2, 0.3)]


def test_what_became_of_a_batch(db: Connection) -> None:
    assert queries.batch_result(db, "b") is None
    db.execute(insert(tables.folded).values(seq=1, model=1, batch_id="b", counts={"conflicts": 1}, conflicts=[3]))
    assert queries.batch_result(db, "b") == {"counts": {"conflicts": 1}, "conflicts": [3]}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(START, START + HOUR, True), (START, START, False), (START + HOUR, START, False),
     (START, START + HOUR / 2, False), (START + timedelta(microseconds=1), START + HOUR, False)],
)  # fmt: skip
def test_a_window_lies_on_the_grain_or_not(start: datetime, end: datetime, expected: bool) -> None:
    spec = ModelSpec("m", "binary_classification", favourable="1", grain=HOUR)
    assert queries.on_grain(spec, to_micros(start), to_micros(end)) is expected


def test_a_report_of_any_hours_is_the_sum_of_their_buckets(db: Connection) -> None:
    model = models.create(db, "m", 1)
    assert queries.watch_of(ModelSpec("m", "binary_classification", favourable="1"), model) is None
    at = SPACE.column_offsets
    rows = Summary.of(np.array([at[0] + 1, at[1] + 5, SPACE.predictions.start("axis") + 2]))
    model.reference = Reference.build("june", SPACE, [rows] * 8).to_bytes()
    watch = queries.watch_of(ModelSpec("m", "binary_classification", favourable="1"), model)
    assert watch is not None
    for hour in range(5):
        stratum = Stratum(to_micros(START + hour * HOUR), "v", "champion")
        part = Summary.merge([rows] * (hour + 1))
        summaries.merge(db, model.id, "predictions", {stratum: part}, {stratum: hour + 1})

    def report(a: int, b: int, metrics: set[str] | None = None, scope: str | None = None) -> dict[str, Any]:
        start = to_micros(START)
        grain = span_micros(HOUR)
        return queries.report(db, model, watch, start + a * grain, start + b * grain, metrics, scope)

    assert report(1, 3)["window"] == {"start": "2026-07-01T01:00:00Z", "end": "2026-07-01T03:00:00Z"}
    counts = {(a, b): report(a, b, {"row_count"})["points"][0]["value"] for a in range(5) for b in range(a + 1, 6)}
    assert all(n == sum(range(a + 1, b + 1)) for (a, b), n in counts.items())
    whole = report(0, 5)
    assert whole["reference"] == "june"
    assert {c["feature"] for c in whole["causes"]} <= {"c", None}
    narrowed = report(0, 5, None, "feature:c")
    assert {p["scope"]["feature"] for p in narrowed["points"]} == {"c"}
    assert all(v["point"]["scope"]["feature"] == "c" for v in narrowed["verdicts"])
    assert report(9, 10)["points"], "an empty window has points that say so"
    of_none = {p["metric"]: p["value"] for p in report(9, 10)["points"] if p["value"]}
    assert of_none == {"freshness": 5 * 3600.0}, "it is five hours since the last row came"
    assert (whole["carriers"], whole["correlations"]) == ([], []), "no outcomes, no two numbers"
