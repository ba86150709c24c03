"""Re-tests, corrective actions, serious candidates and merges: one test for each guarantee."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from desks import ANA, BO, BRIDGE, DAY, HOUR, LIMIT, NOW, RULE, Desk, finding

from incidents.care import (
    CheckAction,
    CompleteAction,
    MarkSerious,
    Merge,
    PlanAction,
    RecordReport,
    Retest,
)
from incidents.commands import (
    Acknowledge,
    AddEvidence,
    Close,
    Dispose,
    Disposition,
    Open,
    Recover,
    Relapse,
    Reopen,
    Resolve,
)
from incidents.countdowns import PRESETS
from incidents.events import Actor
from incidents.incident import State
from incidents.machine import DecisionReason, apply, decide_merge, replay
from incidents.times import finding_closed_at
from incidents.verdict import Evidence, Fingerprint, Kind, Limit, Severity

PLAN = PlanAction("widen the campaign", "ana", NOW + 30 * DAY, NOW + 90 * DAY)
PASSES = Retest(LIMIT.metric, LIMIT.scope, NOW, NOW + DAY, 0.9, 0.85, 0.95, 900)


@pytest.mark.parametrize(
    ("measured", "passed"),
    [
        ((0.9, 0.85, 0.95, 900), True),
        ((0.9, 0.8, 0.95, 900), True),           # the limit itself is within
        ((0.82, 0.79, 0.85, 900), False),        # straddles
        ((0.7, 0.6, 0.75, 900), False),
        ((0.9, None, 0.95, 900), False),         # no interval is no evidence
        ((None, None, None, 0), False),
        ((0.9, 0.85, 0.95, 0), False),
        ((0.79, 0.85, 0.95, 900), False),        # a value outside its own interval
    ],
)
def test_a_re_test_passes_with_its_whole_interval_within_the_limit(measured: tuple, passed: bool) -> None:  # type: ignore[type-arg]
    value, low, high, n = measured
    desk = finding().asks((replace(PASSES, value=value, low=low, high=high, n=n), RULE))
    assert [r.passed for r in desk.it.retests] == [passed]
    assert (desk.it.retest_passed_at == desk.now) is passed


def test_a_finding_is_closed_by_a_passing_re_test_and_a_corrective_action() -> None:
    desk = finding()
    assert desk.ask(Close()) is DecisionReason.NEEDS_RETEST_OR_ACCEPTANCE
    desk.asks((PASSES, BRIDGE))
    assert desk.ask(Close()) is DecisionReason.NEEDS_CORRECTIVE_ACTION
    desk.asks(PLAN, Close())
    assert finding_closed_at(desk.it, desk.now) == desk.it.closed_at == desk.now


def test_each_limit_that_was_breached_needs_its_own_re_test() -> None:
    other = Limit("parity_difference", "attribute=SEX", -0.1, 0.1)
    desk = finding(LIMIT, other).asks(PASSES, PLAN)
    assert desk.ask(Close()) is DecisionReason.NEEDS_RETEST_OR_ACCEPTANCE
    assert desk.ask(replace(PASSES, metric="accuracy_difference")) is DecisionReason.RETEST_OF_ANOTHER
    desk.asks(replace(PASSES, metric=other.metric, value=0.01, low=-0.05, high=0.05), Close())


def test_a_re_test_is_of_a_window_after_the_last_breach_and_the_latest_window_counts() -> None:
    desk = finding()
    early = replace(PASSES, window_start=NOW - DAY - HOUR)
    assert desk.ask(early) is DecisionReason.RETEST_TOO_EARLY
    later = replace(PASSES, window_start=NOW + DAY, window_end=NOW + 2 * DAY, value=0.5, low=0.4, high=0.6)
    desk.asks(PASSES, later)
    assert desk.ask(PASSES) is DecisionReason.ALREADY_RECORDED
    assert [r.passed for r in desk.it.retests] == [False]
    assert desk.it.retest_passed_at is None


def test_a_breach_after_a_re_test_takes_it_back() -> None:
    desk = Desk(Kind.FAIRNESS, Severity.WARNING, LIMIT).asks((Recover(NOW, retests=(PASSES,)), RULE))
    assert desk.it.retest_passed_at == desk.now
    again = Evidence(NOW + DAY, NOW + 2 * DAY, "ratio 0.7")
    assert Desk(Kind.FAIRNESS, Severity.WARNING, LIMIT).asks((PASSES, RULE), (AddEvidence(again), RULE)).it.retests
    desk.asks((Relapse(again), RULE))
    assert desk.it.retest_passed_at is None
    healed = replace(PASSES, window_start=NOW + 2 * DAY, window_end=NOW + 3 * DAY)
    desk.asks((Resolve(recovered_at=NOW + 3 * DAY, retests=(healed, healed)), RULE))
    assert [e.kind.value for e in desk.log[-3:]] == ["recovered", "retested", "resolved"]
    assert desk.it.retest_passed_at == desk.now
    desk.asks(Reopen())
    assert (desk.it.retests, desk.it.retest_passed_at) == ((), None)


def test_the_limit_of_the_first_opening_stays_the_one_to_pass() -> None:
    desk = finding().asks(PASSES, PLAN, Close())
    looser, new = replace(LIMIT, low=0.5), Limit("accuracy_difference", "attribute=SEX", high=0.1)
    again = Open(desk.it.fingerprint, Severity.WARNING, "t", NOW, limits=(looser, new))
    assert desk.ask(again, RULE) is DecisionReason.REOPENED_WITHIN_WINDOW
    assert desk.it.limits == (LIMIT, new)


@pytest.mark.parametrize(
    ("kind", "severity", "needed"),
    [
        (Kind.DRIFT, Severity.WARNING, False),
        (Kind.DRIFT, Severity.CRITICAL, True),
        (Kind.QUALITY, Severity.INFO, False),
    ],
)
def test_a_corrective_action_is_due_where_a_true_incident_is_grave(
    kind: Kind, severity: Severity, needed: bool
) -> None:
    desk = Desk(kind, severity).asks(Resolve(), Dispose(Disposition.TRUE, "a form"))
    expected = DecisionReason.NEEDS_CORRECTIVE_ACTION if needed else DecisionReason.DONE
    assert desk.ask(Close()) is expected


def test_a_recurrence_needs_a_corrective_action_too() -> None:
    desk = Desk().asks(Resolve(), Dispose(Disposition.TRUE, "a form"), Close())
    assert desk.ask(Open(desk.it.fingerprint, Severity.INFO, "t", NOW), RULE, 30 * DAY) is DecisionReason.RECURRENCE
    desk.asks(Resolve(), Dispose(Disposition.TRUE, "the same form"))
    assert desk.ask(Close()) is DecisionReason.NEEDS_CORRECTIVE_ACTION
    desk.asks(PLAN, Close())


def test_an_action_is_planned_done_and_checked_after_closing_too() -> None:
    desk = Desk().asks(PLAN, Resolve(), Dispose(Disposition.TRUE, "a form"), Close())
    assert desk.ask(PLAN) is DecisionReason.ALREADY_RECORDED
    assert desk.ask(CompleteAction(2)) is DecisionReason.NO_SUCH_ACTION
    assert desk.ask(CheckAction(2, True)) is DecisionReason.NO_SUCH_ACTION
    assert desk.ask(CheckAction(1, True)) is DecisionReason.NOT_COMPLETED
    desk.asks(CompleteAction(1))
    done = desk.now
    assert desk.ask(CompleteAction(1), BO) is DecisionReason.ALREADY_COMPLETED
    desk.asks(CheckAction(1, False))
    assert desk.ask(CheckAction(1, False)) is DecisionReason.ALREADY_RECORDED
    desk.asks((CheckAction(1, True), BO), replace(PLAN, what="train anew"))
    first, second = desk.it.actions
    assert (first.completed_at, first.checked_at, first.effective) == (done, desk.now - HOUR, True)
    assert (second.number, second.completed_at, desk.it.state) == (2, None, State.CLOSED)


def test_there_is_an_end_to_actions() -> None:
    desk = Desk()
    for n in range(50):
        desk.asks(replace(PLAN, what=f"step {n}"))
    assert desk.ask(PLAN) is DecisionReason.TOO_MANY_ACTIONS


def test_a_serious_candidate_runs_its_clocks_and_its_reports_are_recorded_once() -> None:
    desk = Desk()
    mark = MarkSerious("outage", PRESETS["dora"], NOW - HOUR)
    report = RecordReport("dora", "initial", NOW + timedelta(days=400), "ref 7")
    assert desk.ask(report) is DecisionReason.NOT_SERIOUS
    assert desk.ask(mark, RULE) is DecisionReason.NEEDS_PERSON
    desk.asks(mark)
    assert desk.ask(mark, BO) is DecisionReason.ALREADY_SERIOUS
    assert desk.ask(replace(report, deadline="soon")) is DecisionReason.NO_SUCH_DEADLINE
    desk.asks(report)
    assert desk.ask(report) is DecisionReason.ALREADY_REPORTED
    assert desk.it.serious is not None
    (filed,) = desk.it.serious.reports
    assert (filed.at, filed.by) == (desk.now - HOUR, "ana")      # nothing is filed in the future
    desk.asks(replace(mark, classified_at=NOW))                  # what was not known is added, and nothing is lost
    assert (desk.it.serious.classified_at, desk.it.serious.reports) == (NOW, (filed,))
    desk.asks(Resolve(), Reopen())
    assert desk.it.serious is not None


def test_a_merge_ends_one_incident_without_resolving_it() -> None:
    source, target = Desk(), Desk(Kind.QUALITY, Severity.INFO)
    here, there = decide_merge(source.it, target.it, Merge(target.it.id, "one release"), ANA, NOW + HOUR)
    it = apply(source.it, here.events[0])
    assert (it.state, it.resolved_at, it.closed_at, it.merged_into) == (State.CLOSED, None, NOW + HOUR, target.it.id)
    assert it.live[-1].end == NOW + HOUR
    assert [e.kind.value for e in there.events] == ["absorbed", "evidence_added", "severity_raised"]
    source.incident = it
    assert source.ask(Merge(target.it.id)) is DecisionReason.ALREADY_MERGED
    for late in (Acknowledge(), Resolve(), Reopen(), Close(), Dispose(Disposition.TRUE)):
        assert source.ask(late) is DecisionReason.ALREADY_MERGED
    assert source.ask(Open(it.fingerprint, Severity.INFO, "t", NOW), RULE) is DecisionReason.RECURRENCE


def test_what_cannot_be_merged() -> None:
    source, fair = Desk(), Desk(Kind.FAIRNESS)
    other = replay([replace(Desk().log[0], data={**Desk().log[0].data, "fingerprint": "v1:flights/drift", "id": "x"})])
    ended = Desk(Kind.QUALITY).asks(Resolve()).it

    def reason(one: Desk, target: object, into: str, actor: Actor = ANA) -> DecisionReason:
        here, there = decide_merge(one.it, target, Merge(into), actor, NOW + HOUR)  # type: ignore[arg-type]
        assert (here.events, here) == ((), there)
        return here.reason

    assert reason(source, source.it, source.it.id) is DecisionReason.NOT_MERGEABLE
    assert reason(source, fair.it, fair.it.id) is DecisionReason.NOT_MERGEABLE
    assert reason(fair, source.it, source.it.id) is DecisionReason.NOT_MERGEABLE
    assert reason(source, other, other.id) is DecisionReason.NOT_MERGEABLE
    assert reason(source, ended, ended.id) is DecisionReason.NOT_MERGEABLE
    assert reason(source, ended, "inc_other") is DecisionReason.NOT_MERGEABLE
    assert reason(source, None, "inc_other") is DecisionReason.NO_SUCH_INCIDENT
    assert reason(source, ended, ended.id, BRIDGE) is DecisionReason.NEEDS_PERSON


def test_a_fingerprint_is_kept_once_however_it_came() -> None:
    target = Desk(Kind.QUALITY)
    for _ in range(2):
        source = Desk()
        source.incident = replace(source.it, id=f"inc_{len(target.it.merged_from)}")
        _, there = decide_merge(source.it, target.it, Merge(target.it.id), ANA, NOW + HOUR)
        for event in there.events:
            target.incident = apply(target.it, event)
    assert target.it.fingerprints == (Fingerprint("census", Kind.QUALITY), Fingerprint("census", Kind.DRIFT))
    assert target.it.merged_from == ("inc_0", "inc_1")
