"""The incident machine: ``decide`` turns a command into events and a reason, ``apply`` takes the events in.

It is total: each command, in each state, from anybody, at any time, gives a decision. What comes late or twice changes
nothing and says so. Transitions go forward (open, acknowledged, resolved, closed) but for reopening.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, assert_never

from incidents.commands import (
    Acknowledge,
    AddEvidence,
    Assign,
    Close,
    Command,
    Comment,
    Dispose,
    Open,
    RaiseSeverity,
    Recover,
    Relapse,
    Reopen,
    Resolve,
)
from incidents.events import Actor, ActorKind, Event, EventKind
from incidents.incident import Incident, State, apply, replay
from incidents.verdict import Evidence, Severity
from incidents.wire import rfc3339, to_json

__all__ = ["REOPEN_WINDOW", "Decision", "DecisionReason", "Incident", "State", "apply", "decide", "replay"]

REOPEN_WINDOW = timedelta(days=7)


class DecisionReason(StrEnum):
    """Why a decision is what it is. The first four come with events, all others with none."""

    DONE = "done"
    DEDUPLICATED = "deduplicated"  # opened again while live: what was new in it was added
    REOPENED_WITHIN_WINDOW = "reopened_within_window"
    RECURRENCE = "recurrence"  # opened anew after the window, linked to the last

    NO_SUCH_INCIDENT = "no_such_incident"
    OTHER_FINGERPRINT = "other_fingerprint"
    NEEDS_PERSON = "needs_person"
    NEEDS_DISPOSITION = "needs_disposition"
    NEEDS_ROOT_CAUSE = "needs_root_cause"
    NOT_RESOLVED = "not_resolved"
    REOPEN_WINDOW_PASSED = "reopen_window_passed"
    RECOVERED_BEFORE_START = "recovered_before_start"
    SEVERITY_NOT_HIGHER = "severity_not_higher"
    ALREADY_OPEN = "already_open"
    ALREADY_RECORDED = "already_recorded"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    ALREADY_RECOVERED = "already_recovered"
    ALREADY_RESOLVED = "already_resolved"
    ALREADY_ASSIGNED = "already_assigned"
    ALREADY_DISPOSED = "already_disposed"
    ALREADY_CLOSED = "already_closed"


@dataclass(frozen=True, slots=True)
class Decision:
    """``events`` to append and apply in order; empty where nothing changes. ``reason`` says why, either way."""

    events: tuple[Event, ...]
    reason: DecisionReason


def decide(
    incident: Incident | None,
    command: Command,
    actor: Actor,
    now: datetime,
    reopen_window: timedelta = REOPEN_WINDOW,
) -> Decision:
    """What a command does to an incident, or why it does nothing. It never raises.

    ``incident`` is the one that the command names; for ``Open`` the latest of its fingerprint, live or not, or None.
    ``Open`` then opens, adds to the live one, reopens one that was resolved less than ``reopen_window`` ago or had not
    recovered when this one started, or opens a new one with ``recurrence_of``: an ``opened`` event always begins a new
    incident, whatever was given. Acknowledging, disposing and closing need a person; resolving a person, or the rule.

    >>> from datetime import UTC
    >>> from incidents.verdict import Fingerprint, Kind
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
        return _open(incident, command, actor, now, reopen_window)
    if incident is None:
        return _no(DecisionReason.NO_SUCH_INCIDENT)
    if isinstance(command, Acknowledge | Dispose | Close) and not actor.is_person:
        return _no(DecisionReason.NEEDS_PERSON)
    if isinstance(command, Resolve) and actor.kind is ActorKind.MACHINE:
        return _no(DecisionReason.NEEDS_PERSON)
    log = _Log(incident, actor, now)
    match command:
        case Comment():
            return log.done((EventKind.COMMENTED, {"text": command.text}))
        case Reopen():
            return _reopen(incident, command, log, reopen_window)
        case Assign() | Dispose() | Close():
            return _after_care(incident, command, log)
        case _ if not incident.is_live:
            return _ended(incident)
        case Acknowledge():
            if incident.state is State.ACKNOWLEDGED:
                return _no(DecisionReason.ALREADY_ACKNOWLEDGED)
            return log.done((EventKind.ACKNOWLEDGED, {"note": command.note}))
        case AddEvidence():
            return _add(incident, command, log)
        case Relapse():
            return _relapse(incident, command, log)
        case RaiseSeverity():
            return log.any(_raised(incident, command.severity, command.note), DecisionReason.SEVERITY_NOT_HIGHER)
        case Recover():
            return _recover(incident, command, log)
        case Resolve():
            return _resolve(incident, command, log)
        case _:
            assert_never(command)


