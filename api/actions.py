"""Corrective actions: what was planned so that an incident does not come again, until when, and whether it worked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, StrictBool

from api.access import Vigil, needs
from api.acting import act
from api.instants import Moment
from api.openapi import errors
from api.texts import BARE, Remark, some
from incidents.care import CheckAction, CompleteAction, PlanAction
from monitor.access import Principal
from monitor.errors import InvalidInput
from monitor.views.actions import corrective

router = APIRouter(prefix="/v1", tags=["incidents"], responses=errors(401, 403, 422))
_ERRORS = errors(400, 404)

Reader = Annotated[Principal, needs("read")]
Operator = Annotated[Principal, needs("operate")]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
Due = Literal["overdue", "open", "done", "all"]


class Planned(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {
        "what": "alert on a recoded RELP upstream", "owner": "ana", "due_at": "2026-08-01", "check_at": "2026-09-01",
    }})  # fmt: skip
    what: Annotated[str, some(4000), BARE]
    owner: Annotated[str, some(128), BARE]
    due_at: Moment
    check_at: Moment


class Completed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    note: Remark = ""


class Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"effective": True, "note": "no breach"}})
    effective: StrictBool
    note: Remark = ""


@router.get("/corrective-actions")
def list_actions(vigil: Vigil, who: Reader, state: Due = "all", owner: str | None = None) -> dict[str, Any]:
    """Corrective actions of the latest 1,000 incidents, what is due first. `open` waits to be done or to be checked,
    `overdue` should have been."""
    return {"actions": [row.as_dict() for row in vigil.ask(corrective, who.models, vigil.now(), state, owner)]}


@router.post("/incidents/{incident_id}/actions", responses=_ERRORS)
def plan(vigil: Vigil, incident_id: str, who: Operator, body: Planned) -> dict[str, Any]:
    """Plan a corrective action: what, by whom, until when, and when somebody looks whether it worked. A closed incident
    takes one too. Needs a person's key."""
    return act(vigil, who, incident_id, planned(body)).answer()


@router.post("/incidents/{incident_id}/actions/{number}/complete", responses=_ERRORS)
def complete(
    vigil: Vigil, incident_id: str, number: Number, who: Operator, body: Completed | None = None
) -> dict[str, Any]:
    """Say that it is done. Needs a person's key."""
    return act(vigil, who, incident_id, CompleteAction(number, "" if body is None else body.note)).answer()


@router.post("/incidents/{incident_id}/actions/{number}/check", responses=_ERRORS)
def check(vigil: Vigil, incident_id: str, number: Number, who: Operator, body: Checked) -> dict[str, Any]:
    """Say whether a completed action was effective; said again otherwise, it is corrected. Needs a person's key."""
    return act(vigil, who, incident_id, CheckAction(number, body.effective, body.note)).answer()


def planned(body: Planned) -> PlanAction:
    try:
        return PlanAction(body.what, body.owner, body.due_at, body.check_at)
    except ValueError as error:
        raise InvalidInput(str(error), "Check it on the day it is due, or later") from None
