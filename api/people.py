"""People: who has an account, with which role; for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api.access import Vigil
from api.forms import Administrator, require_own_hand
from api.openapi import errors
from api.texts import BARE, some
from incidents.wire import rfc3339
from monitor.log.people import Account
from monitor.people.accounts import New
from monitor.people.roles import Role
from monitor.times import from_micros

router = APIRouter(prefix="/v1", tags=["people"], responses=errors(401, 403, 422))

_Model = Annotated[str, Field(min_length=1, max_length=64)]
_Models = Annotated[list[_Model], Field(max_length=1_000, description="Only these models; all where it is null.")]


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, some(128), BARE]
    role: Role
    email: str | None = Field(None, max_length=254)
    models: _Models | None = None
    sensitive: StrictBool = Field(False, description="Whether the person may read rows with protected attributes.")


class Changes(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    role: Role | None = None
    email: str | None = Field(None, max_length=254)
    models: _Models | None = None
    sensitive: StrictBool | None = None
    pagerduty_id: str | None = Field(None, max_length=64)
    disabled: StrictBool | None = None


@router.get("/people")
def list_people(vigil: Vigil, who: Administrator) -> dict[str, Any]:
    """Everybody who has an account, in the order of names, and when they were last seen. Needs an administrator of all
    models."""
    who.require_administrator()
    return {"people": [shown(account, seen) for account, seen in vigil.people.list()]}


@router.post("/people", status_code=201, responses=errors(400, 409))
def create_person(vigil: Vigil, who: Administrator, body: Person) -> dict[str, Any]:
    """Make an account. The answer has a first password, which is shown once and nowhere kept. Needs a person who is an
    administrator of all models."""
    require_own_hand(who)
    models = None if body.models is None else frozenset(body.models)
    new = New(body.name, body.role, body.email, models, body.sensitive)
    account, password = vigil.people.create(new, who.author("api"))
    return {**shown(account, None), "password": password}


@router.patch("/people/{id}", responses=errors(400, 404, 409))
def change_person(vigil: Vigil, who: Administrator, id: str, body: Changes) -> dict[str, Any]:
    """Change what a person may do, or end the account. Another role, other models and an end sign the person out
    everywhere. Needs a person who is an administrator of all models."""
    require_own_hand(who)
    given = body.model_dump(exclude_unset=True)
    changes = {k: v for k, v in given.items() if v is not None or k in ("email", "models", "pagerduty_id")}
    return shown(vigil.people.change(id, changes, who.author("api")), None)


def shown(account: Account, seen: int | None) -> dict[str, Any]:
    """An account as it is shown: without the hash of its password."""
    return {
        "id": account.id,
        "name": account.name,
        **account.rights,
        "signs_in": account.issuer or ("password" if account.password else None),
        "created_at": rfc3339(from_micros(account.created_at)),
        "seen_at": None if seen is None else rfc3339(from_micros(seen)),
    }
