"""What is done to an incident beside its life: what it was, re-tests, risk, actions, authorities, merging, closing.

Each function takes the incident, the command and the log to write to, and gives a decision.
"""

from __future__ import annotations

from collections.abc import Sequence

from incidents.care import (
    Absorb,
    AcceptRisk,
    CheckAction,
    ClearSerious,
    CompleteAction,
    MarkSerious,
    Merge,
    PlanAction,
    RecordReport,
    Retest,
)
from incidents.commands import Assign, Close, Dispose, Disposition
from incidents.decision import Decision, DecisionReason, Happened, Log, added, ended, no, raised
from incidents.events import EventKind
from incidents.incident import Action, Incident
from incidents.proposals import needs_signature, propose
from incidents.verdict import Fingerprint, Kind, Limit, Severity

MOST_ACTIONS = 50
MOST_MERGED = 100


def assign(incident: Incident, command: Assign, log: Log) -> Decision:
    if incident.closed_at is not None:
        return ended(incident)
    if incident.assignee == command.to:
        return no(DecisionReason.ALREADY_ASSIGNED)
    return log.done((EventKind.ASSIGNED, {"to": command.to}))


def dispose(incident: Incident, command: Dispose, log: Log, by: str | None = None) -> Decision:
    """``by``: who proposed what a second person has approved."""
    if incident.closed_at is not None:
        return ended(incident)
    cause = command.root_cause or incident.root_cause
    signature = needs_signature(incident, command.disposition)
    said = (incident.disposition, incident.root_cause) == (command.disposition, cause)
    if said and (incident.signed_by is not None or not signature):
        return no(DecisionReason.ALREADY_DISPOSED)
    data = {"disposition": command.disposition, "root_cause": cause, "note": command.note}
    if by is not None:
        return log.done((EventKind.DISPOSED, {**data, "by": by, "approved_by": log.actor.id}))
    if signature or any(p.command["command"] == "dispose" for p in incident.open_proposals):
        return propose(incident, command, log)
    return log.done((EventKind.DISPOSED, data))


def retest(incident: Incident, command: Retest, log: Log) -> Decision:
    if _limit(incident, command) is None:
        return no(DecisionReason.RETEST_OF_ANOTHER)
    if _too_early(incident, command):
        return no(DecisionReason.RETEST_TOO_EARLY)
    return log.any(retested(incident, (command,)), DecisionReason.ALREADY_RECORDED)


def retested(incident: Incident, retests: Sequence[Retest]) -> list[Happened]:
    """Those re-tests that say something new of the incident's limits, each with whether it passed."""
    happened: list[Happened] = []
    for new in sorted(dict.fromkeys(retests), key=lambda r: r.window_end):
        limit = _limit(incident, new)
        if limit is None or _too_early(incident, new):
            continue
        known = [r.retest for r in incident.retests if (r.retest.metric, r.retest.scope) == (new.metric, new.scope)]
        if not any(k == new or k.window_end > new.window_end for k in known):
            happened.append((EventKind.RETESTED, {"retest": new, "passed": _passes(new, limit)}))
    return happened


def accept_risk(incident: Incident, command: AcceptRisk, log: Log, by: str | None = None) -> Decision:
    if not incident.is_finding:
        return no(DecisionReason.NOT_A_FINDING)
    if command.expires_at <= log.at:
        return no(DecisionReason.ALREADY_EXPIRED)
    standing = incident.acceptance
    if standing is not None and (standing.why, standing.expires_at) == (command.why, command.expires_at):
        return no(DecisionReason.ALREADY_RECORDED)
    if by is None:
        return propose(incident, command, log)
    data = {"by": by, "approved_by": log.actor.id, "expires_at": command.expires_at, "why": command.why}
    return log.done((EventKind.RISK_ACCEPTED, data))


def plan(incident: Incident, command: PlanAction, log: Log) -> Decision:
    told = (command.what, command.owner, command.due_at, command.check_at)
    if any((a.what, a.owner, a.due_at, a.check_at) == told for a in incident.actions):
        return no(DecisionReason.ALREADY_RECORDED)
    if len(incident.actions) >= MOST_ACTIONS:
        return no(DecisionReason.TOO_MANY_ACTIONS)
    what = {"what": command.what, "owner": command.owner, "due_at": command.due_at, "check_at": command.check_at}
    return log.done((EventKind.ACTION_PLANNED, {"number": len(incident.actions) + 1, **what}))


def complete(incident: Incident, command: CompleteAction, log: Log) -> Decision:
    action = _action(incident, command.number)
    if action is None:
        return no(DecisionReason.NO_SUCH_ACTION)
    if action.completed_at is not None:
        return no(DecisionReason.ALREADY_COMPLETED)
    return log.done((EventKind.ACTION_COMPLETED, {"number": command.number, "note": command.note}))


def check(incident: Incident, command: CheckAction, log: Log) -> Decision:
    """Whether an action worked; said again otherwise, it is corrected."""
    action = _action(incident, command.number)
    if action is None:
        return no(DecisionReason.NO_SUCH_ACTION)
    if action.completed_at is None:
        return no(DecisionReason.NOT_COMPLETED)
    if action.effective is command.effective:
        return no(DecisionReason.ALREADY_RECORDED)
    data = {"number": command.number, "effective": command.effective, "note": command.note}
    return log.done((EventKind.ACTION_CHECKED, data))


