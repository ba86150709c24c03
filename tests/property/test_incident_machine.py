"""The machine under every command, in every state, by two people, a rule and a program, late, repeated, and with clocks
that run backwards."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise

from asked import ACTORS, ANA, BO, COMMANDS, DAY, DRIFT, FAIRNESS, HOUR, LIMITS, RULE, START, retest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from incidents import commands as wire
from incidents.care import AcceptRisk, Approve, Decline, PlanAction
from incidents.commands import Acknowledge, Close, Command, Comment, Dispose, Disposition, Open, Reopen, Resolve
from incidents.countdowns import deadlines
from incidents.decision import EFFECTIVE
from incidents.events import Actor, ActorKind, Event, EventKind
from incidents.incident import LATEST, Incident, State
from incidents.machine import Decision, apply, decide, replay
from incidents.times import (
    finding_closed_at,
    response_time,
    time_to_detect,
    time_to_recover,
    time_to_resolve,
    work_time,
)
from incidents.verdict import Kind, Severity

ZERO = timedelta()
FORWARD = [State.OPEN, State.ACKNOWLEDGED, State.RESOLVED, State.CLOSED]
GRAVE = (Disposition.FALSE_POSITIVE, Disposition.ACCEPTED, Disposition.DRILL)
BY_A_PERSON = {
    EventKind.ACKNOWLEDGED, EventKind.DISPOSED, EventKind.CLOSED, EventKind.MERGED, EventKind.ABSORBED,
    EventKind.PROPOSED, EventKind.APPROVED, EventKind.DECLINED, EventKind.RISK_ACCEPTED, EventKind.ACTION_PLANNED,
    EventKind.ACTION_COMPLETED, EventKind.ACTION_CHECKED, EventKind.MARKED_SERIOUS, EventKind.REPORTED,
    EventKind.CLEARED_SERIOUS,
}  # fmt: skip
STEPS = st.sampled_from([ZERO, -HOUR, timedelta(seconds=1), HOUR, DAY, 8 * DAY])
LIKELY = st.sampled_from(
    [
        Acknowledge(), Resolve(), Dispose(Disposition.TRUE, "a form"), Dispose(Disposition.FALSE_POSITIVE, "a feast"),
        Approve(1), Approve(2), Decline(1), Close(), Reopen(), AcceptRisk("the law", START + 900 * DAY),
        PlanAction("mend it", "ana", START + DAY, START + 9 * DAY), *(retest(x, 15, 0.9 if x.high is None else 0.0)
        for x in LIMITS),
    ]
)  # fmt: skip


class Machine(RuleBasedStateMachine):
    """Asks whatever comes, and checks each answer against the incident that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.incident: Incident | None = None
        self.log: list[Event] = []
        self.now = START
        self.past: list[tuple[Command, Actor, datetime]] = []
        self.ids: set[str] = set()

    @initialize(fingerprint=st.sampled_from([None, DRIFT, FAIRNESS]), severity=st.sampled_from(Severity))
    def begin(self, fingerprint: object, severity: Severity) -> None:
        if fingerprint is not None:
            limits = LIMITS if fingerprint is FAIRNESS else ()
            self._ask(Open(fingerprint, severity, "drift", START, limits=limits), RULE, START)  # type: ignore[arg-type]

    @rule(command=COMMANDS, actor=ACTORS, step=STEPS)
    def ask(self, command: Command, actor: Actor, step: timedelta) -> None:
        self.now += step
        self._ask(command, actor, self.now)

    @rule(command=LIKELY, who=st.sampled_from([ANA, BO]))
    def go_on(self, command: Command, who: Actor) -> None:
        """One of two people takes the next step, so that the later states are reached often."""
        self._ask(command, who, self.now)

    @rule(command=COMMANDS, who=st.sampled_from([(ANA, BO), (BO, ANA)]))
    def both_at_once(self, command: Command, who: tuple[Actor, Actor]) -> None:
        """Two people send the same thing at one instant: one of them changes something, or neither does."""
        done = [bool(self._ask(command, actor, self.now).events) for actor in who]
        assert isinstance(command, Comment) or not all(done) or self._evidence_fell_out(command)

    @rule(command=COMMANDS, actor=ACTORS)
    def repeat_at_once(self, command: Command, actor: Actor) -> None:
        """The same command twice at one instant: the second changes nothing, but for a comment."""
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
        new = getattr(command, "evidence", None)
        shown = {(e.window_start, e.window_end, e.excess) for e in self._it.evidence}
        return new is not None and new != () and (new.window_start, new.window_end, new.excess) not in shown

    @property
    def _it(self) -> Incident:
        assert self.incident is not None
        return self.incident

    def _ask(self, command: Command, actor: Actor, now: datetime) -> Decision:
        assert wire.command_from_json(json.loads(json.dumps(wire.command_to_json(command)))) == command
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
        assert (it.id, it.opened_at, it.fingerprint) == (was.id, was.opened_at, was.fingerprint)
        assert it.started_at <= was.started_at
        assert it.started_at == was.started_at or event.kind in (EventKind.GROUPED, EventKind.ABSORBED)
        assert event.at >= was.updated_at
        assert it.severity >= was.severity
        if event.kind is EventKind.REOPENED:
            assert not was.is_live
            assert was.merged_into is None
            assert (it.state, it.reopenings) == (State.OPEN, was.reopenings + 1)
        else:
            assert FORWARD.index(it.state) >= FORWARD.index(was.state)
            assert it.reopenings == was.reopenings
        if was.acknowledged_at is not None:
            assert it.acknowledged_at == was.acknowledged_at
        elif it.acknowledged_at is not None:
            assert event.kind is EventKind.ACKNOWLEDGED
        if event.kind in BY_A_PERSON:
            assert event.actor.kind is ActorKind.PERSON
        if event.kind is EventKind.RESOLVED:
            assert event.actor.kind is not ActorKind.MACHINE
        self._check_signatures(was, event)

    def _check_signatures(self, was: Incident, event: Event) -> None:
        it, data = self._it, event.data
        if event.kind is EventKind.APPROVED:
            assert next(p for p in was.open_proposals if p.number == data["number"]).by != event.actor.id
        if event.kind in (EventKind.RISK_ACCEPTED, EventKind.CLEARED_SERIOUS):
            assert data["by"] != data["approved_by"] == event.actor.id
        grave = was.severity is Severity.CRITICAL or was.fingerprint.kind is Kind.FAIRNESS
        if event.kind is EventKind.DISPOSED and grave and data["disposition"] != Disposition.TRUE:
            assert data["by"] != data["approved_by"] == event.actor.id
        if event.kind is EventKind.CLOSED:
            assert not was.open_proposals
            assert not (grave and was.disposition in GRAVE) or was.signed_by is not None
            assert not was.is_finding or finding_closed_at(it, event.at) is not None
            assert not (grave and was.disposition is Disposition.TRUE) or was.actions
        if event.kind is EventKind.MERGED:
            assert was.fingerprint.kind is not Kind.FAIRNESS

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
            assert (work is None) == (whole is None) == (it.resolved_at is None)
            assert work is None or whole is None or work <= whole
            assert it.serious is None or len(deadlines(it.serious)) <= len(it.serious.steps)

    @invariant()
    def the_state_and_its_times_agree(self) -> None:
        if self.incident is not None:
            it = self.incident
            assert (it.live[-1].end is None) == it.is_live
            assert (it.resolved_at is None) == (it.resolved_by is None)
            assert it.merged_into is not None or it.live[-1].end == it.resolved_at
            assert it.merged_into is None or it.live[-1].end in (it.resolved_at, it.closed_at)
            assert all(a.end is not None and a.start <= a.end <= b.start for a, b in pairwise(it.live))
            assert (it.closed_at is not None) == (it.state is State.CLOSED)
            assert it.state is not State.ACKNOWLEDGED or it.acknowledged_at is not None
            whole = it.disposition is not None and it.root_cause is not None
            assert it.state is not State.CLOSED or it.merged_into is not None or whole
            assert len(it.evidence) <= LATEST + 2
            assert len({p.number for p in it.proposals}) == len(it.proposals)
            assert len(set(it.fingerprints)) == len(it.fingerprints)
            assert it.fingerprint.kind is not Kind.FAIRNESS or not it.absorbed


Machine.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase
