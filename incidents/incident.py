"""An incident as its events make it: ``apply`` takes one event, ``replay`` all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from incidents.commands import Clock, Disposition
from incidents.events import Event, EventKind
from incidents.verdict import Cause, Evidence, Fingerprint, Severity
from incidents.wire import from_json, instant, to_json

_UNDONE = ("recovered_at", "resolved_at", "resolved_by", "closed_at", "disposition", "disposed_at", "root_cause")
LATEST = 5  # windows of evidence kept beside the first and the worst; the log has them all


class State(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class ResolvedBy(StrEnum):
    AUTO = "auto"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch in which it was live; ``end`` is None while it is."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """What is true of an incident now.

    - ``started_at``: end of the first breached window; ``opened_at``: the first opening; ``acknowledged_at``: the first
      acknowledgement by a person, which no reopening takes back
    - ``recovered_at``: end of the first clean window since it last breached; ``resolved_at``, ``resolved_by``,
      ``closed_at``, ``disposition``, ``disposed_at`` (the first), ``root_cause``: None again when it is reopened, for
      what they said did not hold
    - ``live``: the stretches between opening and resolving, in order
    - ``evidence``: the first window, the worst and the latest five, in order of time
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
        return max(self.evidence, key=_excess, default=None)

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
        return _opened(event)
    if incident is None:
        raise ValueError(f"{event.kind} needs an incident, and none was opened")
    return replace(incident, updated_at=event.at, **_changes(incident, event))


def _changes(incident: Incident, event: Event) -> dict[str, Any]:
    data, at = event.data, event.at
    match event.kind:
        case EventKind.EVIDENCE_ADDED:
            return {"evidence": _kept(incident.evidence, _evidence(data))}
        case EventKind.RELAPSED:
            return {"evidence": _kept(incident.evidence, _evidence(data)), "recovered_at": None}
        case EventKind.SEVERITY_RAISED:
            return {"severity": Severity(data["to"])}
        case EventKind.ACKNOWLEDGED:
            return {"state": State.ACKNOWLEDGED, "acknowledged_at": incident.acknowledged_at or at}
        case EventKind.RECOVERED:
            return {"recovered_at": instant(data["recovered_at"])}
        case EventKind.RESOLVED:
            by = ResolvedBy.PERSON if event.actor.is_person else ResolvedBy.AUTO
            live = (*incident.live[:-1], Interval(incident.live[-1].start, at))
            return {"state": State.RESOLVED, "resolved_at": at, "resolved_by": by, "live": live}
        case EventKind.REOPENED:
            return {
                **dict.fromkeys(_UNDONE),
                "state": State.OPEN,
                "live": (*incident.live, Interval(at)),
                "evidence": _kept(incident.evidence, _evidence(data)),
            }
        case EventKind.ASSIGNED:
            return {"assignee": data["to"]}
        case EventKind.DISPOSED:
            return {
                "disposition": Disposition(data["disposition"]),
                "disposed_at": incident.disposed_at or at,
                "root_cause": data["root_cause"],
            }
        case EventKind.CLOSED:
            return {"state": State.CLOSED, "closed_at": at}
        case _:  # commented: the log has it
            return {}


def _opened(event: Event) -> Incident:
    data = event.data
    return Incident(
        id=data["id"],
        fingerprint=Fingerprint.parse(data["fingerprint"]),
        state=State.OPEN,
        severity=Severity(data["severity"]),
        title=data["title"],
        clock=Clock(data["clock"]),
        started_at=instant(data["started_at"]),
        opened_at=event.at,
        updated_at=event.at,
        live=(Interval(event.at),),
        recurrence_of=data["recurrence_of"],
        evidence=_kept((), _evidence(data)),
    )


def _evidence(data: dict[str, Any]) -> Evidence | None:
    return None if data["evidence"] is None else from_json(Evidence, data["evidence"])


def _excess(evidence: Evidence) -> float:
    return float("-inf") if evidence.excess is None else evidence.excess


def _kept(evidence: tuple[Evidence, ...], new: Evidence | None) -> tuple[Evidence, ...]:
    """With the new window, which replaces what was said of the same one; without those between that nobody asks for."""
    if new is None:
        return evidence
    of = {(e.window_start, e.window_end): e for e in (*evidence, new)}
    ordered = [of[window] for window in sorted(of)]
    worst = max(ordered, key=_excess)
    return tuple(e for i, e in enumerate(ordered) if i == 0 or e is worst or i >= len(ordered) - LATEST)
