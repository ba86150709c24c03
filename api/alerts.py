"""Alertmanager's webhook: alerts of other systems open incidents here, and resolve them.

An alert is taken for the model that its label ``model`` names. Vigil's own alerts are refused, or one that went out to
an Alertmanager would come back as an incident of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from api.access import Vigil, needs
from api.openapi import errors
from incidents.commands import Command, Comment, Open, Resolve, command_to_json
from incidents.events import Actor, ActorKind
from incidents.incident import Incident
from incidents.machine import DecisionReason
from incidents.verdict import Fingerprint, Kind, Severity
from monitor.access import Principal
from monitor.app import App
from monitor.errors import BeingRebuilt, Forbidden, InvalidInput, NotFound
from monitor.senders.channels.words import cut, one_line
from monitor.store import incidents as store
from monitor.worker.commands import Reason, Recorded, being_rebuilt

router = APIRouter(prefix="/v1", tags=["alerts"], responses=errors(400, 401, 403, 422))

Operator = Annotated[Principal, needs("operate")]
Refusal = Literal["own_alert", "no_such_model", "not_allowed"]

MOST_ALERTS = 1_000
MOST_TITLE = 300
MOST_COMMENT = 4_000
# What was recorded is carried out once the state of the model is made again.
_DONE: frozenset[Reason] = frozenset({DecisionReason.DONE, Recorded.RECORDED})
_OPENED = _DONE | {DecisionReason.RECURRENCE, DecisionReason.REOPENED_WITHIN_WINDOW, DecisionReason.GROUPED}
_SEVERITIES = {
    "critical": Severity.CRITICAL, "page": Severity.CRITICAL, "error": Severity.CRITICAL,
    "info": Severity.INFO, "none": Severity.INFO,
}  # fmt: skip
_Texts = Annotated[dict[str, str], Field(max_length=200)]


def _ended(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies beyond what a date can say; write the time") from None


def _instant(value: datetime) -> datetime:
    if value.year < 2000:
        raise ValueError("is before the year 2000; write when the alert began")
    return _ended(value)


class Alert(BaseModel):
    """One alert of the webhook; keys that are not read here may be there."""

    model_config = ConfigDict(extra="ignore")
    status: Literal["firing", "resolved"]
    labels: _Texts
    annotations: _Texts = {}
    startsAt: Annotated[AwareDatetime, AfterValidator(_instant)]
    endsAt: Annotated[AwareDatetime, AfterValidator(_ended)] | None = None
    generatorURL: str = ""
    fingerprint: Annotated[str, Field(pattern="^[0-9a-zA-Z_-]{1,64}$")]


class Alerts(BaseModel):
    """What Alertmanager sends, version 4."""

    model_config = ConfigDict(extra="ignore")
    version: Literal["4"]
    alerts: Annotated[list[Alert], Field(max_length=MOST_ALERTS)]


@router.post("/alerts")
def take_alerts(vigil: Vigil, who: Operator, body: Alerts) -> dict[str, Any]:
    """Open an incident for each alert that fires, and resolve it when the alert is over. What was said before changes
    nothing. Answers how many were opened, added to a live incident and resolved, and lists what was refused; 422 where
    nothing was taken."""
    counts, refused = {"opened": 0, "added": 0, "resolved": 0}, []
    for alert in body.alerts:
        reason = _refusal(vigil, who, alert)
        if reason is not None:
            refused.append({"fingerprint": alert.fingerprint, "reason": reason})
        elif (became := _take(vigil, who, alert)) is not None:
            counts[became] += 1
    if refused and len(refused) == len(body.alerts):
        reasons = ", ".join(sorted({r["reason"] for r in refused}))
        raise InvalidInput(
            f"none of {len(refused)} alerts could be taken: {reasons}",
            "Give alerts a label 'model' with a declared model's name, and route Vigil's own elsewhere",
        )
    return {**counts, "refused": refused}


def _refusal(vigil: App, who: Principal, alert: Alert) -> Refusal | None:
    labels, own = alert.labels, vigil.settings.public_url.rstrip("/")
    if "vigil_incident" in labels or labels.get("vigil") == "true":
        return "own_alert"
    if own and (alert.generatorURL == own or alert.generatorURL.startswith(f"{own}/")):
        return "own_alert"
    try:
        vigil.intake.declared(labels.get("model", ""))
        who.require("operate", labels["model"])
    except NotFound:
        return "no_such_model"
    except Forbidden:
        return "not_allowed"
    return None


def _take(vigil: App, who: Principal, alert: Alert) -> Literal["opened", "added", "resolved"] | None:
    """What an alert became; ``None`` where it says nothing new."""
    model = alert.labels["model"]
    fingerprint = Fingerprint(model, _kind(alert), key=alert.fingerprint)
    found: Incident | None = vigil.ask(store.latest, fingerprint)
    live = found if found is not None and found.is_live else None
    actor = Actor(f"alertmanager:{who.owner}", ActorKind.RULE)

    def act(incident: str, command: Command) -> Reason:
        return vigil.worker.command(model, incident, command_to_json(command), actor)

    if alert.status == "resolved":
        if live is None and being_rebuilt(vigil.log, vigil.state, model):
            raise BeingRebuilt(f"the incidents of '{model}' are being made again", "Send it again later")
        if live is None or live.fingerprint != fingerprint:
            return None     # over already, or a part of an incident that has other causes to be open
        ended = None if alert.endsAt is None else max(min(alert.endsAt, vigil.now()), live.started_at)
        done = act(live.id, Resolve("resolved, says Alertmanager", ended)) in _DONE
        return "resolved" if done else None
    if live is not None and live.severity >= _severity(alert):
        return None     # Alertmanager repeats what fires: that is no news, and leaves no trace in the log
    title = cut(one_line(alert.annotations.get("summary", "")) or _name(alert), MOST_TITLE)
    reason = act("", Open(fingerprint, _severity(alert), title, alert.startsAt))
    if reason not in _OPENED:
        return "added" if reason is DecisionReason.DEDUPLICATED else None
    opened: Incident | None = vigil.ask(store.latest, fingerprint)
    if opened is not None:
        act(opened.id, Comment(_said(alert)))
    return "opened"


def _kind(alert: Alert) -> Kind:
    """Another system's alerts are about the service, unless they say that they are not."""
    said = alert.labels.get("vigil_kind", "")
    return Kind(said) if said in frozenset(Kind) else Kind.SERVICE


def _severity(alert: Alert) -> Severity:
    return _SEVERITIES.get(alert.labels.get("severity", "").lower(), Severity.WARNING)


def _name(alert: Alert) -> str:
    return one_line(alert.labels.get("alertname", "")) or "An alert without a name"


def _said(alert: Alert) -> str:
    """What the alert says beside its summary, for the incident's timeline."""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    lines = [f"Alertmanager: {_name(alert)}", alert.annotations.get("description", ""), labels, alert.generatorURL]
    return cut("\n".join(one_line(line) for line in lines if line.strip()), MOST_COMMENT)
