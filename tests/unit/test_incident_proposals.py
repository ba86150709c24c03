"""Four eyes: what waits for a second person, and what becomes of it."""

from __future__ import annotations

import pytest
from desks import ANA, BO, BRIDGE, DAY, HOUR, NOW, RULE, Desk, finding

from incidents.care import AcceptRisk, Approve, ClearSerious, Decline, MarkSerious, PlanAction
from incidents.commands import Close, Command, Dispose, Disposition, RaiseSeverity, Reopen, Resolve
from incidents.countdowns import PRESETS
from incidents.machine import DecisionReason
from incidents.times import finding_closed_at
from incidents.verdict import Kind, Severity

FALSE = Dispose(Disposition.FALSE_POSITIVE, "a holiday")
PLAN = PlanAction("mend", "ana", NOW, NOW)


def critical() -> Desk:
    return Desk(Kind.DRIFT, Severity.CRITICAL)


@pytest.mark.parametrize("disposition", [d for d in Disposition if d is not Disposition.TRUE])
@pytest.mark.parametrize("desk", [critical, lambda: Desk(Kind.FAIRNESS)])
def test_what_takes_a_grave_incident_out_of_the_count_needs_a_second_person(
    disposition: Disposition, desk: object
) -> None:
    at = desk()  # type: ignore[operator]
    assert at.ask(Dispose(disposition, "a holiday")) is DecisionReason.AWAITS_SECOND_PERSON
    assert at.it.disposition is None
    assert (at.it.open_proposals[0].by, at.it.open_proposals[0].command["command"]) == ("ana", "dispose")
    assert at.ask(Approve(1)) is DecisionReason.NEEDS_SECOND_PERSON
    assert at.ask(Approve(1), BRIDGE) is DecisionReason.NEEDS_PERSON
    at.asks((Approve(1, "so it was"), BO))
    assert (at.it.disposition, at.it.signed_by, at.it.root_cause) == (disposition, "bo", "a holiday")
    assert [e.kind.value for e in at.log[-2:]] == ["approved", "disposed"]
    assert at.log[-1].data["by"] == "ana"
    assert at.ask(Approve(1), BO) is DecisionReason.ALREADY_DECIDED


def test_a_true_incident_and_one_that_is_not_grave_need_one_person() -> None:
    critical().asks(Dispose(Disposition.TRUE, "a form"))
    Desk().asks(FALSE)


def test_what_is_declined_is_not_carried_out_and_may_be_proposed_again() -> None:
    desk = critical()
    desk.ask(FALSE)
    assert desk.ask(FALSE, BO) is DecisionReason.PROPOSAL_OPEN
    assert desk.ask(Dispose(Disposition.TRUE, "a form"), BO) is DecisionReason.PROPOSAL_OPEN
    desk.asks((Decline(1, "it was real"), BO))
    assert desk.it.disposition is None
    assert desk.ask(Decline(1), BO) is DecisionReason.ALREADY_DECIDED
    assert desk.ask(FALSE) is DecisionReason.AWAITS_SECOND_PERSON
    assert [p.number for p in desk.it.open_proposals] == [2]
    for unknown in (0, 3):
        assert desk.ask(Approve(unknown), BO) is DecisionReason.NO_SUCH_PROPOSAL


def test_whoever_works_alone_takes_a_proposal_back_and_can_still_close() -> None:
    desk = critical().asks(Resolve())
    desk.ask(FALSE)
    desk.asks(Decline(1, "nobody else is here"), Dispose(Disposition.TRUE, "a holiday"), PLAN, Close())


def test_nothing_is_closed_while_a_proposal_is_open() -> None:
    desk = critical().asks(Resolve(), Dispose(Disposition.TRUE, "a form"), PLAN)
    desk.ask(FALSE)
    assert desk.ask(Close()) is DecisionReason.PROPOSAL_OPEN


