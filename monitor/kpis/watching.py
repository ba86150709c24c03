"""KPIs of the watching itself: drift alerts handled, models monitored, and the noise that people bear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from incidents.commands import Disposition
from incidents.figures import Cohort
from incidents.incident import Incident
from incidents.verdict import Kind
from monitor.kpis.kpi import Kpi, Part, count, ratio
from monitor.kpis.periods import Period
from monitor.kpis.records import Records

WEEK = timedelta(days=7)


def drift_handled(records: Records, part: Period) -> Kpi:
    opened = _drift(records, part, lambda i: i.opened_at)
    handled = _drift(records, part, lambda i: i.disposed_at)
    backlog = [
        i
        for i in records.kept(Kind.DRIFT)
        if i.opened_at < part.end and (i.disposed_at is None or i.disposed_at >= part.end) and i.merged_into is None
    ]
    dispositions = [d for d in Disposition if d is not Disposition.DRILL]
    ids = [i.id for i in handled.members]
    return Kpi(
        "drift_alerts_handled",
        ratio(len(ids), len(opened.members), ids, "none_opened", opened.excluded, n=len(opened.members)),
        (
            Part("handled", "Handled in the period", "count", count(handled.members, handled.excluded)),
            Part("opened", "Opened in the period", "count", count(opened.members, opened.excluded)),
            Part("backlog", "Without a disposition at the end", "count", count(backlog)),
            *(
                Part("disposition", "Handled, by what it was", "count", count(found), d.value)
                for d in dispositions
                if (found := [i for i in handled.members if i.disposition is d])
            ),
        ),
    )


def coverage(records: Records, part: Period) -> Kpi:
    live = [m for m in records.covered if m.live is not None and m.live.start < part.end <= m.live.end]
    fresh = [m.name for m in live if m.fresh(part.end)]
    blind = [m.name for m in live if m.name not in fresh]
    return Kpi(
        "monitoring_coverage",
        ratio(len(fresh), len(live), [m.name for m in live], "no_live_models", records.models_left_out),
        (Part("unmonitored", "Live, but not measured lately", "count", count(blind)),),
    )


def noise(records: Records, part: Period) -> Kpi:
    closed = records.cohort("closed", part, lambda i: i.closed_at)
    closed = closed.without([_no_alert(i) for i in closed.members])
    false = sum(i.disposition is Disposition.FALSE_POSITIVE for i in closed.members)
    weeks = sum((life.end - life.start for life in records.lives(part).values()), timedelta()) / WEEK
    opened = records.cohort("opened", part, lambda i: i.opened_at)
    parts = [_weekly(opened.members, weeks, opened.excluded, None)]
    for kind in Kind:
        found = tuple(i for i in opened.members if i.fingerprint.kind is kind)
        parts.append(_weekly(found, weeks, {}, kind.value))
    return Kpi(
        "noise",
        ratio(false, len(closed.members), [i.id for i in closed.members], "none_closed", closed.excluded),
        tuple(parts),
    )


def _weekly(found: tuple[Incident, ...], weeks: float, excluded: Mapping[str, int], of: str | None) -> Part:
    figure = ratio(len(found), weeks, [i.id for i in found], "no_exposure", excluded)
    return Part("incidents_per_model_week", "Incidents per model-week", "per_model_week", figure, of)


def _drift(records: Records, part: Period, when: Callable[[Incident], datetime | None]) -> Cohort:
    """Drift incidents; without drills, and without those that are handled where they go on."""
    found = records.cohort("", part, when, Kind.DRIFT)
    return found.without([_no_alert(i) for i in found.members])


def _no_alert(incident: Incident) -> str:
    if incident.merged_into is not None:
        return "merged"
    return "drill" if incident.disposition is Disposition.DRILL else ""
