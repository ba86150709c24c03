"""What a command comes to: the events to append, and the reason, a value that a reader can be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from incidents.events import Actor, Event, EventKind
from incidents.incident import Incident
from incidents.verdict import Evidence, Severity
from incidents.wire import to_json


class DecisionReason(StrEnum):
    """Why a decision is what it is. The first six come with events, all others with none."""

    DONE = "done"
    DEDUPLICATED = "deduplicated"  # opened again while live: what was new in it was added
    REOPENED_WITHIN_WINDOW = "reopened_within_window"
    RECURRENCE = "recurrence"  # opened anew after the window, linked to the last
    GROUPED = "grouped"  # joined the live incident that has the same cause
    AWAITS_SECOND_PERSON = "awaits_second_person"  # proposed: another person approves or declines it

    NO_SUCH_INCIDENT = "no_such_incident"
    OTHER_FINGERPRINT = "other_fingerprint"
    NEEDS_PERSON = "needs_person"
    NEEDS_SECOND_PERSON = "needs_second_person"
    NEEDS_DISPOSITION = "needs_disposition"
    NEEDS_ROOT_CAUSE = "needs_root_cause"
    NEEDS_RETEST_OR_ACCEPTANCE = "needs_retest_or_acceptance"
    NEEDS_CORRECTIVE_ACTION = "needs_corrective_action"
    PROPOSAL_OPEN = "proposal_open"
    NO_SUCH_PROPOSAL = "no_such_proposal"
    NO_SUCH_ACTION = "no_such_action"
    NO_SUCH_DEADLINE = "no_such_deadline"
    NOT_RESOLVED = "not_resolved"
    NOT_MERGEABLE = "not_mergeable"
    NOT_A_FINDING = "not_a_finding"
    NOT_COMPLETED = "not_completed"
    NOT_SERIOUS = "not_serious"
    TOO_MANY_ACTIONS = "too_many_actions"
    REOPEN_WINDOW_PASSED = "reopen_window_passed"
    BEFORE_REOPENING = "before_reopening"
    RECOVERED_BEFORE_START = "recovered_before_start"
    RETEST_OF_ANOTHER = "retest_of_another"
    RETEST_TOO_EARLY = "retest_too_early"
    SEVERITY_NOT_HIGHER = "severity_not_higher"
    ALREADY_OPEN = "already_open"
    ALREADY_RECORDED = "already_recorded"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    ALREADY_RECOVERED = "already_recovered"
    ALREADY_RESOLVED = "already_resolved"
    ALREADY_ASSIGNED = "already_assigned"
    ALREADY_DISPOSED = "already_disposed"
    ALREADY_CLOSED = "already_closed"
    ALREADY_MERGED = "already_merged"
    ALREADY_DECIDED = "already_decided"
    ALREADY_COMPLETED = "already_completed"
    ALREADY_SERIOUS = "already_serious"
    ALREADY_REPORTED = "already_reported"
    ALREADY_EXPIRED = "already_expired"


EFFECTIVE = frozenset(list(DecisionReason)[:6])


@dataclass(frozen=True, slots=True)
class Decision:
    """``events`` to append and apply in order; empty where nothing changes. ``reason`` says why, either way."""

    events: tuple[Event, ...]
    reason: DecisionReason


Happened = tuple[EventKind, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Log:
    """Writes an incident's next events, never before its last: the clocks of two machines differ."""

    incident: Incident
    actor: Actor
    now: datetime

    @property
    def at(self) -> datetime:
        """When the next event happens."""
        return max(self.now, self.incident.updated_at)

    def done(self, *happened: Happened, reason: DecisionReason = DecisionReason.DONE) -> Decision:
        """A decision with these events."""
        return Decision(tuple(Event(kind, self.at, self.actor, to_json(data)) for kind, data in happened), reason)

    def any(
        self, happened: list[Happened], none: DecisionReason, some: DecisionReason = DecisionReason.DONE
    ) -> Decision:
        """A decision with these events for the reason ``some``; of none, for the reason ``none``."""
        return self.done(*happened, reason=some) if happened else no(none)


def no(reason: DecisionReason) -> Decision:
    """Nothing changes, and why."""
    return Decision((), reason)


def ended(incident: Incident) -> Decision:
    """What a command for a live incident comes to where it is none any more."""
    if incident.merged_into is not None:
        return no(DecisionReason.ALREADY_MERGED)
    closed = incident.closed_at is not None
    return no(DecisionReason.ALREADY_CLOSED if closed else DecisionReason.ALREADY_RESOLVED)


def added(incident: Incident, evidence: Evidence | None) -> list[Happened]:
    """Evidence, where it is new."""
    new = evidence is not None and evidence not in incident.evidence
    return [(EventKind.EVIDENCE_ADDED, {"evidence": evidence})] if new else []


def raised(incident: Incident, severity: Severity | None, note: str = "") -> list[Happened]:
    """A severity, where it is higher."""
    higher = severity is not None and severity > incident.severity
    data = {"from": incident.severity, "to": severity, "note": note}
    return [(EventKind.SEVERITY_RAISED, data)] if higher else []
