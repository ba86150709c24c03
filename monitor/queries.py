"""What can be asked of the state. Reads only, each a function of a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from detectors.catalogue import CATALOGUE
from detectors.causes import METRIC as CAUSE
from detectors.causes import output_shift, rank_causes
from detectors.decomposition import carriers
from detectors.fairness import is_disparity
from detectors.fairness.comparisons import COMPARED
from detectors.multivariate import measure_multivariate
from detectors.point import MetricPoint
from detectors.reference import Reference
from detectors.scope import Scope, Window, rfc3339
from monitor.errors import Conflict
from monitor.judge.measure import WindowData, measure
from monitor.judge.verdicts import judge
from monitor.judge.watch import Watch
from monitor.judge.windows import FAMILIES, LATENESS, Family
from monitor.model import ModelSpec
from monitor.store import summaries
from monitor.store.digests import is_text
from monitor.store.models import ModelState
from monitor.store.points import read_point
from monitor.store.tables import folded, points, verdicts
from monitor.times import from_micros, span_micros
from monitor.verdict import needed


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
        conditions.append(is_text(points.c.scope, scope))
    if start is not None:
        conditions.append(points.c.start >= start)
    if end is not None:
        conditions.append(points.c.start < end)
    if not revisions:
        conditions.append(points.c.latest)
    rows = db.execute(select(points).where(*conditions).order_by(points.c.id).limit(limit + 1)).mappings().all()
    page = rows[:limit]
    found = {r["id"]: read_point(r, reference) for r in page}
    judged = _verdicts(db, found)
    out = [{**point.as_dict(), "verdicts": judged.get(id_, [])} for id_, point in found.items()]
    return out, (page[-1]["id"] if len(rows) > limit else None)


def window_data(db: Connection, state: ModelState, watch: Watch, start: int, end: int) -> WindowData:
    """Any window on the grain, from the stored summaries. ``Conflict`` where some of it was cut: a part of a window is
    no window."""
    if start < state.measured_from:
        raise Conflict(
            f"data from before {rfc3339(from_micros(state.measured_from))} were cut by retention",
            f"Ask for a window from then on; what was measured before is at GET /v1/models/{state.name}/points",
        )
    space = watch.reference.space
    predictions = summaries.window(db, state.id, "predictions", space, start, end, rolled_up=True)
    outcomes = summaries.window(db, state.id, "outcomes", space, start, end, rolled_up=True)
    last = summaries.last_bucket(db, state.id, end)
    settled = state.clock >= end + span_micros(watch.spec.label_delay) + LATENESS
    window = Window(from_micros(start), from_micros(end))
    return WindowData(
        window, predictions.counts, predictions.sums, outcomes.counts, outcomes.sums, predictions.rows, outcomes.rows,
        settled, 1, None if last is None else from_micros(last) + watch.spec.grain,
    )  # fmt: skip


def report(
    db: Connection, state: ModelState, watch: Watch, start: int, end: int, metrics: set[str] | None, scope: str | None
) -> dict[str, Any]:
    """Drift, quality, performance and fairness of any window on the grain, computed from the stored summaries.

    ``metrics`` are those to be measured, all of the catalogue where it is ``None``.
    """
    data = window_data(db, state, watch, start, end)
    asked = frozenset(CATALOGUE if metrics is None else metrics)
    found = [p for family in _families(asked) for p in measure(watch, family, data, asked | {CAUSE})]
    judged = judge(found, watch.monitors, watch.baseline, settled=data.settled)

    def wanted(p: MetricPoint) -> bool:
        return p.metric in asked and (scope is None or scope in p.scope.text.split(","))

    return {
        "model": state.name,
        "window": {"start": rfc3339(data.window.start), "end": rfc3339(data.window.end)},
        "reference": watch.reference.name,
        "sampling": data.rows.as_dict(),
        "points": [p.as_dict() for p in found if wanted(p)],
        "verdicts": [v.as_dict() for v in judged if wanted(v.point)],
        "causes": [c.as_dict() for c in rank_causes(found, output_shift(watch.reference, data.predictions))],
        "carriers": _carriers(watch, data, asked, found),
        "correlations": _correlations(watch, data) if "correlation_change" in asked else [],
    }


def _families(asked: frozenset[str]) -> list[Family]:
    """The families in which any of the metrics is measured; that of drift always, for the causes."""
    sought: dict[Family, bool] = {
        "drift": True,
        "performance": any(CATALOGUE[m].family in ("performance", "estimation") for m in asked),
        "fairness": any(m in COMPARED or is_disparity(m) for m in asked),
    }
    return [family for family in FAMILIES if sought[family]]


def _carriers(
    watch: Watch, data: WindowData, asked: frozenset[str], found: Sequence[MetricPoint]
) -> list[dict[str, Any]]:
    """What carries the change from the reference of the first performance metric that was asked for and is known: the
    parts of each axis add up to the change of the mean that they name."""
    known = {p.metric for p in found if p.scope == Scope() and p.measurement.known}
    names = (m.name for m in CATALOGUE.values() if m.family == "performance" and m.kept and m.name in asked & known)
    metric = next((name for name in names if name != "label_coverage"), None)
    if metric is None:
        return []
    mean, parts = carriers(metric, watch.reference, data.outcomes, data.sums)
    return [
        {
            "axis": p.axis, "group": p.group, "metric": mean, "carried": p.carried, "by_mean": p.by_mean,
            "by_share": p.by_share, "before": p.before, "after": p.after, "share_before": p.share_before,
            "share_after": p.share_after,
        }
        for p in parts
    ]  # fmt: skip


def _correlations(watch: Watch, data: WindowData) -> list[dict[str, Any]]:
    """The pair of numeric columns behind each ``correlation_change``, and the correlation that it had."""
    reference = watch.reference
    out = []
    for i, (names, baseline) in enumerate(zip(reference.space.projected, reference.baselines, strict=True)):
        sums = reference.space.prediction_sums.view(data.prediction_sums, "projection", i)
        for f in measure_multivariate(baseline, sums):
            if f.pair is not None:
                feature = names[0] if len(names) == 1 else None
                out.append({"feature": feature, "pair": list(f.pair), "before": f.reference,
                            "change": f.measurement.value})  # fmt: skip
    return out


def batch_result(db: Connection, batch_id: str) -> dict[str, Any] | None:
    """What became of a batch in the fold; ``None`` while it waits."""
    row = db.execute(select(folded).where(folded.c.batch_id == batch_id)).mappings().first()
    return None if row is None else {"counts": row["counts"], "conflicts": row["conflicts"]}


def _verdicts(db: Connection, of: Mapping[int, MetricPoint]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    if of:
        for r in db.execute(select(verdicts).where(verdicts.c.point.in_(of))).mappings():
            shown = {k: r[k] for k in ("monitor", "verdict", "reason", "limit", "severity")}
            wanted = needed(of[r["point"]], r["reason"], r["limit"])
            shown["needed"] = None if wanted is None else wanted.as_dict()
            found.setdefault(r["point"], []).append(shown)
    return found


def on_grain(spec: ModelSpec, start: int, end: int) -> bool:
    """Whether a window's ends lie on the model's grain."""
    grain = span_micros(spec.grain)
    return start % grain == 0 and end % grain == 0 and start < end


