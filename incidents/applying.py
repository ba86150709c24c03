"""What each kind of event changes of an incident: the fields, by name, that ``incidents.incident.apply`` sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from incidents.care import Retest
from incidents.commands import MOST_SAID, Clock, Disposition
from incidents.events import Event, EventKind
from incidents.parts import (
    Acceptance,
    Action,
    Interval,
    Proposal,
    Report,
    ResolvedBy,
    Retested,
    Serious,
    State,
)
from incidents.verdict import Change, Evidence, Fingerprint, Limit, Severity
from incidents.wire import from_json, instant

if TYPE_CHECKING:
    from incidents.incident import Incident

Fields = dict[str, Any]
LATEST = 5  # windows of evidence kept beside the first and the worst; the log has them all
DECIDED = 10  # decided proposals kept beside the open ones
_UNDONE = (
    "recovered_at", "resolved_at", "resolved_by", "closed_at", "disposition", "disposed_at", "root_cause", "signed_by",
    "acceptance",
)  # fmt: skip
_OVERTAKEN = ("dispose", "accept_risk")  # proposals that judge an episode: a reopening or a merge ends it


def opened(event: Event) -> Fields:
    """The fields of a new incident."""
    data = event.data
    fingerprint = Fingerprint.parse(data["fingerprint"])
    return {
        "id": data["id"],
        "fingerprint": fingerprint,
        "state": State.OPEN,
        "severity": Severity(data["severity"]),
        "title": data["title"],
        "clock": Clock(data["clock"]),
        "started_at": instant(data["started_at"]),
        "opened_at": event.at,
        "updated_at": event.at,
        "live": (Interval(event.at),),
        "recurrence_of": data["recurrence_of"],
        "evidence": _kept((), _evidence(data), fingerprint),
        "changes": _read(Change, data, "changes"),
        "limits": _read(Limit, data, "limits"),
    }


def changes(incident: Incident, event: Event) -> Fields:
    """The fields that an event sets anew; a comment sets none: the log has it."""
    data, at, who = event.data, event.at, event.actor.id
    match event.kind:
        case EventKind.EVIDENCE_ADDED:
            return {"evidence": _more(incident, data)}
        case EventKind.RELAPSED:
            return {"evidence": _more(incident, data), "recovered_at": None}
        case EventKind.SEVERITY_RAISED:
            return {"severity": Severity(data["to"])}
        case EventKind.ACKNOWLEDGED:
            return {"state": State.ACKNOWLEDGED, "acknowledged_at": incident.acknowledged_at or at}
        case EventKind.RECOVERED:
            return {"recovered_at": instant(data["recovered_at"])}
        case EventKind.RESOLVED:
            by = ResolvedBy.PERSON if event.actor.is_person else ResolvedBy.AUTO
            return {"state": State.RESOLVED, "resolved_at": at, "resolved_by": by, "live": _ended(incident, at)}
        case EventKind.REOPENED:
            return _reopened(incident, event)
        case EventKind.ASSIGNED:
            return {"assignee": data["to"]}
        case EventKind.DISPOSED:
            return {
                "disposition": Disposition(data["disposition"]),
                "disposed_at": incident.disposed_at or at,
                "root_cause": data["root_cause"],
                "signed_by": data.get("approved_by"),
            }
        case EventKind.CLOSED:
            return {"state": State.CLOSED, "closed_at": at}
        case EventKind.GROUPED:
            joined = _union(incident.changes, _read(Change, data, "changes"))[:MOST_SAID]
            return _joined(incident, (data["fingerprint"],), data["started_at"]) | {"changes": joined}
        case EventKind.ABSORBED:
            merged = (*incident.merged_from, data["incident"])
            return _joined(incident, data["fingerprints"], data["started_at"]) | {"merged_from": merged}
        case EventKind.MERGED:
            return _merged(incident, event)
        case EventKind.RETESTED:
            new = Retested(at, from_json(Retest, data["retest"]), data["passed"])
            others = [r for r in incident.retests if _subject(r.retest) != _subject(new.retest)]
            return {"retests": (*others, new)}
        case EventKind.PROPOSED:
            new_one = Proposal(data["number"], who, at, data["command"])
            return {"proposals": _trimmed((*incident.proposals, new_one))}
        case EventKind.APPROVED | EventKind.DECLINED:
            said = {"decided_by": who, "approved": event.kind is EventKind.APPROVED}
            return {"proposals": _trimmed(_set(incident.proposals, data["number"], **said))}
        case EventKind.RISK_ACCEPTED:
            until = instant(data["expires_at"])
            return {"acceptance": Acceptance(data["by"], data["approved_by"], at, until, data["why"])}
        case EventKind.ACTION_PLANNED:
            planned = {k: data[k] for k in ("number", "what", "owner", "due_at", "check_at")}
            return {"actions": (*incident.actions, from_json(Action, planned))}
        case EventKind.ACTION_COMPLETED:
            return {"actions": _set(incident.actions, data["number"], completed_at=at)}
        case EventKind.ACTION_CHECKED:
            checked = {"checked_at": at, "effective": data["effective"]}
            return {"actions": _set(incident.actions, data["number"], **checked)}
        case EventKind.MARKED_SERIOUS:
            return {"serious": _serious(incident, data)}
        case EventKind.REPORTED:
            if incident.serious is None:
                return {}
            report = Report(data["regime"], data["deadline"], instant(data["at"]), who, data["reference"])
            return {"serious": replace(incident.serious, reports=(*incident.serious.reports, report))}
        case EventKind.CLEARED_SERIOUS:
            return {"serious": None}
        case _:
            return {}


def worst(evidence: Iterable[Evidence]) -> Evidence | None:
    """The window furthest beyond its limit; the first of them, and the first of all where none says how far."""
    return max(evidence, key=lambda e: float("-inf") if e.excess is None else e.excess, default=None)


def _reopened(incident: Incident, event: Event) -> Fields:
    data = event.data
    return {
        **dict.fromkeys(_UNDONE),
        "state": State.OPEN,
        "live": (*incident.live, Interval(event.at)),
        "evidence": _more(incident, data),
        "retests": (),
        "proposals": _overtaken(incident, event),
        "changes": _read(Change, data, "changes") or incident.changes,
        "limits": _union(incident.limits, _new_limits(incident, data)),
    }


def _merged(incident: Incident, event: Event) -> Fields:
    return {
        "state": State.CLOSED,
        "closed_at": event.at,
        "merged_into": event.data["into"],
        "live": _ended(incident, event.at),
        "proposals": _overtaken(incident, event),
    }


def _joined(incident: Incident, fingerprints: Iterable[str], started_at: str) -> Fields:
    """It takes in other fingerprints, and what breaches by them: it has not recovered, as far as anybody has said."""
    new = tuple(f for f in map(Fingerprint.parse, fingerprints) if f not in incident.fingerprints)
    began = min(incident.started_at, instant(started_at))
    return {"absorbed": (*incident.absorbed, *new), "started_at": began, "recovered_at": None}


def _ended(incident: Incident, at: datetime) -> tuple[Interval, ...]:
    last = incident.live[-1]
    return incident.live if last.end is not None else (*incident.live[:-1], Interval(last.start, at))


def _serious(incident: Incident, data: dict[str, Any]) -> Serious:
    told = {k: data[k] for k in ("category", "steps", "aware_at", "classified_at")}
    before = incident.serious.reports if incident.serious is not None else ()
    return replace(from_json(Serious, told), reports=before)


def _overtaken(incident: Incident, event: Event) -> tuple[Proposal, ...]:
    over = [p.number for p in incident.open_proposals if p.command["command"] in _OVERTAKEN]
    return tuple(
        replace(p, decided_by=event.actor.id, approved=False) if p.number in over else p for p in incident.proposals
    )


def _trimmed(proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    decided = [p.number for p in proposals if p.approved is not None]
    return tuple(p for p in proposals if p.number not in decided[:-DECIDED])


def _set(numbered: tuple[Any, ...], number: int, **fields: Any) -> tuple[Any, ...]:
    return tuple(replace(n, **fields) if n.number == number else n for n in numbered)


def _subject(retest: Retest) -> tuple[str, str]:
    return retest.metric, retest.scope


def _new_limits(incident: Incident, data: dict[str, Any]) -> tuple[Limit, ...]:
    """Those of a reopening of which none stands yet: the limit in force at the first opening stays the one to pass."""
    known = {(limit.metric, limit.scope) for limit in incident.limits}
    return tuple(new for new in _read(Limit, data, "limits") if (new.metric, new.scope) not in known)


def _union(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _read(kind: type, data: dict[str, Any], name: str) -> tuple[Any, ...]:
    return tuple(from_json(kind, item) for item in data.get(name, ()))  # logs from before have none


def _evidence(data: dict[str, Any]) -> Evidence | None:
    return None if data["evidence"] is None else from_json(Evidence, data["evidence"])


def _more(incident: Incident, data: dict[str, Any]) -> tuple[Evidence, ...]:
    return _kept(incident.evidence, _evidence(data), incident.fingerprint)


def _kept(evidence: tuple[Evidence, ...], new: Evidence | None, own: Fingerprint) -> tuple[Evidence, ...]:
    """With the new window, which replaces what was said of the same one; without those between that nobody asks for."""
    if new is None:
        return evidence
    of = {(e.window_start, e.window_end, (e.about or own).text): e for e in (*evidence, new)}
    ordered = [of[window] for window in sorted(of)]
    furthest = worst(ordered)
    return tuple(e for i, e in enumerate(ordered) if i == 0 or e is furthest or i >= len(ordered) - LATEST)
