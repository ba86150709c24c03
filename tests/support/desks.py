"""One incident at somebody's desk: what is asked of it, an hour after the last thing, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incidents.commands import Command, Dispose, Disposition, Open, Resolve
from incidents.events import Actor, ActorKind, Event, EventKind
from incidents.incident import Incident
from incidents.machine import DecisionReason, apply, decide
from incidents.verdict import Evidence, Fingerprint, Kind, Limit, Severity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = Actor("census", ActorKind.RULE)
BRIDGE = Actor("bridge", ActorKind.MACHINE)
ANA, BO = Actor("ana", ActorKind.PERSON), Actor("bo", ActorKind.PERSON)
LIMIT = Limit("disparate_impact", "attribute=SEX", low=0.8)
BREACHED = Evidence(NOW - 2 * DAY, NOW - DAY, "ratio 0.6, below 0.8")


class Desk:
    """An incident of one kind, opened by its rule at ``NOW``."""

    def __init__(self, kind: Kind = Kind.DRIFT, severity: Severity = Severity.WARNING, *limits: Limit) -> None:
        self.incident: Incident | None = None
        self.log: list[Event] = []
        self.now = NOW - HOUR
        fingerprint = Fingerprint("census", kind, "SEX" if kind is Kind.FAIRNESS else None)
        self.ask(Open(fingerprint, severity, "t", NOW - DAY, BREACHED, limits=limits), RULE)

    def ask(self, command: Command, actor: Actor = ANA, after: timedelta = HOUR) -> DecisionReason:
        self.now += after
        decision = decide(self.incident, command, actor, self.now)
        for event in decision.events:
            self.incident = apply(self.incident, event)
            self.log = [event] if event.kind is EventKind.OPENED else [*self.log, event]
        return decision.reason

    def asks(self, *steps: tuple[Command, Actor] | Command) -> Desk:
        """Several commands, each of which must be done."""
        for step in steps:
            command, actor = step if isinstance(step, tuple) else (step, ANA)
            assert self.ask(command, actor) is DecisionReason.DONE, command
        return self

    @property
    def it(self) -> Incident:
        assert self.incident is not None
        return self.incident


def finding(*limits: Limit) -> Desk:
    """A disparity that was resolved, and found to be true."""
    return Desk(Kind.FAIRNESS, Severity.WARNING, *(limits or (LIMIT,))).asks(
        Resolve(), Dispose(Disposition.TRUE, "a skewed campaign")
    )
