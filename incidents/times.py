"""How long things took: of one incident, and of a period. All derived from incidents, never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidents.commands import Clock, Disposition
from incidents.figures import Cohort, Durations, Figure, durations, share
from incidents.incident import APART, Incident, Interval, ResolvedBy
from incidents.verdict import Severity


def response_time(incident: Incident) -> timedelta | None:
    """First acknowledgement by a person minus opening; None where nobody has acknowledged, resolved or not."""
    return None if incident.acknowledged_at is None else incident.acknowledged_at - incident.opened_at


def time_to_resolve(incident: Incident) -> timedelta | None:
    """Final resolution minus first opening, the customer's view; None while it is live."""
    return None if incident.resolved_at is None else incident.resolved_at - incident.opened_at


def work_time(incident: Incident) -> timedelta | None:
    """The sum of the stretches in which it was live, the work's view; None while it is live."""
    return None if incident.resolved_at is None else _live_for(incident, incident.resolved_at)


def time_to_detect(incident: Incident) -> timedelta:
    """Opening minus start: how long the fault ran unseen."""
    return incident.opened_at - incident.started_at


def time_to_recover(incident: Incident) -> timedelta | None:
    """Recovery of the signal minus start; None where it has not recovered since it last breached."""
    return None if incident.recovered_at is None else incident.recovered_at - incident.started_at


def finding_closed(incident: Incident) -> Interval | None:
    """The stretch in which a bias finding is closed; None where it never was, or is none.

    It begins when its incident is closed with a passing re-test, and then has no end; or with a signed acceptance, and
    then ends when that expires, unless a re-test has passed by then. No timer runs: an instant is asked about.
    """
    if not incident.is_finding or incident.closed_at is None:
        return None
    passed, accepted = incident.retest_passed_at, incident.acceptance
    tested = None if passed is None else Interval(max(incident.closed_at, passed))
    if accepted is None or max(incident.closed_at, accepted.at) >= accepted.expires_at:
        return tested
    start = max(incident.closed_at, accepted.at)
    if tested is None:
        return Interval(start, accepted.expires_at)
    return Interval(min(start, tested.start)) if tested.start <= accepted.expires_at else tested


def finding_closed_at(incident: Incident, now: datetime) -> datetime | None:
    """Since when a bias finding is closed, as of ``now``; None while it is open, and after its acceptance expired."""
    stretch = finding_closed(incident)
    if stretch is None or now < stretch.start or (stretch.end is not None and now >= stretch.end):
        return None
    return stretch.start


