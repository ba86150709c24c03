"""The incident machine: ``decide`` turns a command into events and a reason, ``apply`` takes the events in.

It is total: each command, in each state, from anybody, at any time, gives a decision. What comes late or twice changes
nothing and says so. Transitions go forward (open, acknowledged, resolved, closed) but for reopening.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from incidents import aftercare, care, commands, life, proposals
from incidents.commands import Command, Open, Resolve
from incidents.decision import Decision, DecisionReason, Log, ended, no, raised
from incidents.events import Actor, ActorKind, EventKind
from incidents.incident import Incident, State, apply, replay

__all__ = [
    "REOPEN_WINDOW", "Decision", "DecisionReason", "Incident", "State", "apply", "decide", "decide_merge", "replay",
]  # fmt: skip

REOPEN_WINDOW = timedelta(days=7)

_SIGNAL = commands.AddEvidence | commands.RaiseSeverity | commands.Recover | commands.Relapse
_ANYBODY = _SIGNAL | Resolve | commands.Comment | commands.Assign | care.Retest
_TO_A_LIVE_ONE = _SIGNAL | Resolve | commands.Acknowledge


def decide(
    incident: Incident | None,
    command: Command,
    actor: Actor,
    now: datetime,
    reopen_window: timedelta = REOPEN_WINDOW,
) -> Decision:
    """What a command does to an incident, or why it does nothing. It never raises.

    ``incident`` is the one that the command names; for ``Open`` the latest of its fingerprint, live or not, or None;
    for ``Open`` with ``because`` the live one that it joins. ``Open`` then opens, adds to the live one, joins it,
    reopens one that was resolved less than ``reopen_window`` ago or had not recovered when this one started, or opens a
    new one with ``recurrence_of``: an ``opened`` event always begins a new incident, whatever was given. What takes
    charge of an incident or judges it needs a person; resolving a person, or the rule.

    >>> from datetime import UTC
    >>> from incidents.commands import Acknowledge
    >>> from incidents.verdict import Fingerprint, Kind, Severity
    >>> now, rule, ana = datetime(2026, 1, 2, tzinfo=UTC), Actor("psi", ActorKind.RULE), Actor("ana", ActorKind.PERSON)
    >>> drift = Open(Fingerprint("census", Kind.DRIFT), Severity.WARNING, "census drifts", started_at=now)
    >>> incident = replay(decide(None, drift, rule, now).events)
    >>> decide(incident, Acknowledge(), rule, now).reason.value
    'needs_person'
    >>> decision = decide(incident, Acknowledge(), ana, now)
    >>> decide(apply(incident, decision.events[0]), Acknowledge(), ana, now)
    Decision(events=(), reason=<DecisionReason.ALREADY_ACKNOWLEDGED: 'already_acknowledged'>)
    """
    if isinstance(command, Open):
        return life.open_(incident, command, actor, now, reopen_window)
    if incident is None:
        return no(DecisionReason.NO_SUCH_INCIDENT)
    if not (actor.is_person or isinstance(command, _ANYBODY)):
        return no(DecisionReason.NEEDS_PERSON)
    if isinstance(command, Resolve) and actor.kind is ActorKind.MACHINE:
        return no(DecisionReason.NEEDS_PERSON)
    if isinstance(command, _TO_A_LIVE_ONE) and not incident.is_live:
        return ended(incident)
    return _carried_out(incident, command, Log(incident, actor, now), reopen_window)


def decide_merge(
    source: Incident | None, target: Incident | None, command: care.Merge, actor: Actor, now: datetime
) -> tuple[Decision, Decision]:
    """Both halves of a merge: what it does to the incident that ends, and to the one that goes on. Both have events, or
    neither has, and both say the same reason."""
    decision = decide(source, command, actor, now)
    if source is None or not decision.events:
        return decision, decision
    if target is None or target.id != command.into or target.clock is not source.clock:
        nothing = no(DecisionReason.NO_SUCH_INCIDENT if target is None else DecisionReason.NOT_MERGEABLE)
        return nothing, nothing
    evidence = tuple(e if e.about is not None else replace(e, about=source.fingerprint) for e in source.evidence)
    absorbing = care.Absorb(source.id, source.fingerprints, source.started_at, source.title, evidence, source.severity)
    absorbed = decide(target, absorbing, actor, now)
    return (decision, absorbed) if absorbed.events else (absorbed, absorbed)


def _carried_out(
    incident: Incident, command: Command, log: Log, window: timedelta, by: str | None = None
) -> Decision:
    """``by``: who proposed a command that a second person has approved by now."""
    match command:
        case Open():
            return life.open_(incident, command, log.actor, log.now, window)
        case commands.Reopen():
            return life.reopen(incident, command, log, window)
        case commands.Comment():
            return log.done((EventKind.COMMENTED, {"text": command.text}))
        case commands.RaiseSeverity():
            return log.any(raised(incident, command.severity, command.note), DecisionReason.SEVERITY_NOT_HIGHER)
        case commands.AddEvidence():
            return life.add(incident, command, log)
        case commands.Relapse():
            return life.relapse(incident, command, log)
        case commands.Recover():
            return life.recover(incident, command, log)
        case commands.Acknowledge():
            return life.acknowledge(incident, command, log)
        case commands.Resolve():
            return life.resolve(incident, command, log)
        case commands.Assign():
            return aftercare.assign(incident, command, log)
        case commands.Dispose():
            return aftercare.dispose(incident, command, log, by)
        case commands.Close():
            return aftercare.close(incident, command, log)
        case care.Merge():
            return aftercare.merge(incident, command, log)
        case care.Absorb():
            return aftercare.absorb(incident, command, log)
        case care.Retest():
            return aftercare.retest(incident, command, log)
        case care.AcceptRisk():
            return aftercare.accept_risk(incident, command, log, by)
        case care.Approve():
            return proposals.approve(
                incident, command, log, lambda proposed, by: _carried_out(incident, proposed, log, window, by)
            )
        case care.Decline():
            return proposals.decline(incident, command, log)
        case care.PlanAction():
            return aftercare.plan(incident, command, log)
        case care.CompleteAction():
            return aftercare.complete(incident, command, log)
        case care.CheckAction():
            return aftercare.check(incident, command, log)
        case care.MarkSerious():
            return aftercare.mark_serious(incident, command, log)
        case care.RecordReport():
            return aftercare.record_report(incident, command, log)
        case care.ClearSerious():
            return aftercare.clear_serious(incident, command, log, by)
        case _:
            assert_never(command)
