"""The part of an incident's page on why: the chart of its worst metric, and what stands behind its worst window."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from api import charts
from api.pages import number_format
from api.section_fairness import attributes, groups
from detectors.catalogue import metric_title
from detectors.scope import Scope
from incidents.incident import Incident
from incidents.verdict import Kind
from monitor import views
from monitor.judge.watch import Watch
from monitor.store.models import ModelState
from monitor.times import to_micros


def picture(db: Connection, state: ModelState, watch: Watch, incident: Incident) -> dict[str, Any]:
    """The chart of the metric that is furthest beyond its limit, and what stands behind it in the worst window."""
    worst = incident.worst
    if worst is None or not worst.verdicts:
        return {}
    point = worst.verdicts[0]["point"]
    metric, scope = point["metric"], Scope(**point["scope"])
    rows = views.series(db, state.id, metric, scope.text)
    known = watch.baseline.get((metric, scope.text))
    line = charts.trend(
        rows, metric, unit=number_format(metric), reference=known, marks=charts.occasions([incident], []),
        selected=charts.millis(worst.window_start), height=230,
    )  # fmt: skip
    subject = scope.feature or scope.output or scope.attribute
    radius = views.blast(db, state, incident)
    page: dict[str, Any] = {"blast": radius and radius.text, "line": line}
    page["what"] = metric_title(metric) + (f" of {subject}" if subject else "")
    span = to_micros(worst.window_start), to_micros(worst.window_end)
    kind, attribute = (worst.about or incident.fingerprint).kind, incident.fingerprint.attribute
    if kind in (Kind.DRIFT, Kind.PERFORMANCE):
        page["behind"] = found = views.behind(db, state, watch.reference, incident.causes, *span)
        columns = {c.name for c in watch.reference.space.features}
        named = (*(p.axis for p in found.carried), *(c.feature for c in found.drifted))
        pictured = next((name for name in named if name in columns), None)
        page |= {"features": columns, "pictured": pictured}
        if pictured is not None:
            page["bars"] = charts.bars(views.distribution(db, state, watch.reference, pictured, *span))
    if attribute is not None and attribute in attributes(watch):
        track = next(t for t in views.track_names(db, state.id) if t.startswith("fairness/"))
        page |= groups(db, state, watch, track, attribute, span[0])
    return page
