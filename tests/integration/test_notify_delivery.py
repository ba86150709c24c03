"""What becomes of a notification when it is due: sent, tried again, held, dropped, escalated; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from databases import Deployment
from telling import ANA, BO, DRIFT, HOOK, MODEL, QUALITY, Desk, Teller

from incidents.care import AcceptRisk, Approve, CompleteAction, MarkSerious, PlanAction, RecordReport
from incidents.commands import Acknowledge, Reopen, Resolve
from incidents.countdowns import PRESETS
from incidents.routing import ChannelKind, Route
from incidents.silences import Silence, shortened
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.database import open_database, reading, writing
from monitor.log import silences
from monitor.log.notifications import DEAD
from monitor.migrate import migrate
from monitor.senders import queue
from monitor.senders.channels.base import Result
from monitor.senders.watch import signs, stalled
from monitor.times import to_micros

pytestmark = pytest.mark.both_databases
DOWN, NO = Result(False, True, 503, detail="it answered 503"), Result(False, False, 404, detail="it answered 404")
LATER = replace(HOOK, name="later", after=timedelta(minutes=15))


@pytest.fixture
def desk(deployment: Deployment) -> Iterator[Desk]:
    settings = deployment.settings()
    migrate(settings)
    log, state = open_database(settings.log_url, durable=True), open_database(settings.state_url, durable=False)
    yield Desk(log, state)
    log.dispose()
    state.dispose()


def silence(desk: Desk, minutes: float, **matchers: str) -> Silence:
    now = desk.clock()
    made = Silence("sil_1", "silence", matchers or {"model": MODEL}, now, now + timedelta(minutes=minutes), "ana", "x")
    with writing(desk.log) as db:
        silences.add(db, made, to_micros(now))
    return made


def test_what_does_not_arrive_is_tried_again_with_the_same_bytes_and_key(desk: Desk) -> None:
    teller = Teller(desk)
    teller.channel().answer = lambda _: DOWN
    desk.open()
    teller.run()
    desk.ask(Resolve("fixed"), ANA)
    for _ in range(3):
        teller.wait(minutes=11)
    teller.channel().answer = lambda _: Result(True, False, 200)
    teller.wait(minutes=11)
    sent = teller.channel().sent
    assert len(set(sent[:5])) == 1
    assert [body for _, body in sent[5:]] == [b"resolved fixed"]      # its end waited for it
    assert [outcome for outcome, _ in desk.outcomes(sent[0][0])] == ["begun", "failed"] * 4 + ["begun", "delivered"]


def test_retry_after_is_waited_for(desk: Desk) -> None:
    teller = Teller(desk)
    teller.channel().answer = lambda _: Result(False, True, 429, 1800.0)
    desk.open()
    teller.run()
    teller.wait(minutes=29)
    assert len(teller.channel().sent) == 1
    teller.wait(minutes=2)
    assert len(teller.channel().sent) == 2


def test_a_refusal_is_a_dead_letter_at_once_and_one_can_be_tried_again(desk: Desk) -> None:
    teller = Teller(desk)
    teller.channel().answer = lambda _: NO
    desk.open()
    teller.run()
    (row,) = desk.queued()
    assert row.state == DEAD
    teller.channel().answer = lambda _: Result(True, False, 200)
    with writing(desk.log) as db:
        assert queue.retry(db, row.id, to_micros(desk.clock()))
        assert not queue.retry(db, row.id, to_micros(desk.clock()))
    teller.run()
    assert desk.states() == {"hook": ["opened delivered"]}


def test_after_a_day_it_is_given_up(desk: Desk) -> None:
    teller = Teller(desk)
    teller.channel().answer = lambda _: DOWN
    desk.open()
    teller.run()
    teller.wait(hours=23)
    assert desk.states() == {"hook": ["opened waiting"]}
    teller.wait(hours=2)
    assert desk.states() == {"hook": ["opened dead"]}


def test_an_attempt_cut_short_is_one_more_when_its_lease_ends(desk: Desk) -> None:
    teller, after = Teller(desk), Teller(desk)
    desk.open()
    teller.relay.run()
    (row,) = teller.queue.take(1)
    assert teller.queue.begin(row, b"opened") == 1      # and killed, in mid-send
    assert after.queue.take(1) == []
    desk.clock.move(seconds=61)
    after.deliver()
    assert [outcome for outcome, _ in desk.outcomes()] == ["begun", "begun", "delivered"]


def test_the_next_step_is_taken_where_nobody_acknowledges(desk: Desk) -> None:
    teller = Teller(desk, [HOOK, LATER])
    desk.open()
    teller.run()
    teller.wait(minutes=14)
    assert teller.channel("later").said == []
    Teller(desk, [HOOK, LATER], channels=teller.channels).wait(minutes=2)       # of another process, after a restart
    assert teller.channel("later").said == ["opened"]


def test_an_acknowledgement_drops_the_next_step_and_a_reopening_plans_it_anew(desk: Desk) -> None:
    teller = Teller(desk, [HOOK, LATER])
    desk.open()
    teller.run()
    desk.ask(Acknowledge(), ANA)
    teller.wait(minutes=16)
    assert desk.states()["later"] == ["opened dropped", "acknowledged dropped"]
    desk.ask(Resolve(), ANA)
    desk.clock.move(hours=1)
    desk.ask(Reopen(), ANA)
    teller.run()
    teller.wait(minutes=16)
    assert teller.channel("later").said == ["reopened"]


def test_where_the_receiver_escalates_vigil_does_not(desk: Desk) -> None:
    theirs = Route("pd", ChannelKind.PAGERDUTY, kinds=frozenset(Kind), theirs=True, key_env="PD_KEY")
    teller = Teller(desk, [theirs, LATER])
    desk.open()
    teller.run()
    assert set(desk.states()) == {"pd"}


def test_a_silence_holds_a_call_and_lets_it_go_at_its_end(desk: Desk) -> None:
    teller = Teller(desk)
    silence(desk, 30)
    desk.open()
    teller.run()
    teller.wait(minutes=20)
    assert teller.channel().said == []
    assert [outcome for outcome, _ in desk.outcomes()] == ["held"]
    teller.wait(minutes=11)
    assert teller.channel().said == ["opened"]


def test_a_silence_that_is_ended_early_lets_go_within_a_minute(desk: Desk) -> None:
    teller = Teller(desk)
    made = silence(desk, 600)
    desk.open()
    teller.run()
    desk.clock.move(minutes=5)
    with writing(desk.log) as db:
        silences.end(db, shortened(made, desk.clock()))
    teller.wait(seconds=61)
    assert teller.channel().said == ["opened"]


def test_what_opens_and_ends_under_a_silence_is_never_told(desk: Desk) -> None:
    teller = Teller(desk)
    silence(desk, 30)
    desk.open()
    teller.run()
    desk.ask(Resolve(), ANA)
    teller.wait(minutes=31)
    assert teller.channel().said == []
    reasons = {detail for outcome, detail in desk.outcomes() if outcome == "dropped"}
    assert reasons == {"over_before_told", "nothing_told"}


def test_the_end_of_what_was_told_is_told_under_a_silence_too(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.run()
    silence(desk, 30)
    desk.ask(Resolve(), ANA)
    desk.open(QUALITY)
    teller.run()
    assert teller.channel().said == ["opened", "resolved"]


def test_a_silence_of_one_kind_holds_no_other(desk: Desk) -> None:
    teller = Teller(desk)
    silence(desk, 30, kind="drift")
    desk.open(DRIFT)
    desk.open(QUALITY)
    teller.run()
    assert [row.state for row in desk.queued()] == ["waiting", "delivered"]


def test_a_route_takes_what_is_severe_enough_and_of_its_kinds(desk: Desk) -> None:
    routes = [replace(HOOK, min_severity=Severity.CRITICAL), replace(HOOK, name="q", kinds=frozenset({Kind.QUALITY})),
              Route("mail", ChannelKind.EMAIL, to=("a@b",))]  # fmt: skip
    teller = Teller(desk, routes)
    desk.open(DRIFT, Severity.WARNING)
    desk.open(QUALITY, Severity.WARNING)
    teller.run()
    assert desk.states() == {"q": ["opened delivered"], "mail": ["opened delivered"]}     # drift calls nobody out


def test_a_route_that_was_taken_out_of_the_declaration_drops_what_waits(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.relay.run()
    teller.routes = []
    teller.deliver()
    assert desk.outcomes() == [("dropped", "no_such_channel")]


def test_a_receiver_that_hangs_holds_up_itself_alone(desk: Desk) -> None:
    other = Route("other", ChannelKind.SLACK, url_env="SLACK_URL")
    teller = Teller(desk, [HOOK, other])
    for fingerprint in (DRIFT, QUALITY, Fingerprint(MODEL, Kind.SERVICE), Fingerprint(MODEL, Kind.PERFORMANCE)):
        desk.open(fingerprint)
    teller.relay.run()
    first = [row.channel for row in teller.queue.take(8)]
    assert sorted(first) == ["hook", "hook", "other"]       # two at a time, of Slack's one
    assert teller.queue.take(8) == []


def test_countdowns_are_reminded_of_until_the_report_is_filed(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    teller.run()
    desk.ask(MarkSerious("other", PRESETS["gdpr"], desk.clock()), ANA)
    teller.run()
    teller.wait(hours=37)
    teller.wait(hours=12)
    assert [said.split()[0] for said in teller.channel().said] == ["opened", "marked_serious", "marked_serious"]
    assert "gdpr: 'notification' is due" in teller.channel().said[-1]
    desk.ask(RecordReport("gdpr", "notification", desk.clock()), ANA)
    teller.wait(hours=30)
    assert len(teller.channel().said) == 3
    assert ("dropped", "reported") in desk.outcomes()


def test_an_accepted_risk_is_spoken_of_again_before_it_ends(desk: Desk) -> None:
    teller = Teller(desk)
    fairness = Fingerprint(MODEL, Kind.FAIRNESS, "sex")
    desk.open(fairness)
    desk.ask(AcceptRisk("small", desk.clock() + timedelta(days=30)), ANA, fairness)
    desk.ask(Approve(1), BO, fairness)
    teller.run()
    teller.wait(days=24)
    assert teller.channel().said[-1].startswith("risk_accepted risk: 'acceptance' is due")


def test_an_action_is_reminded_of_until_it_is_done(desk: Desk) -> None:
    teller = Teller(desk)
    desk.open()
    plan = PlanAction("recode", "bo", desk.clock() + timedelta(days=2), desk.clock() + timedelta(days=9))
    desk.ask(plan, ANA)
    teller.run()
    desk.ask(CompleteAction(1), BO)
    teller.wait(days=3)
    assert ("dropped", "done") in desk.outcomes()
    teller.wait(days=7)
    assert "look whether" in teller.channel().said[-1]


def test_what_is_due_and_not_sent_counts_as_stalled(desk: Desk) -> None:
    Teller(desk)
    desk.open()
    Teller(desk).relay.run()
    desk.clock.move(minutes=11)
    now = to_micros(desk.clock())
    with reading(desk.log) as log:
        found = signs(log, None, now)
    assert "delivery" in stalled(replace(found, rounds=dict.fromkeys(("evaluation", "relay", "delivery"), now)), now)
