"""Erasures: a person's right. Asked for by an administrator, carried out by the worker, recorded without the name."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.access import Vigil, needs
from api.openapi import errors
from api.texts import BARE, some
from monitor.access import Principal
from monitor.errors import InvalidInput
from monitor.log.erasures import Of

router = APIRouter(prefix="/v1", tags=["erasures"], responses=errors(401, 403, 404, 422))

Admin = Annotated[Principal, needs("admin")]
_SHORT = 1_024      # as long as a row's own subject_key may be


class Asked(BaseModel):
    """Whose rows, or which prediction: one of the two. What is sent here is kept nowhere but as a keyed hash."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={
        "example": {"subject_key": "pseudonym-of-the-person", "reason": "request of 3 March, ticket 4711"},
    })  # fmt: skip
    subject_key: str | None = Field(None, min_length=1, max_length=_SHORT)
    prediction_id: str | None = Field(None, min_length=1, max_length=128)
    reason: Annotated[str, some(4_000), BARE]


@router.post("/models/{model}/erasures", status_code=202, responses=errors(400))
def post_erasure(vigil: Vigil, model: str, asked: Asked, who: Admin) -> dict[str, Any]:
    """Erase what is held of a person, or of a prediction, up to now. 202 once the request is recorded; the worker
    carries it out when the rows that are there are folded. Needs a person's key."""
    who.require_person()
    named: list[tuple[Of, str | None]] = [("subject", asked.subject_key), ("prediction", asked.prediction_id)]
    found = [(of, name) for of, name in named if name is not None]
    if len(found) != 1:
        raise InvalidInput("an erasure is of a subject_key or of a prediction_id", "Send one of the two")
    of, name = found[0]
    return vigil.ask_erasure(model, of, name, who.owner, asked.reason).as_dict()


@router.get("/models/{model}/erasures")
def get_erasures(vigil: Vigil, model: str, _who: Admin) -> dict[str, Any]:
    """What was erased, oldest first: when, by whom, why, and how many rows."""
    return {"erasures": [erasure.as_dict() for erasure in vigil.erasures(model)]}
