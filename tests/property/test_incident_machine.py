"""The machine under every command, in every state, by anybody, late, repeated, and with clocks that run backwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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
    command_from_json,
    command_to_json,
)
from incidents.events import Actor, ActorKind, Event, EventKind
from incidents.incident import LATEST, Incident
from incidents.machine import Decision, DecisionReason, State, apply, decide, replay
from incidents.times import response_time, time_to_detect, time_to_recover, time_to_resolve, work_time
from incidents.verdict import Cause, Evidence, Fingerprint, Kind, Severity

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY, ZERO = timedelta(hours=1), timedelta(days=1), timedelta()
FINGERPRINT = Fingerprint("census", Kind.DRIFT)
EFFECTIVE = {
    DecisionReason.DONE,
    DecisionReason.DEDUPLICATED,
    DecisionReason.REOPENED_WITHIN_WINDOW,
    DecisionReason.RECURRENCE,
}
FORWARD = [State.OPEN, State.ACKNOWLEDGED, State.RESOLVED, State.CLOSED]

INSTANTS = st.integers(-40, 400).map(lambda hours: START + hours * HOUR)
NOTES = st.sampled_from(["", "why"])
SEVERITIES = st.sampled_from(Severity)


def evidence(day: int, excess: float | None) -> Evidence:
    causes = (Cause("RELP", "psi", 0.4),)
    return Evidence(START + day * DAY, START + (day + 1) * DAY, "moved", causes, ({"metric": "psi"},), excess)


EVIDENCE = st.builds(evidence, st.integers(0, 12), st.none() | st.sampled_from([0.5, 1.0, 2.0]))
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        Open, st.just(FINGERPRINT), SEVERITIES, st.just("drift"), INSTANTS, st.none() | EVIDENCE, st.sampled_from(Clock)
    ),
    st.builds(AddEvidence, EVIDENCE, st.none() | SEVERITIES),
    st.builds(RaiseSeverity, SEVERITIES, NOTES),
    st.builds(Recover, INSTANTS, NOTES),
    st.builds(Relapse, EVIDENCE, st.none() | SEVERITIES),
    st.builds(Acknowledge, NOTES),
    st.builds(Resolve, NOTES, st.none() | INSTANTS),
    st.builds(Reopen, NOTES),
    st.builds(Comment, st.just("looking")),
    st.builds(Assign, st.sampled_from(["ana", "bo"])),
    st.builds(Dispose, st.sampled_from(Disposition), st.none() | st.just("a new form"), NOTES),
    st.builds(Close, NOTES),
)
ACTORS = st.builds(Actor, st.just("somebody"), st.sampled_from(ActorKind))
STEPS = st.sampled_from([ZERO, -HOUR, timedelta(seconds=1), HOUR, DAY, 8 * DAY])


class Machine(RuleBasedStateMachine):
    """Asks whatever comes, and checks each answer against the incident that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.incident: Incident | None = None
        self.log: list[Event] = []
        self.now = START
        self.past: list[tuple[Command, Actor, datetime]] = []
        self.ids: set[str] = set()

    @initialize(opened=st.booleans())
    def begin(self, opened: bool) -> None:
        if opened:
            self._ask(Open(FINGERPRINT, Severity.WARNING, "drift", START), Actor("psi", ActorKind.RULE), START)

    @rule(command=COMMANDS, actor=ACTORS, step=STEPS)
    def ask(self, command: Command, actor: Actor, step: timedelta) -> None:
        self.now += step
        self._ask(command, actor, self.now)

    @rule(command=st.sampled_from([Acknowledge(), Resolve(), Dispose(Disposition.TRUE, "a form"), Close(), Reopen()]))
    def go_on(self, command: Command) -> None:
        """A person takes the next step, so that the later states are reached often."""
        self._ask(command, Actor("ana", ActorKind.PERSON), self.now)

    @rule(data=st.data())
    def repeat_at_once(self, data: st.DataObject) -> None:
        """The same command twice at one instant: the second changes nothing, but for a comment."""
        command, actor = data.draw(COMMANDS), data.draw(ACTORS)
        self._ask(command, actor, self.now)
        again = self._ask(command, actor, self.now)
        assert isinstance(command, Comment) or not again.events or self._evidence_fell_out(command)

    @rule(data=st.data())
    def repeat_late(self, data: st.DataObject) -> None:
        """A command of long ago comes once more, at its own old instant."""
        if self.past:
            self._ask(*data.draw(st.sampled_from(self.past)))

    def _evidence_fell_out(self, command: Command) -> bool:
        """Evidence of a window that is no longer kept cannot be known again; it is kept as little the second time."""
        return isinstance(command, Open | AddEvidence | Relapse) and command.evidence not in self._it.evidence

    @property
    def _it(self) -> Incident:
        assert self.incident is not None
        return self.incident

    def _ask(self, command: Command, actor: Actor, now: datetime) -> Decision:
        assert command_from_json(json.loads(json.dumps(command_to_json(command)))) == command
        before = self.incident
        decision = decide(before, command, actor, now)
        assert (decision.reason in EFFECTIVE) == bool(decision.events)
        assert decide(before, command, actor, now) == decision
        for event in decision.events:
            assert Event.from_json(json.loads(json.dumps(event.to_json(), allow_nan=False))) == event
            if event.kind is EventKind.OPENED:
                self.log = []
            was, self.incident = self.incident, apply(self.incident, event)
            self.log.append(event)
            self._check_transition(was, event)
        self.past.append((command, actor, now))
        return decision

    def _check_transition(self, was: Incident | None, event: Event) -> None:
        it = self._it
        if event.kind is EventKind.OPENED:
            assert was is None or not was.is_live
            assert it.recurrence_of == (was.id if was else None)
            assert it.id not in self.ids
            self.ids.add(it.id)
            return
        assert was is not None
        assert (it.id, it.opened_at, it.started_at) == (was.id, was.opened_at, was.started_at)
        assert event.at >= was.updated_at
        assert it.severity >= was.severity
        if event.kind is EventKind.REOPENED:
            assert not was.is_live
            assert (it.state, it.reopenings) == (State.OPEN, was.reopenings + 1)
        else:
            assert FORWARD.index(it.state) >= FORWARD.index(was.state)
            assert it.reopenings == was.reopenings
        if was.acknowledged_at is not None:
            assert it.acknowledged_at == was.acknowledged_at
        elif it.acknowledged_at is not None:
            assert event.kind is EventKind.ACKNOWLEDGED
        if event.kind in (EventKind.ACKNOWLEDGED, EventKind.DISPOSED, EventKind.CLOSED):
            assert event.actor.kind is ActorKind.PERSON
        if event.kind is EventKind.RESOLVED:
            assert event.actor.kind is not ActorKind.MACHINE

    @invariant()
    def the_log_makes_the_same_incident(self) -> None:
        if self.incident is not None:
            assert replay(self.log) == self.incident
            assert Incident.from_json(json.loads(json.dumps(self.incident.to_json(), allow_nan=False))) == self.incident

    @invariant()
    def times_are_never_negative(self) -> None:
        if self.incident is not None:
            it = self.incident
            times = (response_time(it), time_to_resolve(it), work_time(it), time_to_detect(it), time_to_recover(it))
            assert all(t is None or t >= ZERO for t in times)
            work, whole = work_time(it), time_to_resolve(it)
            assert (work is None) == (whole is None) == it.is_live
            assert work is None or whole is None or work <= whole

    @invariant()
    def the_state_and_its_times_agree(self) -> None:
        if self.incident is not None:
            it = self.incident
            assert (it.resolved_at is None) == (it.resolved_by is None) == (it.live[-1].end is None) == it.is_live
            assert it.live[-1].end == it.resolved_at
            assert all(a.end is not None and a.start <= a.end <= b.start for a, b in pairwise(it.live))
            assert (it.closed_at is not None) == (it.state is State.CLOSED)
            assert it.state is not State.ACKNOWLEDGED or it.acknowledged_at is not None
            assert it.state is not State.CLOSED or (it.disposition is not None and it.root_cause is not None)
            assert len(it.evidence) <= LATEST + 2


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase


@given(COMMANDS, ACTORS, INSTANTS)
def test_before_anything_is_opened_only_opening_does_something(command: Command, actor: Actor, now: datetime) -> None:
    decision = decide(None, command, actor, now)
    if isinstance(command, Open):
        assert [e.kind for e in decision.events] == [EventKind.OPENED]
    else:
        assert decision == Decision((), DecisionReason.NO_SUCH_INCIDENT)
