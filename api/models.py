"""Models: declare, list, read; their points."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from api.access import Vigil, needs
from api.body import read_body
from api.openapi import errors
from api.windows import Instant, utc
from monitor import queries
from monitor.access import Principal
from monitor.app import App
from monitor.errors import InvalidInput
from monitor.log.port import Declaration
from monitor.model import parse_declaration
from monitor.times import from_micros, to_micros

router = APIRouter(prefix="/v1", tags=["models"], responses=errors(401, 403, 422))

Reader = Annotated[Principal, needs("read")]
Admin = Annotated[Principal, needs("admin")]
MAX_DECLARATION = 256 * 1024

_EXAMPLE = {
    "model": "census-employment",
    "task": "binary_classification",
    "features": {"AGEP": "numeric", "SCHL": "categorical"},
    "favourable": 1,
    "protected_attributes": {"SEX": {"reference_group": 1}},
    "label_delay": "90d",
}
_OBJECT = {"type": "object"}
_DECLARATION = {
    "requestBody": {
        "required": True,
        "description": "The declaration; docs/models.md has every key",
        "content": {
            "application/json": {"schema": _OBJECT, "example": _EXAMPLE},
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}


@router.put(
    "/models/{model}",
    openapi_extra=_DECLARATION,
    responses={
        201: {"description": "Declared for the first time", "content": {"application/json": {"schema": _OBJECT}}},
        **errors(400, 409, 415),
    },
)
async def put_model(vigil: Vigil, request: Request, model: str, who: Admin) -> JSONResponse:
    """Declare a model, in YAML or JSON. The same declaration again changes nothing; another is its next version."""
    body = await read_body(request, MAX_DECLARATION)
    media = request.headers.get("content-type", "")
    return await asyncio.to_thread(_declare, vigil, model, body, media, who)


def _declare(vigil: App, model: str, body: bytes, media: str, who: Principal) -> JSONResponse:
    spec = parse_declaration(body, "yaml" if "yaml" in media else "json")
    if spec.model != model:
        raise InvalidInput(f"the declaration is of '{spec.model}' and the path says '{model}'", "Make them agree")
    before = vigil.log.declaration(model)
    declaration = vigil.declare(spec, who.owner)
    return JSONResponse(_shown(declaration), 201 if before is None else 200)


@router.get("/models")
def list_models(vigil: Vigil, who: Reader) -> dict[str, Any]:
    """Every model that the key may see, with where its data stand."""
    names = [m for m in vigil.log.models() if who.models is None or m in who.models]
    return {"models": [_status(vigil, name) for name in names]}


@router.get("/models/{model}", responses=errors(404))
def get_model(vigil: Vigil, model: str, _who: Reader) -> dict[str, Any]:
    """A model's declaration in force, and where its data stand."""
    declaration, _ = vigil.intake.declared(model)
    return {**_shown(declaration), **_status(vigil, model)}


@router.get("/models/{model}/points", responses=errors(404))
def get_points(
    vigil: Vigil,
    model: str,
    _who: Reader,
    metric: str | None = None,
    scope: str | None = None,
    start: Annotated[Instant | None, Query(alias="from")] = None,
    to: Instant | None = None,
    cursor: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    revisions: bool = False,
) -> dict[str, Any]:
    """Metric points with their verdicts. ``next`` is the ``cursor`` of the next page."""
    state = vigil.model_state(model)
    if state is None:
        vigil.intake.declared(model)
        return {"points": [], "next": None}
    page, following = vigil.ask(
        queries.find_points,
        state.id,
        None if state.reference is None else vigil.spec(model, state.declaration).reference,
        metric=metric,
        scope=scope,
        start=None if start is None else to_micros(utc(start)),
        end=None if to is None else to_micros(utc(to)),
        after=cursor,
        limit=limit,
        revisions=revisions,
    )
    return {"points": page, "next": following}


def _shown(declaration: Declaration) -> dict[str, Any]:
    return {
        "model": declaration.model,
        "version": declaration.version,
        "declared_at": from_micros(declaration.at).isoformat(),
        "declared_by": declaration.by,
        "declaration": declaration.body,
    }


def _status(vigil: App, model: str) -> dict[str, Any]:
    state = vigil.model_state(model)
    behind = vigil.log.rows_after(model, 0 if state is None else state.cursor)
    return {
        "model": model,
        "counts": {} if state is None else state.counts,
        "rows_to_fold": behind,
        "reference": state is not None and state.reference is not None,
        "clock": None if state is None or not state.clock else from_micros(state.clock).isoformat(),
        "event_clock": state is not None and state.event_clock,
        "features": {} if state is None else state.features,
    }
