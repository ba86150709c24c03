"""The part of a model's page on performance: what is known of it, and what was expected before anybody knew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from api import charts
from api.pages import headline, number_format
from detectors.scope import Scope
from monitor import views
from monitor.errors import NotFound
from monitor.judge.watch import Watch
from monitor.store.models import ModelState

ESTIMATED = "estimated_"
COVERAGE = "label_coverage"
VARIANTS = ("_micro", "_weighted")          # of a metric over many classes; the full report has them
BY_CLASS = ("precision", "recall", "f1", "roc_auc", "average_precision")
_CLASS = "label="


@dataclass(frozen=True, slots=True)
class Row:
    """One metric in one window: as ``realised``, as expected without outcomes, and in the reference."""

    metric: str
    realised: views.Judged | None
    estimate: views.Judged | None
    reference: float | None


def performance(
    db: Connection,
    state: ModelState,
    watch: Watch,
    track: str,
    window: tuple[int, int],
    metric: str | None,
    marks: list[dict[str, Any]],
) -> dict[str, Any]:
    metric = (metric or headline(watch.spec)).removeprefix(ESTIMATED)
    found = views.window_points(db, state.id, track, window[0])
    rows = _rows([j for j in found if j.point.scope == Scope()], watch)
    if metric not in {r.metric for r in rows}:
        raise NotFound(f"'{metric}' is not measured here", f"Measured are {', '.join(r.metric for r in rows)}")
    series, expected, covered = (
        views.series(db, state.id, name, Scope().text) for name in (metric, ESTIMATED + metric, COVERAGE)
    )
    start = window[0] // 1000
    line = charts.trend(
        series, metric, unit=number_format(metric), reference=watch.baseline.get((metric, "model")), marks=marks,
        estimates=expected, selected=start, height=240,
    )  # fmt: skip
    return {
        "metric": metric,
        "metric_line": line,
        "metric_estimated": any(r["value"] is not None for r in expected),
        "coverage_line": charts.trend(covered, "coverage", unit="~%", selected=start, height=70),
        "coverage": next((j.point.measurement for j in found if j.point.metric == COVERAGE), None),
        "performance": [r for r in rows if r.metric == metric or _shown(r)],
        "estimated": any(r.estimate is not None for r in rows),
        "by_class": _by_class(found),
    }


def _rows(found: Iterable[views.Judged], watch: Watch) -> list[Row]:
    of = {j.point.metric: j for j in found if j.point.metric != COVERAGE}
    names = dict.fromkeys(name.removeprefix(ESTIMATED) for name in of)
    return [Row(n, of.get(n), of.get(ESTIMATED + n), watch.baseline.get((n, "model"))) for n in names]


def _shown(row: Row) -> bool:
    judged = row.realised is not None and row.realised.verdict is not None
    return judged or not row.metric.endswith(VARIANTS)


def _by_class(found: Iterable[views.Judged]) -> dict[str, Any] | None:
    """Each class's own figures; ``None`` for a model that does not tell several classes apart."""
    table: dict[str, dict[str, views.Judged]] = {}
    for j in found:
        output = j.point.scope.output or ""
        if output.startswith(_CLASS) and j.point.metric in BY_CLASS:
            table.setdefault(output.removeprefix(_CLASS), {})[j.point.metric] = j
    if not table:
        return None
    metrics = [m for m in BY_CLASS if any(m in row for row in table.values())]
    return {"metrics": metrics, "rows": [(name, [row.get(m) for m in metrics]) for name, row in table.items()]}
