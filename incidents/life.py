"""The life of an incident: it opens, gathers evidence, is acknowledged, recovers, is resolved and reopened."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from incidents.aftercare import retested
from incidents.commands import Acknowledge, AddEvidence, Open, Recover, Relapse, Reopen, Resolve
from incidents.decision import Decision, DecisionReason, Happened, Log, added, ended, no, raised
from incidents.events import Actor, Event, EventKind
from incidents.incident import Incident, State
from incidents.verdict import Evidence, Kind
from incidents.wire import rfc3339, to_json


def open_(last: Incident | None, command: Open, actor: Actor, now: datetime, window: timedelta) -> Decision:
    """Open, add to the live one, join the one of the same cause, reopen, or open anew."""
    if last is None:
        return Decision((_opened(command, actor, now, None),), DecisionReason.DONE)
    log = Log(last, actor, now)
    if command.fingerprint not in last.fingerprints:
        joins = command.because is not None and last.is_live and _may_join(last, command)
        return _grouped(last, command, log) if joins else no(DecisionReason.OTHER_FINGERPRINT)
    evidence = _about(last, command)
    if last.is_live:
        new = [*added(last, evidence), *raised(last, command.severity)]
        return log.any(new, DecisionReason.ALREADY_OPEN, DecisionReason.DEDUPLICATED)
    same = last.clock is command.clock and last.merged_into is None
    if same and (_within(last, now, window) or _same_episode(last, command)):
        data = {"evidence": evidence, "note": "", "changes": command.changes, "limits": command.limits}
        reopened = (EventKind.REOPENED, data)
        return log.done(reopened, *raised(last, command.severity), reason=DecisionReason.REOPENED_WITHIN_WINDOW)
    return Decision((_opened(command, actor, now, last.id),), DecisionReason.RECURRENCE)


def acknowledge(incident: Incident, command: Acknowledge, log: Log) -> Decision:
    if incident.state is State.ACKNOWLEDGED:
        return no(DecisionReason.ALREADY_ACKNOWLEDGED)
    if command.seen_at is not None and incident.reopenings and command.seen_at < incident.live[-1].start:
        return no(DecisionReason.BEFORE_REOPENING)
    return log.done((EventKind.ACKNOWLEDGED, {"note": command.note}))


def add(incident: Incident, command: AddEvidence | Relapse, log: Log) -> Decision:
    """One more breached window."""
    new = [*added(incident, command.evidence), *raised(incident, command.severity)]
    return log.any(new, DecisionReason.ALREADY_RECORDED)


def relapse(incident: Incident, command: Relapse, log: Log) -> Decision:
    if incident.recovered_at is None:  # what has not recovered cannot relapse: it is one more piece of evidence
        return add(incident, command, log)
    relapsed = (EventKind.RELAPSED, {"evidence": command.evidence})
    return log.done(relapsed, *raised(incident, command.severity))


def recover(incident: Incident, command: Recover, log: Log) -> Decision:
    if incident.recovered_at is not None:
        return no(DecisionReason.ALREADY_RECOVERED)
    if command.recovered_at < incident.started_at:
        return no(DecisionReason.RECOVERED_BEFORE_START)
    recovered = (EventKind.RECOVERED, {"recovered_at": command.recovered_at, "note": command.note})
    return log.done(recovered, *retested(incident, command.retests))


def resolve(incident: Incident, command: Resolve, log: Log) -> Decision:
    happened: list[Happened] = []
    if command.recovered_at is not None and incident.recovered_at is None:
        if command.recovered_at < incident.started_at:
            return no(DecisionReason.RECOVERED_BEFORE_START)
        happened.append((EventKind.RECOVERED, {"recovered_at": command.recovered_at, "note": ""}))
    happened += retested(incident, command.retests)
    return log.done(*happened, (EventKind.RESOLVED, {"note": command.note}))


def reopen(incident: Incident, command: Reopen, log: Log, window: timedelta) -> Decision:
    if incident.merged_into is not None:
        return ended(incident)
    if incident.is_live:
        return no(DecisionReason.ALREADY_OPEN)
    if not _within(incident, log.now, window):
        return no(DecisionReason.REOPEN_WINDOW_PASSED)
    return log.done((EventKind.REOPENED, {"evidence": None, "note": command.note}))


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
        "changes": command.changes,
        "limits": command.limits,
    }
    return Event(EventKind.OPENED, now, actor, to_json(data))


def _may_join(live: Incident, command: Open) -> bool:
    """One model, one clock; and a disparity is a finding of its own, counted by itself."""
    kinds = {f.kind for f in (*live.fingerprints, command.fingerprint)}
    same = live.fingerprint.model == command.fingerprint.model and live.clock is command.clock
    return same and Kind.FAIRNESS not in kinds


def _grouped(live: Incident, command: Open, log: Log) -> Decision:
    data = {
        "fingerprint": command.fingerprint,
        "reason": command.because,
        "title": command.title,
        "started_at": command.started_at,
        "changes": command.changes,
    }
    more = [*added(live, _about(live, command)), *raised(live, command.severity)]
    return log.done((EventKind.GROUPED, data), *more, reason=DecisionReason.GROUPED)


def _about(incident: Incident, command: Open) -> Evidence | None:
    """The evidence, which says whose window it shows where that is not the incident's own fingerprint."""
    found = command.evidence
    if found is None or found.about is not None or command.fingerprint == incident.fingerprint:
        return found
    return replace(found, about=command.fingerprint)


def _same_episode(last: Incident, command: Open) -> bool:
    """Late evidence: it started before the last one recovered. Verdicts that wait for outcomes come long after the
    others on the same window."""
    return last.state is State.RESOLVED and last.recovered_at is not None and command.started_at <= last.recovered_at


def _within(incident: Incident, now: datetime, window: timedelta) -> bool:
    return incident.resolved_at is not None and now - incident.resolved_at < window
