"""What each command does, and why it does nothing where it does not: one test for each guarantee."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidents.commands import (
    Acknowledge,
    AddEvidence,
    Assign,
    Clock,
    Close,
    Command,
    Comment,
    Dispose,
    Disposition,
    Open,
    RaiseSeverity,
    Recover,
    Relapse,
    Reopen,
    Resolve,
)
from incidents.events import Actor, ActorKind, Event, EventKind
from incidents.incident import Incident, Interval, ResolvedBy
from incidents.machine import Decision, DecisionReason, State, apply, decide, replay
from incidents.verdict import Cause, Evidence, Fingerprint, Kind, Severity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = Actor("census/drift", ActorKind.RULE)
MACHINE = Actor("alerts-bridge", ActorKind.MACHINE)
ANA, BO = Actor("ana", ActorKind.PERSON), Actor("bo", ActorKind.PERSON)
FINGERPRINT = Fingerprint("census", Kind.DRIFT)


def evidence(day: int, excess: float | None = None) -> Evidence:
    start = NOW - 30 * DAY + day * DAY
    return Evidence(start, start + DAY, f"day {day}", (Cause(f"feature {day}", "psi", 0.3),), excess=excess)


OPEN = Open(FINGERPRINT, Severity.WARNING, "census drifts", NOW - DAY, evidence(0))


class Desk:
    """One incident and its log; each command comes an hour after the last."""

    def __init__(self) -> None:
        self.incident: Incident | None = None
        self.log: list[Event] = []
        self.now = NOW

    def ask(self, command: Command, actor: Actor = ANA, after: timedelta = HOUR) -> DecisionReason:
        self.now += after if self.log else timedelta()
        decision = decide(self.incident, command, actor, self.now)
        for event in decision.events:
            self.incident = apply(self.incident, event)
            self.log = [event] if event.kind is EventKind.OPENED else [*self.log, event]
        return decision.reason

    @property
    def it(self) -> Incident:
        assert self.incident is not None
        return self.incident

    def asks(self, *steps: tuple[Command, Actor] | Command) -> Desk:
        """Several commands, each of which must be done."""
        for step in steps:
            command, actor = step if isinstance(step, tuple) else (step, ANA)
            assert self.ask(command, actor) is DecisionReason.DONE
        return self


def opened() -> Desk:
    return Desk().asks((OPEN, RULE))


def resolved() -> Desk:
    return opened().asks(Resolve())


def closed() -> Desk:
    return resolved().asks(Dispose(Disposition.TRUE, "a new form"), Close())


def test_a_day_from_breach_to_closed() -> None:
    desk = opened().asks(
        Acknowledge("mine"),
        Assign("ana"),
        Comment("RELP moved"),
        (AddEvidence(evidence(1)), RULE),
        (Recover(NOW), RULE),
        (Resolve("two clean windows"), RULE),
        Dispose(Disposition.TRUE, "people in group quarters"),
        Close("form mended"),
    )
    it = desk.it
    assert it.state is State.CLOSED
    assert (it.started_at, it.opened_at, it.recovered_at) == (NOW - DAY, NOW, NOW)
    assert (it.acknowledged_at, it.resolved_at, it.closed_at) == (NOW + HOUR, NOW + 6 * HOUR, NOW + 8 * HOUR)
    assert it.live == (Interval(NOW, NOW + 6 * HOUR),)
    assert (it.assignee, it.disposition, it.disposed_at) == ("ana", Disposition.TRUE, NOW + 7 * HOUR)
    assert (it.root_cause, it.resolved_by) == ("people in group quarters", ResolvedBy.AUTO)
    told = "opened acknowledged assigned commented evidence_added recovered resolved disposed closed"
    assert " ".join(e.kind for e in desk.log) == told
    assert replay(desk.log) == it


def test_an_incident_and_its_log_survive_json() -> None:
    desk = closed()
    assert Incident.from_json(json.loads(json.dumps(desk.it.to_json(), allow_nan=False))) == desk.it
    assert replay(Event.from_json(json.loads(json.dumps(e.to_json()))) for e in desk.log) == desk.it


@pytest.mark.parametrize("command", [Acknowledge(), Dispose(Disposition.TRUE, "why"), Close(), Resolve()])
def test_a_machine_cannot_acknowledge_resolve_dispose_or_close(command: Command) -> None:
    for desk in (opened(), resolved(), closed()):
        assert desk.ask(command, MACHINE) is DecisionReason.NEEDS_PERSON


@pytest.mark.parametrize("command", [Acknowledge(), Dispose(Disposition.TRUE, "why"), Close()])
def test_a_rule_resolves_but_takes_charge_of_nothing(command: Command) -> None:
    assert opened().ask(command, RULE) is DecisionReason.NEEDS_PERSON
    desk = opened().asks((Resolve(), RULE))
    assert (desk.it.state, desk.it.resolved_by) == (State.RESOLVED, ResolvedBy.AUTO)


def test_resolving_is_not_acknowledging() -> None:
    desk = resolved()
    assert (desk.it.acknowledged_at, desk.it.resolved_by) == (None, ResolvedBy.PERSON)
    assert desk.ask(Acknowledge()) is DecisionReason.ALREADY_RESOLVED
    assert desk.it.acknowledged_at is None


def test_a_second_acknowledgement_changes_nothing_and_says_so() -> None:
    desk = opened().asks(Acknowledge())
    before = desk.it
    assert desk.ask(Acknowledge(), BO) is DecisionReason.ALREADY_ACKNOWLEDGED
    assert desk.it == before


def test_the_first_acknowledgement_stands_through_a_reopening() -> None:
    desk = opened().asks(Acknowledge(), Resolve(), Reopen())
    assert desk.it.state is State.OPEN  # to be acknowledged again
    desk.asks(Acknowledge())
    assert (desk.it.state, desk.it.acknowledged_at) == (State.ACKNOWLEDGED, NOW + HOUR)


@pytest.mark.parametrize(
    "command",
    [
        Acknowledge(),
        AddEvidence(evidence(5)),
        RaiseSeverity(Severity.CRITICAL),
        Recover(NOW),
        Relapse(evidence(5)),
        Resolve(),
    ],
)
def test_what_comes_too_late_says_why(command: Command) -> None:
    assert resolved().ask(command) is DecisionReason.ALREADY_RESOLVED
    assert closed().ask(command) is DecisionReason.ALREADY_CLOSED


@pytest.mark.parametrize("command", [Assign("bo"), Dispose(Disposition.DRILL, "why"), Close()])
def test_what_is_closed_stays_as_it_was_closed(command: Command) -> None:
    assert closed().ask(command) is DecisionReason.ALREADY_CLOSED
    assert closed().ask(Comment("for the record")) is DecisionReason.DONE


@pytest.mark.parametrize("command", [Acknowledge(), Comment("x"), Reopen(), Close(), Resolve(), Recover(NOW)])
def test_without_an_incident_nothing_but_opening_is_done(command: Command) -> None:
    assert decide(None, command, ANA, NOW) == Decision((), DecisionReason.NO_SUCH_INCIDENT)


def test_closing_needs_resolution_then_a_disposition_then_a_root_cause() -> None:
    desk = opened()
    assert desk.ask(Close()) is DecisionReason.NOT_RESOLVED
    desk.asks(Resolve())
    assert desk.ask(Close()) is DecisionReason.NEEDS_DISPOSITION
    desk.asks(Dispose(Disposition.FALSE_POSITIVE))
    assert desk.ask(Close()) is DecisionReason.NEEDS_ROOT_CAUSE
    desk.asks(Dispose(Disposition.FALSE_POSITIVE, "a public holiday"), Close())


def test_a_disposition_may_be_corrected_until_closing_and_its_first_time_stands() -> None:
    desk = resolved().asks(Dispose(Disposition.TRUE, "a new form"), Dispose(Disposition.ACCEPTED))
    assert (desk.it.disposition, desk.it.root_cause) == (Disposition.ACCEPTED, "a new form")
    assert desk.it.disposed_at == NOW + 2 * HOUR
    assert desk.ask(Dispose(Disposition.ACCEPTED)) is DecisionReason.ALREADY_DISPOSED


def test_severity_only_rises_in_place_and_is_logged() -> None:
    desk = opened()
    assert desk.ask(RaiseSeverity(Severity.INFO)) is DecisionReason.SEVERITY_NOT_HIGHER
    assert desk.ask(RaiseSeverity(Severity.WARNING)) is DecisionReason.SEVERITY_NOT_HIGHER
    desk.asks(RaiseSeverity(Severity.CRITICAL, "many people"))
    assert desk.log[-1].data == {"from": "warning", "to": "critical", "note": "many people"}
    desk.asks((AddEvidence(evidence(2), Severity.INFO), RULE))
    assert desk.it.severity is Severity.CRITICAL


def test_worse_evidence_raises_the_severity() -> None:
    desk = opened().asks((AddEvidence(evidence(1), Severity.CRITICAL), RULE))
    assert [e.kind for e in desk.log[1:]] == ["evidence_added", "severity_raised"]
    assert desk.it.severity is Severity.CRITICAL


def test_the_same_evidence_is_recorded_once_and_better_evidence_of_a_window_replaces_it() -> None:
    desk = opened().asks((AddEvidence(evidence(1)), RULE))
    assert desk.ask(AddEvidence(evidence(1)), RULE) is DecisionReason.ALREADY_RECORDED
    desk.asks((AddEvidence(evidence(1, excess=2.0)), RULE))
    assert desk.it.evidence == (evidence(0), evidence(1, excess=2.0))


def test_the_first_the_worst_and_the_latest_evidence_are_kept() -> None:
    desk = opened()
    for day in range(1, 30):
        desk.asks((AddEvidence(evidence(day, excess=9.0 if day == 7 else 1.0)), RULE))
    assert [e.summary for e in desk.it.evidence] == [f"day {d}" for d in (0, 7, 25, 26, 27, 28, 29)]
    assert [c.name for c in desk.it.causes] == ["feature 7"]


def test_an_incident_opened_by_hand_may_have_no_evidence() -> None:
    desk = Desk().asks(replace(OPEN, evidence=None))
    assert (desk.it.evidence, desk.it.worst, desk.it.causes) == ((), None, ())


def test_recovery_is_not_resolution_and_a_relapse_takes_it_back() -> None:
    desk = opened().asks((Recover(NOW), RULE))
    assert (desk.it.state, desk.it.recovered_at) == (State.OPEN, NOW)
    assert desk.ask(Recover(NOW + DAY), RULE) is DecisionReason.ALREADY_RECOVERED
    desk.asks((Relapse(evidence(3)), RULE))
    assert desk.it.recovered_at is None
    assert desk.log[-1].kind is EventKind.RELAPSED
    assert evidence(3) in desk.it.evidence


def test_a_window_amended_back_to_a_breach_relapses_though_its_evidence_is_known() -> None:
    desk = opened().asks((Recover(NOW), RULE), (Relapse(evidence(0)), RULE))
    assert desk.it.recovered_at is None
    assert desk.ask(Relapse(evidence(0)), RULE) is DecisionReason.ALREADY_RECORDED


def test_late_evidence_of_an_earlier_window_is_no_relapse() -> None:
    desk = opened().asks((Recover(NOW), RULE), (AddEvidence(evidence(3)), RULE))
    assert desk.it.recovered_at == NOW


def test_a_relapse_of_what_never_recovered_is_one_more_piece_of_evidence() -> None:
    desk = opened().asks((Relapse(evidence(3)), RULE))
    assert desk.log[-1].kind is EventKind.EVIDENCE_ADDED


def test_recovery_never_comes_before_the_start() -> None:
    early = OPEN.started_at - HOUR
    assert opened().ask(Recover(early), RULE) is DecisionReason.RECOVERED_BEFORE_START
    assert opened().ask(Resolve(recovered_at=early), RULE) is DecisionReason.RECOVERED_BEFORE_START


def test_a_rule_that_resolves_on_its_first_clean_window_recovers_with_it() -> None:
    desk = opened().asks((Resolve(recovered_at=NOW), RULE))
    assert [e.kind for e in desk.log] == ["opened", "recovered", "resolved"]
    assert desk.it.recovered_at == NOW


def test_opening_what_is_live_adds_what_is_new_and_opens_nothing() -> None:
    desk = opened()
    again = replace(OPEN, evidence=evidence(1), severity=Severity.CRITICAL)
    assert desk.ask(again, RULE) is DecisionReason.DEDUPLICATED
    assert (desk.it.severity, desk.it.evidence) == (Severity.CRITICAL, (evidence(0), evidence(1)))
    assert desk.ask(again, RULE) is DecisionReason.ALREADY_OPEN
    assert desk.it.reopenings == 0


def test_a_breach_within_the_reopen_window_reopens_the_same_incident() -> None:
    desk = closed()
    id, since = desk.it.id, desk.it.resolved_at
    assert since is not None
    last_moment = since + 7 * DAY - timedelta(microseconds=1)
    reason = desk.ask(replace(OPEN, evidence=evidence(9)), RULE, after=last_moment - desk.now)
    it = desk.it
    assert (reason, it.id, it.state) == (DecisionReason.REOPENED_WITHIN_WINDOW, id, State.OPEN)
    assert (it.reopenings, it.opened_at, it.evidence) == (1, NOW, (evidence(0), evidence(9)))
    assert it.live == (Interval(NOW, since), Interval(desk.now))
    assert {it.resolved_at, it.resolved_by, it.closed_at, it.disposition, it.root_cause, it.disposed_at} == {None}


def test_a_breach_after_the_reopen_window_opens_a_new_incident_linked_to_the_last() -> None:
    desk = resolved()
    first = desk.it
    assert desk.ask(OPEN, RULE, after=7 * DAY) is DecisionReason.RECURRENCE
    assert desk.it.id != first.id
    assert (desk.it.recurrence_of, desk.it.reopenings, desk.it.opened_at) == (first.id, 0, desk.now)
    assert replay(desk.log) == desk.it


def test_the_reopen_window_is_a_parameter() -> None:
    decision = decide(resolved().it, OPEN, RULE, NOW + 2 * HOUR, reopen_window=HOUR)
    assert decision.reason is DecisionReason.RECURRENCE


def test_a_person_reopens_within_the_window_only() -> None:
    assert opened().ask(Reopen()) is DecisionReason.ALREADY_OPEN
    assert resolved().ask(Reopen(), after=8 * DAY) is DecisionReason.REOPEN_WINDOW_PASSED
    desk = resolved().asks(Reopen("it is back"))
    assert desk.log[-1].data == {"evidence": None, "note": "it is back"}


@pytest.mark.parametrize("actor", [RULE, MACHINE])
def test_only_a_person_reopens_by_hand(actor: Actor) -> None:
    assert resolved().ask(Reopen(), actor) is DecisionReason.NEEDS_PERSON


def test_an_acknowledgement_of_what_was_seen_before_the_last_reopening_is_none() -> None:
    desk = opened().asks(Resolve(), Reopen())
    assert desk.ask(Acknowledge(seen_at=NOW)) is DecisionReason.BEFORE_REOPENING
    assert desk.it.acknowledged_at is None
    desk.asks(Acknowledge(seen_at=NOW + 3 * HOUR))
    assert opened().ask(Acknowledge(seen_at=NOW - DAY)) is DecisionReason.DONE


def test_a_replay_never_reopens_what_the_wall_clock_resolved() -> None:
    then = datetime(2016, 1, 1, tzinfo=UTC)
    decision = decide(resolved().it, replace(OPEN, clock=Clock.EVENT, started_at=then), RULE, then)
    assert decision.reason is DecisionReason.RECURRENCE
    assert replay(decision.events).opened_at == then


def test_another_fingerprint_is_another_incident() -> None:
    other = replace(OPEN, fingerprint=Fingerprint("census", Kind.QUALITY))
    assert opened().ask(other, RULE) is DecisionReason.OTHER_FINGERPRINT


def test_the_same_log_makes_the_same_id() -> None:
    assert opened().it.id == opened().it.id
    assert opened().it.id.startswith("inc_")


def test_a_log_never_runs_backwards_though_clocks_do() -> None:
    desk = opened()
    assert desk.ask(Acknowledge(), after=-timedelta(seconds=3)) is DecisionReason.DONE
    assert desk.it.acknowledged_at == desk.it.opened_at
    ahead = decide(None, replace(OPEN, started_at=NOW + HOUR), RULE, NOW)
    assert replay(ahead.events).started_at == NOW


def test_assigning_to_the_same_person_again_says_so() -> None:
    desk = opened().asks(Assign("bo"))
    assert desk.ask(Assign("bo")) is DecisionReason.ALREADY_ASSIGNED


def test_a_log_that_makes_no_incident_is_refused() -> None:
    log = opened().asks(Acknowledge()).log
    for broken, says in (([], "at least one"), (log[1:], "none was opened"), ([*log, log[0]], "second incident")):
        with pytest.raises(ValueError, match=says):
            replay(broken)