@dataclass(frozen=True, slots=True)
class Response:
    """Time to acknowledge, of the incidents opened in a period.

    ``never_acknowledged``: ids; their time is missing, and their target is missed once they were live for longer
    than it. ``within_target`` leaves out what has still time, what was resolved or merged before its target, and what
    has none.
    """

    durations: Durations
    within_target: Figure
    never_acknowledged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StillOpen:
    """Live at the period's end, or now where that is earlier; the age in seconds since the first opening."""

    count: int
    oldest_age: float | None
    reason_if_null: str | None
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The incident times of one period. Cohorts are named: resolved in the period, or opened in it.

    Drills and false positives stand in ``apart``, what went on in another incident in ``merged`` (ids of those merged
    in the period), and neither in any other figure of resolution, detection and recovery. They do count in
    ``response``: what became of an incident does not change how soon somebody looked.
    """

    response: Response
    response_by_severity: Mapping[Severity, Response]
    resolve_of_resolved: Durations
    resolve_of_opened: Durations
    work_of_resolved: Durations
    work_of_opened: Durations
    resolve_by: Mapping[ResolvedBy, Durations]
    apart: Mapping[Disposition, Durations]
    merged: tuple[str, ...]
    detect: Durations
    recover: Durations
    still_open: StillOpen


def summarise(
    incidents: Iterable[Incident],
    period: tuple[datetime, datetime],
    now: datetime,
    targets: Mapping[Severity, timedelta],
    clocks: frozenset[Clock] = frozenset({Clock.WALL}),
) -> Summary:
    """TTA, MTTR in both views and both cohorts, MTTD, time to recover and what is still open, of ``[start, end)``.

    ``incidents`` are all there are, as of ``now``; ``targets`` the time to acknowledge by severity, which is the one
    that the incident has now. An incident resolved in the period and reopened since is resolved no more: such late
    facts make a new revision of the period. What runs on another clock is left out and counted.
    """
    if not period[0] < period[1]:
        raise ValueError(f"a period must end after it starts, and {period[1]} is not after {period[0]}")
    every = sorted(incidents, key=lambda i: (i.opened_at, i.id))

    def cohort(name: str, when: Callable[[Incident], datetime | None]) -> Cohort:
        members = tuple(i for i in every if (at := when(i)) is not None and period[0] <= at < period[1])
        whole = Cohort(name, members, {})
        return whole.without(["" if i.clock in clocks else f"clock_{i.clock}" for i in members])

    opened = cohort("opened in the period", lambda i: i.opened_at)
    resolved = cohort("resolved in the period", lambda i: i.resolved_at)
    merged = cohort("merged in the period", lambda i: i.closed_at if i.merged_into is not None else None)
    real_opened, real_resolved = _real(opened), _real(resolved)
    return Summary(
        response=_response(opened, targets, now),
        response_by_severity={
            s: _response(_part(opened, [i for i in opened.members if i.severity is s]), targets, now) for s in Severity
        },
        resolve_of_resolved=durations(real_resolved, time_to_resolve, "still_open"),
        resolve_of_opened=durations(real_opened, time_to_resolve, "still_open"),
        work_of_resolved=durations(real_resolved, work_time, "still_open"),
        work_of_opened=durations(real_opened, work_time, "still_open"),
        resolve_by={
            b: _resolve(real_resolved, [i for i in real_resolved.members if i.resolved_by is b]) for b in ResolvedBy
        },
        apart={d: _resolve(resolved, [i for i in resolved.members if _apart(i) == d]) for d in APART},
        merged=tuple(i.id for i in merged.members),
        detect=durations(real_opened, time_to_detect, ""),
        recover=durations(real_resolved, time_to_recover, "not_recovered"),
        still_open=_still_open([i for i in every if i.clock in clocks], period[1], now),
    )


def _real(cohort: Cohort) -> Cohort:
    return cohort.without([_apart(i) for i in cohort.members])


def _apart(incident: Incident) -> str:
    if incident.merged_into is not None:
        return "merged"
    return incident.disposition.value if incident.disposition in APART else ""


def _part(cohort: Cohort, members: list[Incident]) -> Cohort:
    """A part of a cohort: those outside it are another part's, not left out of this one."""
    return Cohort(cohort.name, tuple(members), {})


def _resolve(cohort: Cohort, members: list[Incident]) -> Durations:
    return durations(_part(cohort, members), time_to_resolve, "still_open")


def _response(opened: Cohort, targets: Mapping[Severity, timedelta], now: datetime) -> Response:
    def pending(incident: Incident) -> str:
        target = targets.get(incident.severity)
        if target is None:
            return "no_target"
        if incident.acknowledged_at is not None or _live_for(incident, now) > target:
            return ""
        if incident.merged_into is not None:
            return "merged_before_target"
        return "still_has_time" if incident.is_live else "resolved_before_target"

    def met(incident: Incident) -> bool:
        time = response_time(incident)
        return time is not None and time <= targets[incident.severity]

    return Response(
        durations=durations(opened, response_time, "never_acknowledged"),
        within_target=share(opened.without([pending(i) for i in opened.members]), met),
        never_acknowledged=tuple(i.id for i in opened.members if i.acknowledged_at is None),
    )


def _live_for(incident: Incident, until: datetime) -> timedelta:
    return sum((max((i.end or until) - i.start, timedelta()) for i in incident.live), timedelta())


def _still_open(incidents: list[Incident], period_end: datetime, now: datetime) -> StillOpen:
    at = min(now, period_end)

    def happened(when: datetime | None) -> bool:
        return when is not None and when < period_end and when <= now

    live = [i for i in incidents if any(happened(s.start) and not happened(s.end) for s in i.live)]
    oldest = max(((at - i.opened_at).total_seconds() for i in live), default=None)
    return StillOpen(len(live), oldest, None if live else "none_open", tuple(i.id for i in live))
