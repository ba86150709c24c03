"""What happened to an incident: events, append-only, the only record from which its state and its times are derived."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from incidents.wire import from_json, to_json


class ActorKind(StrEnum):
    """``rule`` is Vigil's own judge; ``machine`` is whatever holds a machine's key; only a ``person`` takes charge."""

    PERSON = "person"
    MACHINE = "machine"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it."""

    id: str
    kind: ActorKind

    @property
    def is_person(self) -> bool:
        return self.kind is ActorKind.PERSON


class EventKind(StrEnum):
    OPENED = "opened"
    EVIDENCE_ADDED = "evidence_added"
    SEVERITY_RAISED = "severity_raised"
    ACKNOWLEDGED = "acknowledged"
    RECOVERED = "recovered"
    RELAPSED = "relapsed"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    DISPOSED = "disposed"
    CLOSED = "closed"
    GROUPED = "grouped"
    MERGED = "merged"
    ABSORBED = "absorbed"
    RETESTED = "retested"
    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"
    RISK_ACCEPTED = "risk_accepted"
    ACTION_PLANNED = "action_planned"
    ACTION_COMPLETED = "action_completed"
    ACTION_CHECKED = "action_checked"
    MARKED_SERIOUS = "marked_serious"
    REPORTED = "reported"
    CLEARED_SERIOUS = "cleared_serious"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an incident's log; ``data`` holds JSON values only. An ``opened`` event begins a new incident.

    >>> from datetime import UTC
    >>> ana = Actor("ana", ActorKind.PERSON)
    >>> Event(EventKind.COMMENTED, datetime(2026, 1, 1, tzinfo=UTC), ana, {"text": "mine"}).to_json()
    {'kind': 'commented', 'at': '2026-01-01T00:00:00Z',
     'actor': {'id': 'ana', 'kind': 'person'}, 'data': {'text': 'mine'}}
    """

    kind: EventKind
    at: datetime
    actor: Actor
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, instants as RFC 3339."""
        written: dict[str, Any] = to_json(self)
        return written

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Event:
        """Read what ``to_json`` wrote; anything else raises ``ValueError``."""
        return from_json(cls, data)
