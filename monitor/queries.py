"""What can be asked of the state. Reads only, each a function of a connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from detectors.causes import rank_causes
from detectors.point import MetricPoint
from detectors.reference import Reference
from detectors.scope import Window, rfc3339
from monitor.judge.measure import Watch, WindowData, measure
from monitor.judge.verdicts import judge
from monitor.judge.windows import FAMILIES, LATENESS
from monitor.model import ModelSpec
from monitor.store import summaries
from monitor.store.models import ModelState
from monitor.store.points import read_point
from monitor.store.tables import folded, points, verdicts
from monitor.times import from_micros, span_micros


def watch_of(spec: ModelSpec, state: ModelState) -> Watch | None:
    """A model as it is watched; ``None`` before it has a reference."""
    return None if state.reference is None else Watch(spec, Reference.from_bytes(state.reference))


def find_points(
    db: Connection,
    model: int,
    reference: str | None,
    *,
    metric: str | None = None,
    scope: str | None = None,
    start: int | None = None,
    end: int | None = None,
    after: int = 0,
    limit: int = 500,
    revisions: bool = False,
) -> tuple[list[dict[str, Any]], int | None]:
    """Points in the order of their ids with their verdicts, and where the next page begins (``None``: no more).

    ``reference`` names what the model is compared with; ``start`` and ``end`` bound the windows' starts; ``revisions``
    asks for the old ones too.
    """
    conditions: list[ColumnElement[bool]] = [points.c.model == model, points.c.id > after]
    if metric is not None:
        conditions.append(points.c.metric.in_(metric.split(",")))
    if scope is not None:
        conditions.append(points.c.scope == scope)
    if start is not None:
        conditions.append(points.c.start >= start)
    if end is not None:
        conditions.append(points.c.start < end)
    if not revisions:
        conditions.append(points.c.latest)
    rows = db.execute(select(points).where(*conditions).order_by(points.c.id).limit(limit + 1)).mappings().all()
    page = rows[:limit]
    judged = _verdicts(db, [r["id"] for r in page])
    out = [{**read_point(r, reference).as_dict(), "verdicts": judged.get(r["id"], [])} for r in page]
    return out, (page[-1]["id"] if len(rows) > limit else None)


def report(
    db: Connection, state: ModelState, watch: Watch, start: int, end: int, metrics: set[str] | None, scope: str | None
) -> dict[str, Any]:
    """Drift, quality, performance and fairness of any window on the grain, computed from the stored summaries."""
    space = watch.reference.space
    predictions = summaries.window(db, state.id, "predictions", space, start, end)
    outcomes = summaries.window(db, state.id, "outcomes", space, start, end)
    settled = state.clock >= end + span_micros(watch.spec.label_delay) + LATENESS
    window = Window(from_micros(start), from_micros(end))
    data = WindowData(
        window, predictions.counts, outcomes.counts, outcomes.sums, predictions.n, outcomes.n, settled, 1
    )
    found = [p for family in FAMILIES for p in measure(watch, family, data)]
    judged = judge(found, watch.monitors, watch.baseline, settled=settled)

    def wanted(p: MetricPoint) -> bool:
        return (metrics is None or p.metric in metrics) and (scope is None or scope in p.scope.text.split(","))

    return {
        "model": state.name,
        "window": {"start": rfc3339(window.start), "end": rfc3339(window.end)},
        "reference": watch.reference.name,
        "points": [p.as_dict() for p in found if wanted(p)],
        "verdicts": [v.as_dict() for v in judged if wanted(v.point)],
        "causes": [c.as_dict() for c in rank_causes(found)],
    }


def batch_result(db: Connection, batch_id: str) -> dict[str, Any] | None:
    """What became of a batch in the fold; ``None`` while it waits."""
    row = db.execute(select(folded).where(folded.c.batch_id == batch_id)).mappings().first()
    return None if row is None else {"counts": row["counts"], "conflicts": row["conflicts"]}


def _verdicts(db: Connection, ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    if ids:
        for r in db.execute(select(verdicts).where(verdicts.c.point.in_(ids))).mappings():
            shown = {k: r[k] for k in ("monitor", "verdict", "reason", "limit", "severity")}
            found.setdefault(r["point"], []).append(shown)
    return found


def on_grain(spec: ModelSpec, start: int, end: int) -> bool:
    """Whether a window's ends lie on the model's grain."""
    grain = span_micros(spec.grain)
    return start % grain == 0 and end % grain == 0 and start < end


