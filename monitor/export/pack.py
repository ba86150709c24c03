"""The management-review pack (ISO/IEC 42001:2023, 9.3.2 inputs) as plain JSON values, and the hash of its figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from incidents.incident import Incident
from incidents.verdict import Kind
from incidents.wire import rfc3339, to_json
from monitor.kpis.definitions import VERSION as DEFINITIONS
from monitor.kpis.kpi import Kpi
from monitor.kpis.periods import Period

PACK = 1                # the version of this layout
MOST_CAUSES = 3

CLAUSES = (
    ("9.1", "Monitoring, measurement, analysis and evaluation", "the KPIs and the verdicts on windows"),
    ("9.3", "Management review", "this pack, and the decisions recorded in it"),
    ("10.1", "Continual improvement", "the trend of four quarters"),
    ("10.2", "Nonconformity and corrective action", "incidents with their causes, dispositions and closure"),
    ("A.6.2.4", "Verification and validation", "the bias tests"),
    ("A.6.2.6", "Operation and monitoring", "monitors, monitoring coverage and data gaps"),
    ("A.8.4", "Communication of incidents", "incidents with who took charge of them and when"),
)
NOT_ON_RECORD = (
    "Actions from earlier reviews",
    "Nonconformities and corrective actions",
    "Audit results",
    "Deployments and rollbacks",
    "Supplier changes",
)


def build(
    period: Period,
    part: Period | None,
    clock: str,
    kpis: Sequence[Kpi],
    trend: Sequence[tuple[Period, Sequence[Kpi]]],
    incidents: Sequence[Incident],
    evidence: Mapping[str, Any],
) -> dict[str, Any]:
    """The figures of a pack. ``part``: what of the period is over; ``trend``: the KPIs of quarters, oldest first;
    ``incidents``: those live, opened or closed in it; ``evidence``: scope, changes and data gaps, as plain values."""
    over = part is not None and part.end == period.end
    quarters = [(quarter.name, {k.id: k for k in found}) for quarter, found in trend]
    return {
        "pack": {"name": "management-review", "version": PACK, "definitions": DEFINITIONS},
        "period": {
            "name": period.name,
            "start": rfc3339(period.start),
            "end": rfc3339(period.end),
            "over": over,
            "figures_until": None if part is None else rfc3339(part.end),
        },
        "clock": clock,
        **evidence,
        "kpis": [k.as_dict() | {"trend": [_step(name, found[k.id]) for name, found in quarters]} for k in kpis],
        "incidents": [_incident(i) for i in incidents],
        "suggestions": _suggestions(kpis, incidents),
        "not_on_record": list(NOT_ON_RECORD),
        "evidence_for": [{"clause": c, "title": t, "by": by} for c, t, by in CLAUSES],
    }


def canonical(figures: Mapping[str, Any]) -> bytes:
    """One text for the same figures: sorted keys, no spaces, UTF-8.

    >>> canonical({"b": 1, "a": [0.5, None]})
    b'{"a":[0.5,null],"b":1}'
    """
    return json.dumps(figures, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def figures_hash(figures: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical figures, in hexadecimal: the same whenever and by whomever they are computed."""
    return hashlib.sha256(canonical(figures)).hexdigest()


def as_json(pack: Mapping[str, Any]) -> bytes:
    """The pack for people and machines: ``figures`` and ``generated``."""
    return (json.dumps(pack, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def in_period(incident: Incident, part: Period) -> bool:
    """Whether it was live at some time of the period, or resolved or closed in it."""
    ends = [i.end for i in incident.live if i.end is not None]
    live = incident.is_live or any(end >= part.start for end in ends)
    return incident.opened_at < part.end and (live or part.holds(incident.closed_at))


def _step(name: str, kpi: Kpi) -> dict[str, Any]:
    f = kpi.figure
    return {"period": name, "value": f.value, "n": f.n, "reason_if_null": f.reason_if_null}


def _incident(i: Incident) -> dict[str, Any]:
    told = (
        "id", "title", "severity", "state", "started_at", "opened_at", "acknowledged_at", "recovered_at", "resolved_at",
        "resolved_by", "closed_at", "assignee", "disposition", "root_cause", "reopenings", "recurrence_of",
        "merged_into",
    )  # fmt: skip
    return {
        "model": i.fingerprint.model,
        "kind": i.fingerprint.kind.value,
        "attribute": i.fingerprint.attribute,
        "bias_finding": i.fingerprint.kind is Kind.FAIRNESS,
        **{name: to_json(getattr(i, name)) for name in told},
        "causes": [to_json(c) for c in i.causes[:MOST_CAUSES]],
    }


def _suggestions(kpis: Sequence[Kpi], incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    """What the records themselves call attention to; each names the records that say so."""
    coverage = {p.id: p.figure for k in kpis if k.id == "monitoring_coverage" for p in k.parts}
    blind = coverage["unmonitored"].records if "unmonitored" in coverage else ()
    found: list[tuple[str, Sequence[str]]] = [
        ("Models in scope and live that were not measured lately: find out why", blind),
        (
            "Incidents that came again, or were reopened: their causes are not mended",
            [i.id for i in incidents if i.reopenings or i.recurrence_of is not None],
        ),
        (
            "Incidents that nobody has acknowledged: name who takes charge of them",
            [i.id for i in incidents if i.acknowledged_at is None],
        ),
        (
            "Incidents resolved but not closed: give them a disposition and a root cause",
            [i.id for i in incidents if i.resolved_at is not None and i.closed_at is None],
        ),
    ]
    return [{"text": text, "records": list(records)} for text, records in found if records]
