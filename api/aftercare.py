"""What may be done to an incident beside its life: merging, re-tests, accepted risks, second persons, authorities."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.access import Vigil, needs
from api.acting import Acted, act
from api.instants import Moment
from api.openapi import errors
from api.texts import BARE, Remark, some
from api.windows import window_of
from incidents.care import AcceptRisk, Approve, ClearSerious, Decline, MarkSerious, Merge, RecordReport
from incidents.countdowns import steps_of
from incidents.machine import DecisionReason
from monitor.access import Principal
from monitor.app import App
from monitor.errors import InvalidInput
from monitor.retest import measure_again

router = APIRouter(prefix="/v1", tags=["incidents"], responses=errors(400, 401, 403, 404, 422))

Operator = Annotated[Principal, needs("operate")]
Approver = Annotated[Principal, needs("approve")]
Why = Annotated[str, some(4000), BARE]
Name = Annotated[str, some(128), BARE]
Number = Annotated[int, Field(ge=1, le=1_000_000)]


def _shown(**example: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})


class Into(BaseModel):
    model_config = _shown(into="inc_5d1f0a7be2c94433", note="the same late table")
    into: Annotated[str, some(64), BARE]
    note: Remark = ""


class Span(BaseModel):
    """The window of a re-test: both ends on the model's grain, behind the last window that breached."""

    model_config = _shown(**{"from": "2026-07-08", "to": "2026-07-15"})
    start: Annotated[Moment, Field(alias="from")]
    to: Moment


class Risk(BaseModel):
    model_config = _shown(why="the retrained model ships in October", expires_at="2026-10-31")
    why: Why
    expires_at: Moment


class Word(BaseModel):
    model_config = _shown(number=1, note="I looked at the rows too")
    number: Number
    note: Remark = ""


class Candidate(BaseModel):
    """Which reports it may need: the regimes a person picks, each with its clocks."""

    model_config = _shown(category="other", regimes=["eu_ai_act", "gdpr"], aware_at="2026-07-08T09:30:00Z")
    category: Name = "other"
    regimes: Annotated[list[Name], Field(min_length=1, max_length=10)]
    aware_at: Moment
    classified_at: Moment | None = None
    note: Remark = ""


class Filed(BaseModel):
    model_config = _shown(regime="gdpr", deadline="notification", at="2026-07-09T16:00:00Z", reference="CNIL-4711")
    regime: Name
    deadline: Name
    at: Moment
    reference: Annotated[str, Field(max_length=200)] = ""


class Reason(BaseModel):
    model_config = _shown(why="no person was affected: the rows were a load test")
    why: Why


@router.post("/incidents/{incident_id}/merge")
def merge(vigil: Vigil, incident_id: str, who: Operator, body: Into) -> dict[str, Any]:
    """It has the same cause as another live incident of the model, and goes on in that. Needs a person's key."""
    return act(vigil, who, incident_id, Merge(body.into, body.note)).answer()


@router.post("/incidents/{incident_id}/retest", responses=errors(409))
def retest(vigil: Vigil, incident_id: str, who: Operator, body: Span) -> dict[str, Any]:
    """Measure again what its limits are about, over a window behind the last that breached, and record whether each
    whole interval lies within the limit that was in force when it opened. A bias finding needs that, or an accepted
    risk, to be closed."""
    return retest_again(vigil, who, incident_id, body).answer()


@router.post("/incidents/{incident_id}/accept-risk")
def accept_risk(vigil: Vigil, incident_id: str, who: Operator, body: Risk) -> dict[str, Any]:
    """Propose to bear a bias finding until a day. Needs a person's key, and a second person's approval."""
    return act(vigil, who, incident_id, AcceptRisk(body.why, body.expires_at)).answer()


@router.post("/incidents/{incident_id}/approve")
def approve(vigil: Vigil, incident_id: str, who: Approver, body: Word) -> dict[str, Any]:
    """Let what another person proposed be carried out. Needs a person's key that may `approve`."""
    return act(vigil, who, incident_id, Approve(body.number, body.note)).answer()


@router.post("/incidents/{incident_id}/decline")
def decline(vigil: Vigil, incident_id: str, who: Operator, body: Word) -> dict[str, Any]:
    """Say that a proposal is not to be carried out; who proposed it takes it back so. Needs a person's key."""
    return act(vigil, who, incident_id, Decline(body.number, body.note)).answer()


@router.post("/incidents/{incident_id}/serious")
def serious(vigil: Vigil, incident_id: str, who: Operator, body: Candidate) -> dict[str, Any]:
    """Mark it as a candidate for a report to an authority, and start the clocks of the regimes (`eu_ai_act`, `gdpr`,
    `dora`). Vigil files nothing. Said again with `classified_at`, it adds that. Needs a person's key."""
    return act(vigil, who, incident_id, candidate(body)).answer()


@router.post("/incidents/{incident_id}/report")
def report(vigil: Vigil, incident_id: str, who: Operator, body: Filed) -> dict[str, Any]:
    """Record that a report was filed, elsewhere: it ends that deadline's clock. Needs a person's key."""
    return act(vigil, who, incident_id, RecordReport(body.regime, body.deadline, body.at, body.reference)).answer()


@router.post("/incidents/{incident_id}/clear-serious")
def clear_serious(vigil: Vigil, incident_id: str, who: Operator, body: Reason) -> dict[str, Any]:
    """Propose that it is no candidate after all. Needs a person's key, and a second person's approval."""
    return act(vigil, who, incident_id, ClearSerious(body.why)).answer()


def retest_again(vigil: App, who: Principal, incident_id: str, span: Span) -> Acted:
    """Record a re-test of each limit that an incident holds; the last reason where none said anything new."""
    incident = vigil.incident(incident_id)
    model = incident.fingerprint.model
    who.require("operate", model)
    acted = Acted(DecisionReason.RETEST_OF_ANOTHER, incident)
    if not incident.limits:
        return acted
    state, watch, start, end = window_of(vigil, model, span.start, span.to)
    for command in vigil.ask(measure_again, state, watch, incident.limits, start, end):
        done = act(vigil, who, incident_id, command)
        acted = done if done.changed or not acted.changed else Acted(acted.reason, done.incident)
    return acted


def candidate(body: Candidate) -> MarkSerious:
    """The command, with the steps of the presets copied in."""
    try:
        steps = steps_of(body.category, body.regimes)
    except ValueError as error:
        raise InvalidInput(str(error), "Pick regimes and a category that are there") from None
    return MarkSerious(body.category, steps, body.aware_at, body.classified_at, body.note)
