"""When a window gets a new revision: at first, at a step of coverage, when it is settled, and for late rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary
from incidents.notices import Origin
from monitor.database import open_database, writing
from monitor.fold.strata import Stratum
from monitor.judge.watch import Watch
from monitor.judge.windows import AMEND_EVERY, LATENESS
from monitor.model import ModelSpec
from monitor.store import models, summaries, tables
from monitor.store.models import ModelState
from monitor.times import span_micros, to_micros
from monitor.worker.evaluation import carry_out, changes, note_touched
from monitor.worker.folding import Touched

DAY = span_micros(timedelta(days=1))
START = to_micros(datetime(2026, 6, 29, tzinfo=UTC))      # a Monday
SPACE = Space(
    "binary_classification",
    (Column("feature", "c", CategoryGrid(("a", "b"))), Column("output", "score", UniformGrid(10))),
)
SPEC = ModelSpec("m", "binary_classification", favourable="1", label_delay=timedelta(days=3))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


class Scene:
    """A model whose summaries are written by hand, evaluated at instants that the test names."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        one = Summary.of(np.array([SPACE.column_offsets[0] + 1, SPACE.predictions.start("axis") + 2]))
        self.watch = Watch(SPEC, Reference.build("r", SPACE, [one] * 8))
        with writing(engine) as db:
            self.model: ModelState = models.create(db, "m", 1)

    def add(self, day: int, n: int, kind: summaries.Kind = "predictions", role: str = "champion") -> set[int]:
        """``n`` rows in the first hour of a day; the buckets that this touched."""
        stratum = Stratum(START + day * DAY, "v", role)
        if kind == "predictions":
            part = Summary.of(np.repeat([SPACE.column_offsets[0] + 1, SPACE.predictions.start("axis") + 2], n))
        else:
            part = Summary.of(np.repeat([SPACE.outcomes.start("axis") + 4], n), np.zeros(SPACE.outcome_sums.size))
        with writing(self.engine) as db:
            summaries.merge(db, self.model.id, kind, {stratum: part}, {stratum: n})
        return {stratum.bucket}

    def at(self, days: float, predictions: set[int] | None = None, outcomes: set[int] | None = None) -> list[str]:
        """Evaluates when the clock stands so many days after the start: what was measured, as ``drift 0 r1``."""
        self.model.clock = START + int(days * DAY)
        before = self.revisions()
        with writing(self.engine) as db:
            touched = Touched(predictions or set(), outcomes or set())
            note_touched(db, self.model, self.watch, touched)
            carry_out(db, self.model, self.watch, changes(db, self.model, self.watch, touched), Origin("tick", 1))
        after = self.revisions()
        return [f"{name} r{n}" for name, n in after.items() if before.get(name) != n]

    def revisions(self) -> dict[str, int]:
        query = select(tables.windows).order_by(tables.windows.c.family, tables.windows.c.start)
        with self.engine.connect() as db:
            return {f"{r.family.split('/')[0]} {(r.start - START) // DAY}": r.revision for r in db.execute(query)}

    def points(self, metric: str) -> list[tuple[int, float | None, bool]]:
        query = select(tables.points).where(tables.points.c.metric == metric).order_by(tables.points.c.id)
        with self.engine.connect() as db:
            return [(r.revision, r.value, r.latest) for r in db.execute(query)]


@pytest.fixture
def scene(engine: Engine) -> Scene:
    return Scene(engine)


JUST = LATENESS / DAY


def test_a_window_is_measured_once_it_is_closed_and_not_before(scene: Scene) -> None:
    touched = scene.add(0, 10)
    assert scene.at(0.9, touched) == []
    assert scene.at(1.0) == [], "rows may still come in time"
    assert scene.at(1.0 + JUST) == ["drift 0 r1"]
    assert scene.at(1.5) == [], "and only once"
    assert scene.points("row_count") == [(1, 10.0, True)]


def test_days_without_rows_are_windows_too(scene: Scene) -> None:
    scene.add(0, 10)
    scene.add(3, 5)
    assert scene.at(4.1) == ["drift 0 r1", "drift 1 r1", "drift 2 r1", "drift 3 r1"]
    assert [value for _, value, _ in scene.points("row_count")] == [10.0, 0.0, 0.0, 5.0]


