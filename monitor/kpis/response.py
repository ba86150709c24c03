"""KPIs of incidents: how soon somebody looked, how long the fault ran and lasted, and how often it came."""

from __future__ import annotations

from dataclasses import replace

from incidents.commands import Clock, Disposition
from incidents.figures import Figure
from incidents.incident import APART, Incident, ResolvedBy
from incidents.times import Response, Summary, summarise
from incidents.verdict import Severity
from monitor.kpis.kpi import Kpi, Part, count, missing, noting, spread
from monitor.kpis.periods import Period
from monitor.kpis.records import Records


class Times:
    """The incident times of a period, and what was left out of its two cohorts."""

    def __init__(self, records: Records, part: Period) -> None:
        self.part = part
        self.records = records
        self.kept = records.kept()
        self.of: Summary = summarise(self.kept, (part.start, part.end), records.now, {}, frozenset(Clock))
        self.opened = records.cohort("opened", part, lambda i: i.opened_at).excluded
        self.resolved = records.cohort("resolved", part, lambda i: i.resolved_at).excluded


def response_time(t: Times) -> Kpi:
    response = t.of.response
    ids = response.never_acknowledged
    parts = [
        *spread(response.durations, t.opened, "Time to acknowledge"),
        Part("within_target", "Within target", "ratio", _target(response)),
        Part("never_acknowledged", "Never acknowledged", "count", count(ids)),
    ]
    for severity, of in t.of.response_by_severity.items():
        if of.durations.n or of.never_acknowledged:
            parts += [
                Part("p50", "Time to acknowledge, median", "seconds", of.durations.median, severity.value),
                Part("p90", "Time to acknowledge, 90th percentile", "seconds", of.durations.p90, severity.value),
                Part("never_acknowledged", "Never acknowledged", "count", count(of.never_acknowledged), severity.value),
            ]
    return Kpi(
        "incident_response_time",
        noting(response.durations.median, t.opened),
        tuple(parts),
    )


def _target(response: Response) -> Figure:
    """No target to acknowledge can be declared yet, and the reason says so."""
    return replace(response.within_target, reason_if_null="no_target")


def resolve_time(t: Times) -> Kpi:
    s, left = t.of, t.of.still_open
    age = Figure(left.oldest_age, left.count, reason_if_null=left.reason_if_null, records=left.records)
    parts = [
        *spread(s.resolve_of_resolved, t.resolved, "Resolved in the period"),
        Part("still_open", "Still open at the end", "count", count(left.records)),
        Part("oldest_open", "Age of the oldest still open", "seconds", age),
        *spread(s.resolve_of_opened, t.opened, "Opened in the period", "opened_"),
        *spread(s.work_of_resolved, t.resolved, "Time at work, resolved in the period", "work_"),
        *spread(s.work_of_opened, t.opened, "Time at work, opened in the period", "work_opened_"),
    ]
    parts += [
        Part("resolved_by", f"Resolved by {who}, mean", "seconds", s.resolve_by[by].mean, by.value)
        for by, who in _BY.items()
    ]
    parts += [
        Part("apart", f"{title}, shown apart, mean", "seconds", s.apart[disposition].mean, disposition.value)
        for disposition, title in _APART.items()
    ]
    parts.append(Part("merged", "Merged into another, shown apart", "count", count(s.merged)))
    return Kpi("mttr", noting(s.resolve_of_resolved.mean, t.resolved), tuple(parts))


_APART = {Disposition.DRILL: "Drills", Disposition.FALSE_POSITIVE: "False positives"}
_BY = {ResolvedBy.AUTO: "its rule", ResolvedBy.PERSON: "a person"}


def detect_time(t: Times) -> Kpi:
    detect = t.of.detect
    return Kpi("mttd", noting(detect.mean, t.opened), spread(detect, t.opened, "Time to detect"))


def recover_time(t: Times) -> Kpi:
    recover = t.of.recover
    return Kpi("time_to_recover", noting(recover.mean, t.resolved), spread(recover, t.resolved, "Time to recover"))


def between_failures(t: Times) -> Kpi:
    failures = [i for i in t.kept if t.part.holds(i.opened_at) and _failure(i)]
    reason = "fewer_than_two_failures" if len(failures) < 2 else "uptime_unknown"
    ids = [i.id for i in failures]
    return Kpi(
        "mtbf",
        missing(reason, len(ids), ids, t.opened),
        tuple(
            Part("failures", "Critical incidents", "count", count([i for i in failures if i.fingerprint.model == m]), m)
            for m in sorted({i.fingerprint.model for i in failures})
        ),
    )


def _failure(incident: Incident) -> bool:
    counted = incident.merged_into is None and incident.disposition not in APART
    return counted and incident.severity is Severity.CRITICAL
