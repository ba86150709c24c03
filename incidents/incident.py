"""An incident as its events make it: ``apply`` takes one event, ``replay`` all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from incidents import applying
from incidents.applying import LATEST
from incidents.commands import Clock, Disposition
from incidents.events import Event, EventKind
from incidents.parts import (
    Acceptance,
    Action,
    Deadline,
    Interval,
    Proposal,
    Report,
    ResolvedBy,
    Retested,
    Serious,
    State,
)
from incidents.verdict import Cause, Change, Evidence, Fingerprint, Kind, Limit, Severity
from incidents.wire import from_json, to_json

__all__ = [
    "APART", "LATEST", "Acceptance", "Action", "Deadline", "Incident", "Interval", "Proposal", "Report", "ResolvedBy",
    "Retested", "Serious", "State", "apply", "replay",
]  # fmt: skip

APART = (Disposition.DRILL, Disposition.FALSE_POSITIVE)  # nothing was wrong: such incidents are no finding, no failure


@dataclass(frozen=True, slots=True)
class Incident:
    """What is true of an incident now.

    - ``started_at``: end of the first breached window; ``opened_at``: the first opening; ``acknowledged_at``: the first
      acknowledgement by a person, which no reopening takes back
    - ``recovered_at``: end of the first clean window since it last breached; ``resolved_at``, ``resolved_by``,
      ``closed_at``, ``disposition``, ``disposed_at`` (the first), ``signed_by`` (the second person of a disposition
      that needs one), ``root_cause``, ``retests``, ``acceptance``: gone again when it is reopened, for what they said
      did not hold
    - ``live``: the stretches between opening and resolving (or merging), in order
    - ``evidence``: the first window, the worst and the latest five, in order of time
    - ``absorbed``: fingerprints of one cause that joined this; ``merged_into``: the incident in which this one goes on;
      ``merged_from``: those that go on in this one
    - ``limits``: those in force when it opened, by which ``retests`` (the latest of each limit) are judged
    - ``proposals``: those that wait for a second person, and the latest that were decided
    - ``updated_at``: the latest event; an incident's log never runs backwards
    """

    id: str
    fingerprint: Fingerprint
    state: State
    severity: Severity
    title: str
    clock: Clock
    started_at: datetime
    opened_at: datetime
    updated_at: datetime
    live: tuple[Interval, ...]
    acknowledged_at: datetime | None = None
    recovered_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: ResolvedBy | None = None
    closed_at: datetime | None = None
    assignee: str | None = None
    disposition: Disposition | None = None
    disposed_at: datetime | None = None
    root_cause: str | None = None
    recurrence_of: str | None = None
    evidence: tuple[Evidence, ...] = ()
    absorbed: tuple[Fingerprint, ...] = ()
    merged_into: str | None = None
    changes: tuple[Change, ...] = ()
    limits: tuple[Limit, ...] = ()
    retests: tuple[Retested, ...] = ()
    acceptance: Acceptance | None = None
    proposals: tuple[Proposal, ...] = ()
    actions: tuple[Action, ...] = ()
    serious: Serious | None = None
    signed_by: str | None = None
    merged_from: tuple[str, ...] = ()

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """Its own, then those that joined it."""
        return (self.fingerprint, *self.absorbed)

    @property
    def is_finding(self) -> bool:
        """A bias finding: a disparity that was neither a drill nor a false positive."""
        return self.fingerprint.kind is Kind.FAIRNESS and self.disposition not in APART

    @property
    def breached_until(self) -> datetime | None:
        """The end of its last breached window; None where it has no evidence."""
        own = [e.window_end for e in self.evidence if e.about in (None, self.fingerprint)]
        return max(own, default=None)

    @property
    def retest_passed_at(self) -> datetime | None:
        """When the last of the re-tests that its limits need passed; None while one is missing, has not passed, or was
        made before the last breach ended."""
        until = self.breached_until
        good = {
            (r.retest.metric, r.retest.scope): r.at
            for r in self.retests
            if r.passed and (until is None or r.retest.window_start >= until)
        }
        passed = [good.get((limit.metric, limit.scope)) for limit in self.limits]
        return max((at for at in passed if at is not None), default=None) if all(passed) else None

    @property
    def open_proposals(self) -> tuple[Proposal, ...]:
        """Those that wait for a second person."""
        return tuple(p for p in self.proposals if p.approved is None)

    @property
    def is_live(self) -> bool:
        """Open or acknowledged: somebody is still to resolve it."""
        return self.state in (State.OPEN, State.ACKNOWLEDGED)

    @property
    def reopenings(self) -> int:
        return len(self.live) - 1

    @property
    def worst(self) -> Evidence | None:
        """The window furthest beyond its limit; the first of them, and the first of all where none says how far."""
        return applying.worst(self.evidence)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The ranked causes of the worst window."""
        return self.worst.causes if self.worst else ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, instants as RFC 3339, the fingerprint as its text."""
        written: dict[str, Any] = to_json(self)
        return written

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Incident:
        """Read what ``to_json`` wrote."""
        return from_json(cls, data)


def replay(events: Iterable[Event]) -> Incident:
    """The incident that a whole log makes. ``opened`` comes first and once, or it is a ``ValueError``."""
    incident: Incident | None = None
    for event in events:
        if incident is not None and event.kind is EventKind.OPENED:
            raise ValueError(f"the log of {incident.id} opens a second incident")
        incident = apply(incident, event)
    if incident is None:
        raise ValueError("an incident has at least one event")
    return incident


def apply(incident: Incident | None, event: Event) -> Incident:
    """The incident after one event. ``opened`` begins a new one, whatever came before; any other event needs one."""
    if event.kind is EventKind.OPENED:
        return Incident(**applying.opened(event))
    if incident is None:
        raise ValueError(f"{event.kind} needs an incident, and none was opened")
    return replace(incident, updated_at=event.at, **applying.changes(incident, event))