def test_late_rows_amend_a_window_but_not_at_every_fold(scene: Scene) -> None:
    scene.at(1.1, scene.add(0, 10))
    assert scene.at(1.1 + 0.5 * AMEND_EVERY / DAY, scene.add(0, 5)) == []
    assert scene.at(1.1 + 0.9 * AMEND_EVERY / DAY, scene.add(0, 5)) == []
    assert scene.at(1.1 + 1.1 * AMEND_EVERY / DAY) == ["drift 0 r2"]
    assert scene.at(1.9) == []
    assert scene.points("row_count") == [(1, 10.0, False), (2, 20.0, True)]


def test_outcomes_make_a_revision_at_each_step_of_coverage_and_when_the_label_delay_has_passed(scene: Scene) -> None:
    scene.add(0, 100)
    assert "performance 0 r1" in scene.at(7.1)
    known: list[tuple[int, bool]] = []
    for n in (49, 1, 10, 20, 15, 4, 1):
        measured = scene.at(7.2, outcomes=scene.add(0, n, "outcomes"))
        known.append((n + (known[-1][0] if known else 0), bool(measured)))
    assert known == [(49, False), (50, True), (60, False), (80, True), (95, True), (99, False), (100, True)]
    assert [value for _, value, _ in scene.points("label_coverage")] == [0.0, 0.5, 0.8, 0.95, 1.0]
    assert [m for m in scene.at(10.1) if m.startswith("performance")] == ["performance 0 r6"], "settled"


def test_drift_knows_no_outcomes(scene: Scene) -> None:
    scene.at(1.1, scene.add(0, 10))
    touched = scene.add(0, 10, "outcomes")
    assert scene.at(1.5, outcomes=touched) == []


def test_a_settled_window_is_amended_by_corrections(scene: Scene) -> None:
    scene.add(0, 10)
    scene.add(0, 10, "outcomes")
    scene.at(10.5)
    assert scene.revisions()["performance 0"] == 1
    assert scene.at(10.5, outcomes={START}) == [], "a correction takes back and adds in one bucket"
    assert [m for m in scene.at(10.6) if m.startswith("performance")] == ["performance 0 r2"]


def test_only_the_serving_role_is_measured(scene: Scene) -> None:
    scene.add(0, 10)
    scene.add(0, 99, role="shadow")
    scene.at(1.1)
    assert scene.points("row_count") == [(1, 10.0, True)]


def test_the_clock_is_worth_a_tick_only_where_it_closes_or_settles_something(scene: Scene) -> None:
    scene.model.clock = START + DAY // 2
    scene.add(0, 10)

    def is_due(days: float) -> bool:
        with writing(scene.engine) as db:
            ahead = replace(scene.model, clock=START + int(days * DAY))
            return bool(changes(db, ahead, scene.watch, Touched()))

    assert [is_due(d) for d in (0.6, 1.0, 1.0 + JUST)] == [False, False, True]
    scene.at(1.1)
    assert [is_due(d) for d in (1.2, 1.9, 2.0 + JUST)] == [False, False, True]
    scene.at(7.1)
    assert is_due(7.5) is False
    assert is_due(10.0) is True, "the label delay has passed"


def test_windows_from_before_the_reference_are_measured_and_open_nothing(scene: Scene) -> None:
    scene.model.judged_from = START + 30 * DAY
    for day in range(6):
        scene.add(day, 1_000 if day < 4 else 1)
    scene.at(6.1)
    assert len(scene.points("row_count")) == 6
    with scene.engine.connect() as db:
        assert db.execute(select(tables.incidents)).all() == []
        assert db.execute(select(tables.rule_states)).all() == []


def test_a_fall_in_volume_opens_an_incident_of_the_service(scene: Scene) -> None:
    for day in range(8):
        scene.add(day, 1_000 if day < 6 else 1)
    scene.at(8.1)
    with scene.engine.connect() as db:
        found = db.execute(select(tables.incidents.c.kind, tables.incidents.c.state)).all()
    assert [tuple(r) for r in found] == [("service", "open")]
    scene.model = replace(scene.model)
    assert scene.at(8.1) == [], "what stands in the database is all that is remembered"