_Change = tuple[EventKind, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Log:
    """Writes an incident's next events, never before its last: the clocks of two machines differ."""

    incident: Incident
    actor: Actor
    now: datetime

    @property
    def at(self) -> datetime:
        return max(self.now, self.incident.updated_at)

    def done(self, *changes: _Change, reason: DecisionReason = DecisionReason.DONE) -> Decision:
        return Decision(tuple(Event(kind, self.at, self.actor, to_json(data)) for kind, data in changes), reason)

    def any(self, changes: list[_Change], none: DecisionReason, some: DecisionReason = DecisionReason.DONE) -> Decision:
        return self.done(*changes, reason=some) if changes else _no(none)


def _open(last: Incident | None, command: Open, actor: Actor, now: datetime, window: timedelta) -> Decision:
    if last is None:
        return Decision((_opened(command, actor, now, None),), DecisionReason.DONE)
    if last.fingerprint != command.fingerprint:
        return _no(DecisionReason.OTHER_FINGERPRINT)
    raised = _raised(last, command.severity, "")
    log = _Log(last, actor, now)
    if last.is_live:
        added = _added(last, command.evidence)
        return log.any([*added, *raised], DecisionReason.ALREADY_OPEN, DecisionReason.DEDUPLICATED)
    if last.clock is command.clock and (_within(last, now, window) or _same_episode(last, command)):
        reopened = (EventKind.REOPENED, {"evidence": command.evidence, "note": ""})
        return log.done(reopened, *raised, reason=DecisionReason.REOPENED_WITHIN_WINDOW)
    return Decision((_opened(command, actor, now, last.id),), DecisionReason.RECURRENCE)


def _opened(command: Open, actor: Actor, now: datetime, recurrence_of: str | None) -> Event:
    started_at = min(command.started_at, now)  # a producer's clock may be ahead of ours
    # The same logs make the same ids; the chain of recurrences makes them differ.
    named = "\n".join((command.fingerprint.text, rfc3339(started_at), recurrence_of or ""))
    data = {
        "id": "inc_" + sha256(named.encode()).hexdigest()[:16],
        "fingerprint": command.fingerprint,
        "severity": command.severity,
        "title": command.title,
        "clock": command.clock,
        "started_at": started_at,
        "evidence": command.evidence,
        "recurrence_of": recurrence_of,
    }
    return Event(EventKind.OPENED, now, actor, to_json(data))


def _reopen(incident: Incident, command: Reopen, log: _Log, window: timedelta) -> Decision:
    if incident.is_live:
        return _no(DecisionReason.ALREADY_OPEN)
    if not _within(incident, log.now, window):
        return _no(DecisionReason.REOPEN_WINDOW_PASSED)
    return log.done((EventKind.REOPENED, {"evidence": None, "note": command.note}))


def _same_episode(last: Incident, command: Open) -> bool:
    """Late evidence: it started before the last one recovered. Verdicts that wait for outcomes come long after the
    others on the same window."""
    return last.state is State.RESOLVED and last.recovered_at is not None and command.started_at <= last.recovered_at


def _within(incident: Incident, now: datetime, window: timedelta) -> bool:
    return incident.resolved_at is not None and now - incident.resolved_at < window


def _after_care(incident: Incident, command: Assign | Dispose | Close, log: _Log) -> Decision:
    """What is done to an incident whether it is live or resolved, until it is closed."""
    if incident.state is State.CLOSED:
        return _no(DecisionReason.ALREADY_CLOSED)
    match command:
        case Assign():
            if incident.assignee == command.to:
                return _no(DecisionReason.ALREADY_ASSIGNED)
            return log.done((EventKind.ASSIGNED, {"to": command.to}))
        case Dispose():
            root_cause = command.root_cause or incident.root_cause
            if (incident.disposition, incident.root_cause) == (command.disposition, root_cause):
                return _no(DecisionReason.ALREADY_DISPOSED)
            data = {"disposition": command.disposition, "root_cause": root_cause, "note": command.note}
            return log.done((EventKind.DISPOSED, data))
        case Close():
            if incident.is_live:
                return _no(DecisionReason.NOT_RESOLVED)
            if incident.disposition is None:
                return _no(DecisionReason.NEEDS_DISPOSITION)
            if incident.root_cause is None:
                return _no(DecisionReason.NEEDS_ROOT_CAUSE)
            return log.done((EventKind.CLOSED, {"note": command.note}))


def _add(incident: Incident, command: AddEvidence | Relapse, log: _Log) -> Decision:
    changes = [*_added(incident, command.evidence), *_raised(incident, command.severity, "")]
    return log.any(changes, DecisionReason.ALREADY_RECORDED)


def _relapse(incident: Incident, command: Relapse, log: _Log) -> Decision:
    if incident.recovered_at is None:  # what has not recovered cannot relapse: it is one more piece of evidence
        return _add(incident, command, log)
    relapsed = (EventKind.RELAPSED, {"evidence": command.evidence})
    return log.done(relapsed, *_raised(incident, command.severity, ""))


def _added(incident: Incident, evidence: Evidence | None) -> list[_Change]:
    new = evidence is not None and evidence not in incident.evidence
    return [(EventKind.EVIDENCE_ADDED, {"evidence": evidence})] if new else []


def _raised(incident: Incident, severity: Severity | None, note: str) -> list[_Change]:
    higher = severity is not None and severity > incident.severity
    data = {"from": incident.severity, "to": severity, "note": note}
    return [(EventKind.SEVERITY_RAISED, data)] if higher else []


def _recover(incident: Incident, command: Recover, log: _Log) -> Decision:
    if incident.recovered_at is not None:
        return _no(DecisionReason.ALREADY_RECOVERED)
    if command.recovered_at < incident.started_at:
        return _no(DecisionReason.RECOVERED_BEFORE_START)
    return log.done((EventKind.RECOVERED, {"recovered_at": command.recovered_at, "note": command.note}))


def _resolve(incident: Incident, command: Resolve, log: _Log) -> Decision:
    changes: list[_Change] = [(EventKind.RESOLVED, {"note": command.note})]
    if command.recovered_at is not None and incident.recovered_at is None:
        if command.recovered_at < incident.started_at:
            return _no(DecisionReason.RECOVERED_BEFORE_START)
        changes.insert(0, (EventKind.RECOVERED, {"recovered_at": command.recovered_at, "note": ""}))
    return log.done(*changes)


def _ended(incident: Incident) -> Decision:
    closed = incident.state is State.CLOSED
    return _no(DecisionReason.ALREADY_CLOSED if closed else DecisionReason.ALREADY_RESOLVED)


def _no(reason: DecisionReason) -> Decision:
    return Decision((), reason)
