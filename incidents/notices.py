"""What is worth telling of an incident: each transition as a notice that is whole in itself, before it is said to whom.

Of a bias finding a notice names the attribute and the metric, and no group or its rate: these are values of a protected
attribute, and a notice leaves the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Literal

from incidents.commands import Clock
from incidents.countdowns import deadlines
from incidents.events import Event
from incidents.incident import Incident, State, apply
from incidents.parts import Action, Deadline
from incidents.verdict import Cause, Change, Fingerprint, Kind, Severity
from incidents.wire import from_json, to_json

Lane = Literal["segment", "command", "tick"]


class NoticeKind(StrEnum):
    """What happened. ``marked_serious``, ``reported``, ``risk_accepted`` and ``action_planned`` are reminders alone:
    they are told when something of them falls due."""

    OPENED = "opened"
    REOPENED = "reopened"
    SEVERITY_RAISED = "severity_raised"
    ACKNOWLEDGED = "acknowledged"
    RECOVERED = "recovered"
    RELAPSED = "relapsed"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"
    PROPOSED = "proposed"
    MARKED_SERIOUS = "marked_serious"
    REPORTED = "reported"
    RISK_ACCEPTED = "risk_accepted"
    ACTION_PLANNED = "action_planned"
    TEST = "test"


RISK = "risk"       # the regime of an accepted risk's end, which is no authority's
CALLING = frozenset({NoticeKind.OPENED, NoticeKind.REOPENED, NoticeKind.SEVERITY_RAISED})
REMINDING = frozenset(
    {NoticeKind.MARKED_SERIOUS, NoticeKind.REPORTED, NoticeKind.RISK_ACCEPTED, NoticeKind.ACTION_PLANNED}
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which entry of the log made it: a ``segment``, ``command`` or ``tick``, and its number in that lane."""

    lane: Lane
    seq: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell of an incident, with all that a channel says of it.

    ``at``: when it happened. ``episode``: how often the incident had been reopened. ``by`` and ``note``: who did it,
    and what they said. ``deadlines`` and ``actions``: what falls due.
    """

    id: str
    kind: NoticeKind
    at: datetime
    incident: str
    model: str
    fingerprint: Fingerprint
    episode: int
    severity: Severity
    state: State
    title: str
    summary: str
    started_at: datetime
    opened_at: datetime
    causes: tuple[Cause, ...] = ()
    changes: tuple[Change, ...] = ()
    by: str = ""
    note: str = ""
    deadlines: tuple[Deadline, ...] = ()
    actions: tuple[Action, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, instants as RFC 3339, the fingerprint as its text."""
        written: dict[str, Any] = to_json(self)
        return written

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Notice:
        """Read what ``to_json`` wrote; anything else raises ``ValueError``."""
        return from_json(cls, data)


def notices(before: Incident | None, events: Sequence[Event], origin: Origin, first: int) -> tuple[Notice, ...]:
    """What to tell of one decision's events. ``first``: how many notices of the same incident and origin went before.

    The id follows from the incident, the kind, the origin and the place among the notices of that origin, so that an
    entry of the log that is carried out again makes the same ones. Nobody is told of a replay: it has the times of its
    data.
    """
    after = before
    for event in events:
        after = apply(after, event)
    if after is None or after.clock is Clock.EVENT:
        return ()
    told = [(kind, event) for event in events if (kind := _kind(event, events)) is not None]
    return tuple(_notice(kind, event, before, after, origin, first + i) for i, (kind, event) in enumerate(told))


_KINDS = {kind.value: kind for kind in NoticeKind if kind is not NoticeKind.TEST}
# What another event of the same decision says too.
_SAID = {NoticeKind.SEVERITY_RAISED: {"opened", "reopened"}, NoticeKind.RECOVERED: {"resolved"}}


def _kind(event: Event, events: Sequence[Event]) -> NoticeKind | None:
    kind = _KINDS.get(event.kind.value)
    if kind is None or _SAID.get(kind, set()) & {other.kind.value for other in events}:
        return None
    return kind


def _notice(
    kind: NoticeKind, event: Event, before: Incident | None, incident: Incident, origin: Origin, ordinal: int
) -> Notice:
    named = "\n".join((incident.id, kind.value, origin.lane, str(origin.seq), str(ordinal)))
    protected = incident.fingerprint.kind is Kind.FAIRNESS
    return Notice(
        id="ntc_" + sha256(named.encode()).hexdigest()[:16],
        kind=kind,
        at=event.at,
        incident=incident.id,
        model=incident.fingerprint.model,
        fingerprint=incident.fingerprint,
        episode=incident.reopenings,
        severity=incident.severity,
        state=incident.state,
        title=incident.title,
        summary=incident.worst.summary if incident.worst else "",
        started_at=incident.started_at,
        opened_at=incident.opened_at,
        causes=() if protected else incident.causes,
        changes=incident.changes,
        by=event.actor.id,
        note=str(event.data.get("note") or event.data.get("why") or ""),
        deadlines=_due(kind, before, incident),
        actions=incident.actions[-1:] if kind is NoticeKind.ACTION_PLANNED else (),
    )


def _due(kind: NoticeKind, before: Incident | None, incident: Incident) -> tuple[Deadline, ...]:
    """What falls due by what happened: every report of a new candidate, those whose date another report moved, the end
    of an accepted risk. Other notices say which reports are still to be filed."""
    if kind is NoticeKind.RISK_ACCEPTED and incident.acceptance is not None:
        return (Deadline(RISK, "acceptance", incident.acceptance.expires_at),)
    waiting = _waiting(incident)
    if kind is not NoticeKind.REPORTED or before is None:
        return waiting
    known = set(_waiting(before))
    return tuple(deadline for deadline in waiting if deadline not in known)


def _waiting(incident: Incident) -> tuple[Deadline, ...]:
    found = () if incident.serious is None else deadlines(incident.serious)
    return tuple(deadline for deadline in found if deadline.reported_at is None)