def test_a_disposition_that_one_person_gave_needs_another_once_the_incident_is_critical() -> None:
    desk = Desk().asks(FALSE, (RaiseSeverity(Severity.CRITICAL), RULE), Resolve())
    assert desk.ask(Close()) is DecisionReason.NEEDS_SECOND_PERSON
    assert desk.ask(FALSE) is DecisionReason.AWAITS_SECOND_PERSON
    desk.asks((Approve(1), BO), Close())


def test_a_risk_is_accepted_by_two_until_it_expires_and_can_be_accepted_again() -> None:
    desk = finding().asks(PLAN)
    accept = AcceptRisk("a law asks for it", NOW + 30 * DAY)
    assert desk.ask(AcceptRisk("late", NOW)) is DecisionReason.ALREADY_EXPIRED
    assert desk.ask(accept) is DecisionReason.AWAITS_SECOND_PERSON
    desk.asks((Approve(1), BO))
    assert desk.it.acceptance is not None
    assert (desk.it.acceptance.by, desk.it.acceptance.approved_by) == ("ana", "bo")
    assert desk.ask(accept) is DecisionReason.ALREADY_RECORDED
    desk.asks(Close())
    closed = desk.now
    assert finding_closed_at(desk.it, NOW + 30 * DAY - HOUR) == closed
    assert finding_closed_at(desk.it, NOW + 30 * DAY) is None
    assert desk.ask(AcceptRisk("for longer", NOW + 60 * DAY), BO, 40 * DAY) is DecisionReason.AWAITS_SECOND_PERSON
    desk.asks((Approve(2), ANA))
    assert finding_closed_at(desk.it, NOW + 50 * DAY) == desk.now


def test_a_reopening_takes_an_accepted_risk_back() -> None:
    desk = finding()
    desk.ask(AcceptRisk("a law asks for it", NOW + 30 * DAY))
    desk.asks((Approve(1), BO), Reopen())
    assert desk.it.acceptance is None


def test_only_a_finding_has_a_risk_to_accept() -> None:
    assert Desk().ask(AcceptRisk("why not", NOW + DAY)) is DecisionReason.NOT_A_FINDING


def test_an_acceptance_that_expired_before_it_was_signed_is_not_carried_out() -> None:
    desk = finding().asks(PLAN)
    desk.ask(AcceptRisk("soon over", NOW + DAY))
    assert desk.ask(Approve(1), BO, 2 * DAY) is DecisionReason.ALREADY_EXPIRED
    assert desk.it.open_proposals
    desk.asks((Decline(1), BO))


def test_a_reopening_overtakes_what_was_proposed_about_the_episode_before() -> None:
    desk = finding()
    desk.ask(AcceptRisk("the law", NOW + 30 * DAY))
    desk.asks(MarkSerious("other", PRESETS["gdpr"], NOW))
    desk.ask(ClearSerious("nobody was harmed"))
    desk.asks((Reopen(), BO))
    assert [(p.number, p.approved, p.decided_by) for p in desk.it.proposals] == [(1, False, "bo"), (2, None, None)]
    assert desk.ask(Approve(1), BO) is DecisionReason.ALREADY_DECIDED


def test_a_serious_candidate_is_cleared_by_two() -> None:
    desk = Desk()
    clear: Command = ClearSerious("nobody was harmed")
    assert desk.ask(clear) is DecisionReason.NOT_SERIOUS
    desk.asks(MarkSerious("other", PRESETS["gdpr"], NOW))
    assert desk.ask(clear) is DecisionReason.AWAITS_SECOND_PERSON
    assert desk.it.serious is not None
    desk.asks((Approve(1), BO))
    assert desk.it.serious is None


def test_the_latest_decided_proposals_are_kept_and_their_numbers_go_on() -> None:
    desk = critical()
    for n in range(1, 15):
        assert desk.ask(FALSE) is DecisionReason.AWAITS_SECOND_PERSON
        desk.asks(Decline(n))
    assert [p.number for p in desk.it.proposals] == list(range(5, 15))
    assert desk.ask(Approve(1), BO) is DecisionReason.ALREADY_DECIDED
