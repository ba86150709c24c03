"""PagerDuty's signed webhooks (v3): what a person acknowledges or resolves there is that person's doing here.

A webhook that comes twice changes nothing: the machine finds it done. What a machine does there is noted, and no more:
only a person takes charge of an incident.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from api.access import Vigil
from api.openapi import errors
from incidents.commands import Acknowledge, Command, Comment, Resolve, command_to_json
from incidents.events import Actor, ActorKind, Event
from incidents.incident import Incident
from monitor.app import App
from monitor.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from monitor.people.roles import scopes
from monitor.senders.channels.signing import is_signed
from monitor.senders.channels.words import one_line
from monitor.store import incidents as store

router = APIRouter(prefix="/v1", tags=["alerts"])

ACKNOWLEDGED, RESOLVED = "incident.acknowledged", "incident.resolved"
PERSON = "user_reference"
NOTE = "in PagerDuty"
_SECRETS = "Set VIGIL_PAGERDUTY_SECRETS to the secret that PagerDuty gave for this webhook"


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Agent(_Read):
    """Who did it there."""

    id: Annotated[str, Field(max_length=64)] = ""
    type: Annotated[str, Field(max_length=64)] = ""
    summary: Annotated[str | None, Field(max_length=1000)] = None


class Data(_Read):
    incident_key: Annotated[str | None, Field(max_length=255)] = None


class Happened(_Read):
    id: Annotated[str, Field(max_length=64)] = ""
    event_type: Annotated[str, Field(max_length=128)]
    occurred_at: AwareDatetime
    agent: Agent | None = None
    data: Data = Data()


class Webhook(_Read):
    event: Happened


# The body is read as its bytes, which are signed.
_SENT = {"required": True, "content": {"application/json": {"schema": {"type": "object", "required": ["event"]}}}}
Signature = Annotated[str, Header(alias="X-PagerDuty-Signature", max_length=2_000)]


@router.post("/pagerduty", responses=errors(400, 401, 403, 422), openapi_extra={"requestBody": _SENT})
async def take_webhook(request: Request, vigil: Vigil, signature: Signature = "") -> dict[str, str]:
    """A webhook of PagerDuty, signed in `X-PagerDuty-Signature` under one of `VIGIL_PAGERDUTY_SECRETS`; it needs no
    key. Answers what came of it; what is not read here is answered `ignored`."""
    body = await request.body()
    secrets = [s.strip() for s in vigil.settings.pagerduty_secrets.split(",") if s.strip()]
    if not secrets:
        raise Forbidden("PagerDuty's webhooks are not taken here", _SECRETS)
    if not is_signed(signature, secrets, body):
        raise Unauthenticated("the signature is not PagerDuty's", _SECRETS)
    try:
        event = Webhook.model_validate_json(body).event
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the body"
        raise InvalidInput(f"{where}: {fault['msg']}", "Subscribe with version 3 of PagerDuty's webhooks") from None
    return {"reason": await run_in_threadpool(_take, vigil, event)}


def _take(vigil: App, event: Happened) -> str:
    if event.event_type not in (ACKNOWLEDGED, RESOLVED):
        return "ignored"
    try:
        incident = vigil.incident(event.data.incident_key or "")
    except NotFound:        # while it is being made again it is 503, and PagerDuty sends it again
        return "no_such_incident"
    agent = event.agent or Agent()
    if agent.type == PERSON:
        command: Command = (
            Acknowledge(NOTE, event.occurred_at) if event.event_type == ACKNOWLEDGED else Resolve(NOTE)
        )
        person = _person(vigil, agent, incident)
        return "not_allowed" if person is None else _act(vigil, incident, command, Actor(person, ActorKind.PERSON))
    if not incident.is_live:
        return "already_resolved"       # most often our own resolving, which comes back
    done = event.event_type.removeprefix("incident.")
    by = one_line(agent.summary or agent.type or "a machine")[:200]
    text = f"{done} in PagerDuty by {by}, which is no person (event {one_line(event.id)})"
    events: list[Event] = vigil.ask(store.events, incident.id)
    if any(e.data.get("text") == text for e in events):
        return "already_recorded"
    return _act(vigil, incident, Comment(text), Actor("pagerduty", ActorKind.MACHINE))


def _act(vigil: App, incident: Incident, command: Command, actor: Actor) -> str:
    return vigil.worker.command(incident.fingerprint.model, incident.id, command_to_json(command), actor).value


def _person(vigil: App, agent: Agent, incident: Incident) -> str | None:
    """The account of PagerDuty's user, or, where there is none, the user by PagerDuty's own id; ``None`` where the
    account's role or models do not let it act here."""
    account = vigil.people.by_pagerduty(agent.id) if agent.id else None
    if account is None:
        return f"pagerduty:{agent.id}"
    mine = account.models is None or incident.fingerprint.model in account.models
    return account.name if mine and {"operate", "admin"} & scopes(account) else None
