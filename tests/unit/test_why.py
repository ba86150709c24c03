"""What an incident of a fall in performance points at: the parts that carry it, and no part that carries nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from detectors.point import Measurement, MetricPoint
from detectors.reference import Reference
from detectors.scope import Scope, Window
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from incidents.verdict import VerdictKind
from monitor.fold.sampling import Received
from monitor.judge.measure import WindowData
from monitor.judge.watch import Watch
from monitor.judge.why import why
from monitor.model import ModelSpec
from monitor.verdict import Verdict

SPACE = Space(
    "binary_classification",
    (Column("feature", "plan", CategoryGrid(("a", "b"))), Column("output", "score", UniformGrid(10))),
    (ALL, Axis("segment", "state", CategoryGrid(("ma", "ny", "tx")))),
)
DAY = Window(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=1))


def test_parts_that_carry_nothing_or_work_against_the_change_are_no_causes() -> None:
    n = 900
    state, labels = np.arange(n) % 3 + 1, np.arange(n) // 3 % 2
    cells, groups = SPACE.output.grid.cells(np.full(n, 0.5)), [np.ones(n, np.int64), state]

    def fold(right):
        return fold_outcomes(SPACE, cells, groups, np.where(right, labels, 1 - labels), labels, np.full(n, 0.5))

    block = fold_predictions(SPACE, [np.ones(n, np.int64), cells], groups, labels)
    before = fold((state != 3) | (np.arange(n) % 2 == 0))
    after = fold((state == 2) | (state == 3) & (np.arange(n) % 4 > 0))     # ma fell, ny is as it was, tx does better
    watch = Watch(ModelSpec("m", "binary_classification"), Reference.build("may", SPACE, [block], before))
    rows = Received.of([(1.0, n)])
    data = WindowData(
        DAY, block.dense(SPACE.prediction_size), block.sums, after.dense(SPACE.outcome_size), after.sums, rows, rows,
        True, 1,
    )
    point = MetricPoint("accuracy", Scope(), DAY, Measurement(0.6, n))
    breach = Verdict("accuracy/model", point, VerdictKind.BREACH, "beyond_limit", 0.8, "critical")  # type: ignore[arg-type]
    found = why(watch, "performance", data, [point], [breach])
    assert (found.mean, [(p.axis, p.group) for p in found.parts]) == ("accuracy", [("state", "ma")])
