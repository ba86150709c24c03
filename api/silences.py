"""Silences and maintenance windows: for so long nobody is called. Each is made, shortened and approved by a person."""

from __future__ import annotations

from datetime import timedelta
from secrets import token_hex
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access import Vigil, needs
from api.instants import Moment
from api.openapi import errors
from api.texts import BARE, some
from incidents.silences import MATCHERS, Silence, shortened
from monitor.access import Principal
from monitor.database import writing
from monitor.errors import Conflict, Forbidden, InvalidInput, NotFound
from monitor.log import audit, silences
from monitor.log.silences import Kept
from monitor.times import to_micros

router = APIRouter(prefix="/v1", tags=["silences"], responses=errors(401, 403, 422))

Reader = Annotated[Principal, needs("read")]
Operator = Annotated[Principal, needs("operate")]
When = Literal["coming", "on", "over"]
Kind = Literal["silence", "maintenance"]
NOTICE = timedelta(hours=24)        # before its start a maintenance window is asked for and approved, to be planned
LONGEST = timedelta(days=366)

_Value = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f]+$")]
_Id = Annotated[str, Path(pattern="^[0-9a-z_]{1,32}$")]
_WITHOUT_NUL = AfterValidator(lambda text: text.replace("\0", ""))      # which PostgreSQL does not store


class Asked(BaseModel):
    """For which incidents: each of the matchers has the value that the incident has."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {
        "matchers": {"model": "credit", "kind": "drift"}, "starts_at": "2026-08-01T10:00:00Z",
        "ends_at": "2026-08-01T12:00:00Z", "why": "new feature pipeline, ticket 4711",
    }})  # fmt: skip
    matchers: Annotated[dict[Literal["model", "kind", "severity", "attribute", "segment", "incident"], _Value],
                        Field(min_length=1, max_length=len(MATCHERS))]  # fmt: skip
    starts_at: Moment | None = None
    ends_at: Moment
    why: Annotated[str, some(4000), BARE, _WITHOUT_NUL]


class Ended(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: Moment | None = None


@router.post("/silences", status_code=201, responses=errors(400))
def silence(vigil: Vigil, who: Operator, body: Asked) -> dict[str, Any]:
    """Hold what would call somebody about the incidents that match, from now or `starts_at` to `ends_at`; what is
    still open then is told. Incidents open all the same. Needs a person's key."""
    return _made(vigil, who, body, "silence")


