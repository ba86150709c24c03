"""One cause, one incident: whether an opening has the cause of an incident that is live already.

It is asked where an incident would begin anew. Disparities neither join nor are joined: each is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from incidents.commands import GroupReason, Open
from incidents.incident import Incident
from incidents.verdict import Cause, ChangeKind, Evidence, Kind

__all__ = ["ALL_ROWS", "GroupReason", "Joined", "same_cause"]

ALL_ROWS = "all rows"           # the cause of a fault that is no column's
ROLLOUT = timedelta(hours=24)   # before the first breached window: as long as a version may take to be noticed
EXPLAINED = 0.5                 # of the drift's effect on the output: more than this must lie in broken columns
_ROLLED_OUT = frozenset({Kind.DRIFT, Kind.PERFORMANCE, Kind.QUALITY})


@dataclass(frozen=True, slots=True)
class Joined:
    """The live incident that an opening joins, and why."""

    incident: str
    reason: GroupReason


def same_cause(opening: Open, live: Sequence[Incident]) -> Joined | None:
    """The live incident of the same cause, ``None`` where there is none.

    A fault of data quality explains a drift where the two share a window and the broken columns hold more than half of
    what the drift's ranked causes do to the output, or no feature drifted and the output alone did; whichever came
    first. A model version explains what opened in its first day or the window of it, where a live incident names the
    same version. The oldest incident that fits is joined.
    """
    kind = opening.fingerprint.kind
    near = sorted(
        (i for i in live if i.is_live and i.clock is opening.clock and _may_join(i, opening)),
        key=lambda i: (i.opened_at, i.id),
    )
    if kind in (Kind.DRIFT, Kind.QUALITY) and opening.evidence is not None:
        for incident in near:
            if _explained(incident, opening.evidence, kind):
                return Joined(incident.id, GroupReason.EXPLAINED_BY_QUALITY)
    if kind in _ROLLED_OUT:
        versions = _new_versions(opening)
        for incident in near:
            named = {c.version for c in incident.changes if c.kind is ChangeKind.VERSION}
            if versions & named and not _ROLLED_OUT.isdisjoint(f.kind for f in incident.fingerprints):
                return Joined(incident.id, GroupReason.SAME_ROLLOUT)
    return None


def _may_join(incident: Incident, opening: Open) -> bool:
    """One model and one segment; a part of the traffic is not the whole of it."""
    own, new = incident.fingerprint, opening.fingerprint
    same = (own.model, own.segment) == (new.model, new.segment)
    return same and Kind.FAIRNESS not in {new.kind, *(f.kind for f in incident.fingerprints)}


def _new_versions(opening: Open) -> set[str | None]:
    length = timedelta() if opening.evidence is None else opening.evidence.window_end - opening.evidence.window_start
    earliest = opening.started_at - length - ROLLOUT
    recent = (c for c in opening.changes if c.kind is ChangeKind.VERSION and c.version is not None)
    return {c.version for c in recent if earliest <= c.at <= opening.started_at}


def _explained(incident: Incident, evidence: Evidence, kind: Kind) -> bool:
    """Whether a drift and a fault of quality, one of them the incident's, are one: by any two windows that overlap."""
    other = Kind.QUALITY if kind is Kind.DRIFT else Kind.DRIFT
    for known in incident.evidence:
        if (known.about or incident.fingerprint).kind is not other or not _overlap(known, evidence):
            continue
        fault, drift = (known, evidence) if kind is Kind.DRIFT else (evidence, known)
        if _explains({c.name for c in fault.causes} - {ALL_ROWS}, drift.causes):
            return True
    return False


def _explains(broken: Set[str], causes: Sequence[Cause]) -> bool:
    if not causes:      # the output moved, and none of the features that are there: those that are not there did it
        return bool(broken)
    total = sum(c.weight or 0.0 for c in causes)
    return sum(c.weight or 0.0 for c in causes if c.name in broken) > EXPLAINED * total


def _overlap(one: Evidence, other: Evidence) -> bool:
    return one.window_start < other.window_end and other.window_start < one.window_end
