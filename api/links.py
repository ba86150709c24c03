"""Where an incident leads: the calls that say more of its window, and the one that it takes to close a disparity."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote, urlencode

from incidents.incident import Incident
from incidents.verdict import Evidence, Kind
from incidents.wire import rfc3339
from monitor.equivalence import has_equivalence


def links(incident: Incident) -> dict[str, str]:
    """Paths by name: ``report`` of the latest window that breached; ``explanation`` of it, where features or scores
    moved; ``equivalence`` of the disparity, over the first clean window where there is one already."""
    if not incident.evidence:
        return {}
    latest = incident.evidence[-1]
    window = (latest.window_start, latest.window_end)
    found = {"report": _path(incident, "report", *window)}
    if incident.fingerprint.kind in (Kind.DRIFT, Kind.PERFORMANCE):
        found["explanation"] = _path(incident, "explanation", *window)
    if incident.fingerprint.kind is Kind.FAIRNESS and incident.fingerprint.attribute is not None:
        found |= _equivalence(incident, incident.fingerprint.attribute, latest)
    return found


def _equivalence(incident: Incident, attribute: str, latest: Evidence) -> dict[str, str]:
    """The test of the worst disparity of the latest window, with its monitor's limit as the margin."""
    for verdict in latest.verdicts:         # the worst first
        metric, limit = verdict["point"]["metric"], verdict.get("limit")
        if has_equivalence(metric) and limit is not None and 0 < limit < 1:
            start, end = latest.window_start, latest.window_end
            if incident.recovered_at is not None:
                start, end = incident.recovered_at - (end - start), incident.recovered_at
            asked = {"metric": metric, "attribute": attribute, "margin": f"{limit:g}"}
            return {"equivalence": _path(incident, "equivalence", start, end, **asked)}
    return {}


def _path(incident: Incident, question: str, start: datetime, end: datetime, **asked: str) -> str:
    query = urlencode({**asked, "from": rfc3339(start), "to": rfc3339(end)})
    return f"/v1/models/{quote(incident.fingerprint.model)}/{question}?{query}"