def mark_serious(incident: Incident, command: MarkSerious, log: Log) -> Decision:
    """Start the clocks; said again with ``classified_at``, add that to those that run."""
    if incident.merged_into is not None:
        return no(DecisionReason.ALREADY_MERGED)
    classified = None if command.classified_at is None else min(command.classified_at, log.at)
    if incident.serious is None:
        marked = (command.category, command.steps, min(command.aware_at, log.at))
    elif incident.serious.classified_at is None and classified is not None:
        marked = (incident.serious.category, incident.serious.steps, incident.serious.aware_at)
    else:
        return no(DecisionReason.ALREADY_SERIOUS)
    data = dict(zip(("category", "steps", "aware_at"), marked, strict=True))
    return log.done((EventKind.MARKED_SERIOUS, {**data, "classified_at": classified, "note": command.note}))


def record_report(incident: Incident, command: RecordReport, log: Log) -> Decision:
    if incident.serious is None:
        return no(DecisionReason.NOT_SERIOUS)
    named = (command.regime, command.deadline)
    if named not in {(s.regime, s.name) for s in incident.serious.steps}:
        return no(DecisionReason.NO_SUCH_DEADLINE)
    if named in {(r.regime, r.deadline) for r in incident.serious.reports}:
        return no(DecisionReason.ALREADY_REPORTED)
    filed = {"regime": command.regime, "deadline": command.deadline, "reference": command.reference}
    return log.done((EventKind.REPORTED, {**filed, "at": min(command.at, log.at)}))


def clear_serious(incident: Incident, command: ClearSerious, log: Log, by: str | None = None) -> Decision:
    if incident.serious is None:
        return no(DecisionReason.NOT_SERIOUS)
    if by is None:
        return propose(incident, command, log)
    return log.done((EventKind.CLEARED_SERIOUS, {"why": command.why, "by": by, "approved_by": log.actor.id}))


def merge(incident: Incident, command: Merge, log: Log) -> Decision:
    """This goes on in another; whether that can take it, ``absorb`` of the other says."""
    if incident.closed_at is not None:
        return ended(incident)
    if command.into == incident.id or incident.fingerprint.kind is Kind.FAIRNESS:
        return no(DecisionReason.NOT_MERGEABLE)
    return log.done((EventKind.MERGED, {"into": command.into, "note": command.note}))


def absorb(incident: Incident, command: Absorb, log: Log) -> Decision:
    """Take over the fingerprints, the evidence, the earlier start and the higher severity of another."""
    if command.incident in incident.merged_from:
        return no(DecisionReason.ALREADY_MERGED)
    mixed = any(not _of_one_model(incident.fingerprint, other) for other in command.fingerprints)
    if not incident.is_live or command.incident == incident.id or mixed or len(incident.merged_from) >= MOST_MERGED:
        return no(DecisionReason.NOT_MERGEABLE)
    data = {
        "incident": command.incident,
        "fingerprints": command.fingerprints,
        "started_at": command.started_at,
        "title": command.title,
    }
    evidence = [one for e in command.evidence for one in added(incident, e)]
    return log.done((EventKind.ABSORBED, data), *evidence, *raised(incident, command.severity))


def close(incident: Incident, command: Close, log: Log) -> Decision:
    """After review. What is still missing is said one at a time, in the order in which a person would give it."""
    if incident.closed_at is not None:
        return ended(incident)
    missing = _missing(incident, log)
    return log.done((EventKind.CLOSED, {"note": command.note})) if missing is None else no(missing)


def _missing(incident: Incident, log: Log) -> DecisionReason | None:
    if incident.is_live:
        return DecisionReason.NOT_RESOLVED
    if incident.disposition is None:
        return DecisionReason.NEEDS_DISPOSITION
    if incident.root_cause is None:
        return DecisionReason.NEEDS_ROOT_CAUSE
    if incident.open_proposals:
        return DecisionReason.PROPOSAL_OPEN
    if needs_signature(incident, incident.disposition) and incident.signed_by is None:
        return DecisionReason.NEEDS_SECOND_PERSON  # its severity rose after one person had said so
    accepted = incident.acceptance is not None and incident.acceptance.expires_at > log.at
    if incident.is_finding and incident.retest_passed_at is None and not accepted:
        return DecisionReason.NEEDS_RETEST_OR_ACCEPTANCE
    if _needs_action(incident) and not incident.actions:
        return DecisionReason.NEEDS_CORRECTIVE_ACTION
    return None


def _needs_action(incident: Incident) -> bool:
    """What was true, and grave or not for the first time, is to be mended for good: one action planned is enough."""
    grave = incident.severity is Severity.CRITICAL or incident.fingerprint.kind is Kind.FAIRNESS
    return incident.disposition is Disposition.TRUE and (grave or incident.recurrence_of is not None)


def _limit(incident: Incident, retest: Retest) -> Limit | None:
    return next((x for x in incident.limits if (x.metric, x.scope) == (retest.metric, retest.scope)), None)


def _too_early(incident: Incident, retest: Retest) -> bool:
    until = incident.breached_until
    return until is not None and retest.window_start < until


def _passes(retest: Retest, limit: Limit) -> bool:
    """The whole interval within the limit: a straddling or an unknown one does not pass."""
    if retest.value is None or retest.low is None or retest.high is None or not retest.n:
        return False
    low, high = min(retest.low, retest.value), max(retest.high, retest.value)
    return (limit.low is None or low >= limit.low) and (limit.high is None or high <= limit.high)


def _of_one_model(one: Fingerprint, other: Fingerprint) -> bool:
    """Of one model, and none of them a disparity: that is a finding of its own."""
    return one.model == other.model and Kind.FAIRNESS not in (one.kind, other.kind)


def _action(incident: Incident, number: int) -> Action | None:
    return next((a for a in incident.actions if a.number == number), None)