@router.get("/silences")
def list_silences(
    vigil: Vigil, who: Reader, state: When | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """Silences, the latest start first: `coming`, `on` or `over`."""
    return {"silences": _listed(vigil, who, "silence", state, limit)}


@router.post("/silences/{silence_id}/end", responses=errors(400, 404))
def end_silence(vigil: Vigil, who: Operator, silence_id: _Id, body: Ended | None = None) -> dict[str, Any]:
    """End a silence now, or at an earlier time than it has: it never becomes longer. Needs a person's key."""
    return _ended(vigil, who, silence_id, "silence", body)


@router.post("/maintenance-windows", status_code=201, responses=errors(400))
def maintenance(vigil: Vigil, who: Operator, body: Asked) -> dict[str, Any]:
    """Ask for a maintenance window: it holds calls as a silence does. It counts as planned where another person
    approves it before it begins, and it was asked for a day ahead. Needs a person's key."""
    return _made(vigil, who, body, "maintenance")


@router.get("/maintenance-windows")
def list_maintenance(
    vigil: Vigil, who: Reader, state: When | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """Maintenance windows, the latest start first: `coming`, `on` or `over`."""
    return {"maintenance_windows": _listed(vigil, who, "maintenance", state, limit)}


@router.post("/maintenance-windows/{window_id}/end", responses=errors(400, 404))
def end_maintenance(vigil: Vigil, who: Operator, window_id: _Id, body: Ended | None = None) -> dict[str, Any]:
    """End a maintenance window now, or at an earlier time than it has. Needs a person's key."""
    return _ended(vigil, who, window_id, "maintenance", body)


@router.post("/maintenance-windows/{window_id}/approve", responses=errors(400, 404, 409))
def approve(vigil: Vigil, who: Operator, window_id: _Id) -> dict[str, Any]:
    """Approve a maintenance window that another person asked for. Needs a person's key."""
    who.require_person()
    now = to_micros(vigil.now())
    with writing(vigil.log.engine) as db:
        found = _found(silences.find(db, window_id), who, window_id, "maintenance")
        if found.silence.by == who.owner:
            raise Forbidden("who asked for a maintenance window does not approve it", "Ask another person to")
        if found.approved_by is not None:
            raise Conflict(f"it is approved, by {found.approved_by}", "Nothing is left to do")
        starts = to_micros(found.silence.starts_at)
        ahead = found.created_at + NOTICE // timedelta(microseconds=1) <= starts
        silences.approve(db, window_id, who.owner, now, planned=ahead and now < starts)
        approved = silences.find(db, window_id)
        assert approved is not None, "it was there, within the same transaction"
        _note(db, now, who, "maintenance.approve", window_id, found.as_dict(now), approved.as_dict(now))
    return approved.as_dict(now)


def _made(vigil: Vigil, who: Principal, body: Asked, kind: Kind) -> dict[str, Any]:
    who.require_person()
    who.require("operate", body.matchers.get("model"))
    if who.models is not None and "model" not in body.matchers:
        raise Forbidden("a silence without a model is for all of them, and yours are named", "Add the matcher 'model'")
    now = vigil.now()
    starts = max(now, body.starts_at or now)
    if not timedelta() < body.ends_at - starts <= LONGEST:
        raise InvalidInput("'ends_at' does not lie within a year after now and 'starts_at'", "Send another 'ends_at'")
    matchers: dict[str, str] = {str(name): value for name, value in body.matchers.items()}
    made = Silence(f"sil_{token_hex(8)}", kind, matchers, starts, body.ends_at, who.owner, body.why)
    at = to_micros(now)
    with writing(vigil.log.engine) as db:
        silences.add(db, made, at)
        kept = Kept(made, at, None, False).as_dict(at)
        _note(db, at, who, f"{kind}.create", made.id, None, kept)
    return kept


def _ended(vigil: Vigil, who: Principal, id: str, kind: Kind, body: Ended | None) -> dict[str, Any]:
    who.require_person()
    now = vigil.now()
    at = now if body is None or body.at is None else max(now, body.at)
    with writing(vigil.log.engine) as db:
        found = _found(silences.find(db, id), who, id, kind)
        short = shortened(found.silence, at)
        after = Kept(short, found.created_at, found.approved_by, found.planned)
        if short.ends_at != found.silence.ends_at:
            silences.end(db, short)
            micros = to_micros(now)
            _note(db, micros, who, f"{kind}.end", id, found.as_dict(micros), after.as_dict(micros))
    return after.as_dict(to_micros(now))


def _found(found: Kept | None, who: Principal, id: str, kind: Kind) -> Kept:
    if found is None or found.silence.kind != kind or not _sees(who, found):
        raise NotFound(f"there is no {kind} '{id}'", "Their list names them")
    if who.models is not None and "model" not in found.silence.matchers:
        raise Forbidden("this one is for all models, and yours are named", "Ask somebody who has all of them")
    return found


def _listed(vigil: Vigil, who: Principal, kind: Kind, state: When | None, limit: int) -> list[dict[str, Any]]:
    now = to_micros(vigil.now())
    models = None if who.models is None else sorted(who.models)
    found: list[Kept] = vigil.ask_log(silences.listed, kind, state, now, limit, models)
    return [kept.as_dict(now) for kept in found]


def _sees(who: Principal, kept: Kept) -> bool:
    model = kept.silence.matchers.get("model")
    return model is None or who.models is None or model in who.models


def _note(db: Any, at: int, who: Principal, what: str, id: str, before: Any, after: Any) -> None:
    audit.note(db, at, {"id": who.owner, "kind": who.kind}, what, id, before, after, "api")
