"""KPIs of bias: findings closed, how long that took, how often they arise, and how often anyone looked.

A bias finding is a fairness incident that was neither a drill nor a false positive. It is closed when its incident is
closed with a passing re-test, or with a risk acceptance that a second person signed, until that expires.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from incidents.commands import Disposition
from incidents.figures import Cohort, Figure, durations
from incidents.incident import APART, Incident
from incidents.times import finding_closed
from incidents.verdict import Kind
from monitor.kpis.kpi import Kpi, Part, count, missing, ratio, spread
from monitor.kpis.periods import Period, model_quarters
from monitor.kpis.records import BiasTest, ModelRecord, Records

AGES = ((0, 30), (30, 90))     # days since opening: the steps in which the ageing of open findings is told


def closed_at(finding: Incident) -> datetime | None:
    """When a finding was closed, whether or not its acceptance has expired since; closing without a passing re-test or
    a signed acceptance closes no finding."""
    stretch = finding_closed(finding)
    return None if stretch is None else stretch.start


def findings_closed(records: Records, part: Period) -> Kpi:
    opened, closed = _cohort(records, part, "opened"), _cohort(records, part, "closed")
    findings = [i for i in records.kept(Kind.FAIRNESS) if i.is_finding]
    before = [i for i in findings if _open_at(i, part.start)]
    accepted = [i for i in closed.members if _by_acceptance(i)]
    expired = [i for i in findings if part.holds(_expired_at(i))]
    ids = list(dict.fromkeys(i.id for i in (*before, *opened.members, *expired)))
    return Kpi(
        "bias_findings_closed",
        ratio(len(closed.members), len(ids), ids, "no_findings", opened.excluded),
        (
            Part("closed", "Closed in the period", "count", count(closed.members, closed.excluded)),
            Part("closed_by_acceptance", "Of these by a signed risk acceptance", "count", count(accepted)),
            Part("open_at_start", "Open at the start", "count", count(before)),
            Part("opened", "Opened in the period", "count", count(opened.members, opened.excluded)),
            Part("acceptance_expired", "Open again, for their acceptance expired", "count", count(expired)),
            Part("open_at_end", "Open at the end", "count", count([i for i in findings if _open_at(i, part.end)])),
        ),
    )


def closure_time(records: Records, part: Period) -> Kpi:
    cohort = _cohort(records, part, "closed")
    taken = durations(cohort, lambda i: None if (end := closed_at(i)) is None else end - i.opened_at, "still_open")
    left = [i for i in records.kept(Kind.FAIRNESS) if i.is_finding and _open_at(i, part.end)]
    ages = []
    for low, high in AGES:
        aged = [i for i in left if low <= (part.end - i.opened_at).days < high]
        ages.append(Part(f"open_from_{low}_days", f"Open for {low} to {high} days", "count", count(aged)))
    aged = [i for i in left if (part.end - i.opened_at).days >= AGES[-1][1]]
    ages.append(Part(f"open_from_{AGES[-1][1]}_days", f"Open for {AGES[-1][1]} days and more", "count", count(aged)))
    return Kpi("bias_closure_time", taken.median, (*spread(taken, {}, "Time to close"), *ages))


def incident_rate(records: Records, part: Period) -> Kpi:
    opened = _cohort(records, part, "opened")
    false = [
        i
        for i in records.kept(Kind.FAIRNESS)
        if i.disposition is Disposition.FALSE_POSITIVE and part.holds(i.opened_at)
    ]
    quarters = sum(model_quarters(life) for life in records.lives(part).values())
    served = sum(m.served(part) for m in records.covered)
    ids = tuple(i.id for i in opened.members)
    rate = Figure(
        len(ids) / served * 1e6 if served else None,
        len(ids),
        len(ids),
        served,
        opened.excluded,
        None if served else "no_predictions",
        ids,
    )
    return Kpi(
        "bias_incident_rate",
        ratio(len(ids), quarters, ids, "no_exposure", {**opened.excluded, **records.models_left_out}),
        (
            Part("per_million", "Per million predictions", "per_million", rate),
            Part("false_positives", "False positives, shown apart", "count", count(false)),
        ),
    )


def testing_frequency(records: Records, part: Period) -> Kpi:
    lives = records.lives(part)
    testable = [m for m in records.covered if m.attributes]
    due = {m.name: [t for t in m.tests if part.holds(t.due)] for m in testable}
    every = [t for tests in due.values() for t in tests]
    without = sum(not m.attributes for m in records.covered if m.name in lives)
    excluded = {**records.models_left_out, **({"models_without_protected_attributes": without} if without else {})}
    tested = [m.name for m in testable if m.name in lives and any(t.result.done for t in due[m.name])]
    n_testable = sum(m.name in lives for m in testable)
    parts = [
        Part(
            "models_tested",
            "Models tested at least once",
            "ratio",
            ratio(len(tested), n_testable, tested, "no_live_models", excluded, n=n_testable),
        )
    ]
    for result in ("ok", "breach", "inconclusive", "insufficient", "missing"):
        found = [t.id for t in every if t.result == result]
        parts.append(Part(f"result_{result}", f"Tests: {result}", "count", count(found)))
    for m in testable:
        if m.name in lives or due[m.name]:
            parts += _of_model(m, due[m.name], lives.get(m.name))
    return Kpi(
        "bias_testing_frequency",
        _done(every, excluded),
        tuple(parts),
    )


def _of_model(m: ModelRecord, due: list[BiasTest], life: Period | None) -> list[Part]:
    done = sorted(t.due for t in due if t.result.done)
    if life is None:
        gap = missing("not_live")
    else:
        edges = [life.start, *(min(max(d, life.start), life.end) for d in done), life.end]
        longest = max(b - a for a, b in pairwise(edges))
        gap = Figure(longest.total_seconds(), len(done), records=tuple(t.id for t in due if t.result.done))
    return [
        Part("tested", "Tests done of those due", "ratio", _done(due, {}), m.name),
        Part("longest_gap", "Longest time without a finished test", "seconds", gap, m.name),
    ]


def _done(due: list[BiasTest], excluded: dict[str, int]) -> Figure:
    return ratio(sum(t.result.done for t in due), len(due), [t.id for t in due], "none_due", excluded, n=len(due))


def _cohort(records: Records, part: Period, which: str) -> Cohort:
    """Findings opened or closed in the period."""
    when = closed_at if which == "closed" else _start
    found = records.cohort(f"{which} in the period", part, when, Kind.FAIRNESS)
    return found.without([i.disposition.value if i.disposition in APART else "" for i in found.members])


def _start(finding: Incident) -> datetime:
    return finding.opened_at


def _by_acceptance(finding: Incident) -> bool:
    passed, end = finding.retest_passed_at, closed_at(finding)
    return end is not None and (passed is None or passed > end)


def _expired_at(finding: Incident) -> datetime | None:
    stretch = finding_closed(finding)
    return None if stretch is None else stretch.end


def _open_at(finding: Incident, at: datetime) -> bool:
    """Just before ``at``: what was closed at that very instant was still open."""
    end, again = closed_at(finding), _expired_at(finding)
    return finding.opened_at < at and (end is None or end >= at or (again is not None and again < at))
