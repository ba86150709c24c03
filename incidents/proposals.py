"""Four eyes: which commands wait for a second person, and what that person's word does.

A command that needs one is recorded as a proposal. Another person approves it, and it is carried out as it was
proposed; or declines it. Whoever proposed it may decline it too, so that a person who works alone is never stuck with
a proposal that nobody can sign: taken back, the incident can still be handled in the ways that need one person.
"""

from __future__ import annotations

from collections.abc import Callable

from incidents.care import AcceptRisk, Approve, ClearSerious, Decline
from incidents.commands import Command, Dispose, Disposition, command_from_json, command_to_json
from incidents.decision import Decision, DecisionReason, Log, no
from incidents.events import EventKind
from incidents.incident import Incident, Proposal
from incidents.verdict import Kind, Severity

NeedsSecond = Dispose | AcceptRisk | ClearSerious
CarryOut = Callable[[Command, str], Decision]


def needs_signature(incident: Incident, disposition: Disposition | None) -> bool:
    """Whether it takes a second person to say so: a critical incident or a disparity that was nothing, was a drill or
    may stay is one less to be counted or mended."""
    grave = incident.severity is Severity.CRITICAL or incident.fingerprint.kind is Kind.FAIRNESS
    return grave and disposition not in (None, Disposition.TRUE)


def propose(incident: Incident, command: NeedsSecond, log: Log) -> Decision:
    """Record what waits for a second person; one at a time of each kind."""
    body = command_to_json(command)
    if any(p.command["command"] == body["command"] for p in incident.open_proposals):
        return no(DecisionReason.PROPOSAL_OPEN)
    data = {"number": _highest(incident) + 1, "command": body}
    return log.done((EventKind.PROPOSED, data), reason=DecisionReason.AWAITS_SECOND_PERSON)


def approve(incident: Incident, command: Approve, log: Log, carry_out: CarryOut) -> Decision:
    """``carry_out(command, proposed_by)`` decides on the command as if it were said now. Where that would change
    nothing any more, neither does the approval, and its reason is the answer."""
    proposal = _open(incident, command.number)
    if isinstance(proposal, Decision):
        return proposal
    if proposal.by == log.actor.id:
        return no(DecisionReason.NEEDS_SECOND_PERSON)
    effect = carry_out(command_from_json(proposal.command), proposal.by)
    if not effect.events:
        return effect
    approved = log.done((EventKind.APPROVED, {"number": command.number, "note": command.note}))
    return Decision((*approved.events, *effect.events), effect.reason)


def decline(incident: Incident, command: Decline, log: Log) -> Decision:
    proposal = _open(incident, command.number)
    if isinstance(proposal, Decision):
        return proposal
    return log.done((EventKind.DECLINED, {"number": command.number, "note": command.note}))


def _open(incident: Incident, number: int) -> Proposal | Decision:
    found = next((p for p in incident.open_proposals if p.number == number), None)
    if found is not None:
        return found
    known = 1 <= number <= _highest(incident)
    return no(DecisionReason.ALREADY_DECIDED if known else DecisionReason.NO_SUCH_PROPOSAL)


def _highest(incident: Incident) -> int:
    return max((p.number for p in incident.proposals), default=0)
