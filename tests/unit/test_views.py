"""What the console reads: the false-alarm budget, and the numbers of an incident's causes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from inprocess import declare, fold, open_vigil, take
from sqlalchemy import Connection, insert

from detectors.point import Measurement, MetricPoint, Reason
from detectors.reference import Reference
from detectors.scope import Scope, Window
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary
from incidents.verdict import Cause, VerdictKind
from monitor import queries, views
from monitor.judge.defaults import FALSE_ALARM_BUDGET
from monitor.judge.windows import Track
from monitor.store import models, points, tables
from monitor.times import span_micros, to_micros
from monitor.verdict import STRADDLES, Verdict

pytestmark = pytest.mark.both_databases

START = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TRACK = Track("drift", span_micros(DAY))
CATEGORIES = CategoryGrid(("a", "b"))
SPACE = Space(
    "binary_classification",
    (Column("feature", "c", CATEGORIES), Column("output", "score", UniformGrid(10))),
    (ALL, Axis("feature", "c", CATEGORIES, starts=(1, 2, 3))),
)


@pytest.fixture
def db(state_db: Connection) -> Connection:
    return state_db


def judge_day(db: Connection, day: int, kind: VerdictKind, reason: str | None = None) -> None:
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    unknown = kind is VerdictKind.UNKNOWN
    m = Measurement.unknown(Reason.EMPTY_WINDOW) if unknown else Measurement(0.3, 90, (0.2, 0.4))
    measured = [
        MetricPoint("roc_auc", Scope(feature="c"), window, m),
        MetricPoint("row_count", Scope(), window, Measurement(9, 9)),
    ]
    points.add(db, 1, TRACK.name, measured, [Verdict("m", measured[0], kind, reason, 0.25, "warning")])
    start, end = to_micros(window.start), to_micros(window.end)
    points.save_window(db, 1, points.WindowState(TRACK.name, start, end, 1))


def incident(db: Connection, number: int, disposition: str | None) -> None:
    row = {"id": f"i{number}", "model": 1, "fingerprint": f"f{number}", "kind": "drift", "state": "closed",
           "severity": "warning", "rank": 1, "title": "t", "clock": "wall", "started_at": 0, "opened_at": 0,
           "updated_at": 0, "disposition": disposition, "active": False,
           "body": {"disposition": disposition}}  # fmt: skip
    db.execute(insert(tables.incidents).values(**row))


def test_the_budget_is_promised_at_once_and_achieved_after_a_year_of_windows(db: Connection) -> None:
    state = models.create(db, "m", 1)
    state.judged_from = to_micros(START + DAY)
    for day in range(10):
        judge_day(db, day, VerdictKind.UNKNOWN if day == 9 else VerdictKind.OK)
    for number, found in enumerate(("false_positive", "true", None, "false_positive")):
        incident(db, number, found)
    few = views.false_alarms(db, state, [TRACK])
    assert few == views.FalseAlarms(windows=8, per_year=365.25, opened=4, false=2, undisposed=1)
    assert few.promised == pytest.approx(FALSE_ALARM_BUDGET * 365.25)
    assert few.achieved is None
    many = views.FalseAlarms(windows=731, per_year=365.5, opened=4, false=3, undisposed=0)
    assert (many.years, many.achieved) == (2.0, 1.5)


def test_a_replaced_revision_is_no_window_more(db: Connection) -> None:
    state = models.create(db, "m", 1)
    judge_day(db, 0, VerdictKind.BREACH)
    judge_day(db, 0, VerdictKind.UNKNOWN)
    assert views.false_alarms(db, state, [TRACK]).windows == 0
    judge_day(db, 0, VerdictKind.OK)
    assert views.false_alarms(db, state, [TRACK]).windows == 1


def test_a_judged_point_says_what_would_decide_it(db: Connection) -> None:
    judge_day(db, 0, VerdictKind.INCONCLUSIVE, STRADDLES)
    of = {j.point.metric: j for j in views.window_points(db, 1, TRACK.name, to_micros(START))}
    assert of["roc_auc"].reason == STRADDLES
    assert of["roc_auc"].needed is not None
    assert of["roc_auc"].needed.factor == pytest.approx(4.0)
    assert of["row_count"].needed is None


MODEL = """
model: m
task: binary_classification
features: {c: categorical}
grain: 1d
windows: {drift: 1d, performance: 1d, fairness: 1d}
"""


def rows(day: int, n: int, often: int) -> list[dict[str, object]]:
    """Every ``often``-th row is of category ``b``, of which the model is wrong after the first day."""
    out: list[dict[str, object]] = []
    for i in range(n):
        b, right = i % often == 0, i % 5 != 4
        label = int(right != (b and day > 0))
        at = (START + day * DAY + timedelta(seconds=i)).isoformat()
        out.append({"prediction_id": f"{day}-{i}", "timestamp": at, "features": {"c": "b" if b else "a"},
                    "prediction_score": 0.8, "actual_label": label})  # fmt: skip
    return out


def test_the_numbers_behind_the_causes_add_up_to_the_change(tmp_path: Path) -> None:
    vigil = open_vigil(tmp_path)
    try:
        declare(vigil, MODEL.encode())
        day = rows(1, 400, 2)
        outcomes = [{k: r[k] for k in ("prediction_id", "timestamp", "actual_label")} for r in day]
        predictions = [{k: v for k, v in r.items() if k != "actual_label"} for r in day]
        posts = (("reference", rows(0, 800, 10)), ("predictions", predictions), ("outcomes", outcomes))
        take(vigil, "m", [(kind, json.dumps(sent).encode()) for kind, sent in posts], media="application/json")  # type: ignore[misc]
        fold(vigil, "m")
        state = vigil.model_state("m")
        assert state is not None
        watch = queries.watch_of(vigil.spec("m", state.declaration), state)
        assert watch is not None
        start, end = to_micros(START + DAY), to_micros(START + 2 * DAY)
        named = (Cause("c=b", "accuracy"), Cause("c=a", "accuracy"), Cause("c", "jensen_shannon"), Cause("x", "brier"))
        found = vigil.ask(views.behind, state, watch.reference, named, start, end)
    finally:
        vigil.stop()
    right = [np.mean([r["actual_label"] == 1 for r in of]) for of in (rows(0, 800, 10), day)]
    assert found.mean == "accuracy"
    assert found.change == pytest.approx(right[1] - right[0])
    assert sum(p.carried for p in found.carried) == pytest.approx(found.change)
    assert [p.group for p in found.carried] == ["b", "a"]
    assert found.carried[0].share_after == pytest.approx(0.5)
    assert [c.feature for c in found.drifted] == ["c"]
    assert found.told == named[3:]


def test_causes_that_the_summaries_no_longer_hold_are_told_as_they_were_written(db: Connection) -> None:
    state = models.create(db, "m", 1)
    reference = Reference.build("r", SPACE, [Summary.zero()])
    told = (Cause("c=a", "accuracy", 0.5, "carries"), Cause("gone", "jensen_shannon", 0.4, "moved"))
    found = views.behind(db, state, reference, told, to_micros(START), to_micros(START + DAY))
    assert (found.carried, found.drifted, found.told) == ((), (), told)
