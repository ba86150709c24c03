"""Ingest: predictions, outcomes and reference data, answered once they are durable."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse

from api.access import Vigil, needs
from api.body import read_body
from api.openapi import errors
from monitor.access import Principal
from monitor.batch import Kind
from monitor.codecs import FORMATS
from monitor.errors import NotFound
from monitor.queries import batch_result
from monitor.times import from_micros

router = APIRouter(prefix="/v1", tags=["ingest"], responses=errors(401, 403, 404, 422))
_ERRORS = errors(400, 409, 413, 415, 429, 503)

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=128)]
Ingester = Annotated[Principal, needs("ingest")]
Reader = Annotated[Principal, needs("read")]

_ROW = {
    "predictions": {
        "prediction_id": "ma-068785",
        "timestamp": "2016-01-01T00:00:00Z",
        "model_version": "lightgbm-2014",
        "features": {"AGEP": 46, "SCHL": "21"},
        "prediction_score": 0.9488,
        "protected": {"SEX": "1"},
    },
    "outcomes": {"prediction_id": "ma-068785", "timestamp": "2016-02-20T00:00:00Z", "actual_label": 1},
}
_ROW["reference"] = {**_ROW["predictions"], "actual_label": 1}


def _described(kind: str) -> dict[str, Any]:
    """The request body as OpenAPI shows it: the bytes are read by a codec, not by a schema."""
    columns = {"columns": {k: [v] for k, v in _ROW[kind].items() if not isinstance(v, dict)}}
    examples = {
        "rows": {"summary": "Rows", "value": {"rows": [_ROW[kind]]}},
        "columns": {"summary": "Columns", "value": columns},
    }
    content: dict[str, Any] = {media: {"schema": {"type": "string", "format": "binary"}} for media in FORMATS}
    content["application/json"] = {"schema": {"type": ["object", "array"]}, "examples": examples}
    envelope = [
        {"name": n, "in": "query", "required": False, "schema": {"type": "string"}, "description": d}
        for n, d in (
            ("clock", "`event` marks a replay or backfill"),
            ("source", "what sent it"),
            ("sampling_rate", "share of all predictions that is sent, above 0 to 1"),
            ("environment", "where the model runs"),
            ("schema_version", "the sender's own"),
        )
    ]
    return {"requestBody": {"required": True, "content": content}, "parameters": envelope}


async def _take(vigil: Vigil, request: Request, model: str, kind: Kind, key: str | None, atomic: bool) -> JSONResponse:
    inferred = await asyncio.to_thread(vigil.admit, model)
    body = await read_body(request, vigil.settings.max_body_bytes)
    receipt = await vigil.intake.take(
        model, kind, request.headers.get("content-type", ""), body, dict(request.query_params), inferred, key,
        atomic=atomic,
    )  # fmt: skip
    if not receipt.repeated:
        vigil.metrics.process.count_batch(model, kind, len(body), receipt.accepted, receipt.rejected)
    return JSONResponse(receipt.as_dict(), 202)


Atomic = Annotated[bool, Query(description="Take all rows or none")]


@router.post("/models/{model}/predictions", status_code=202, responses=_ERRORS, openapi_extra=_described("predictions"))
async def post_predictions(
    vigil: Vigil, request: Request, model: str, _who: Ingester, key: Key = None, atomic: Atomic = False
) -> JSONResponse:
    """Take predictions. 202 once they are durable; bad rows go to the rejects, the others are taken."""
    return await _take(vigil, request, model, "predictions", key, atomic)


@router.post("/models/{model}/outcomes", status_code=202, responses=_ERRORS, openapi_extra=_described("outcomes"))
async def post_outcomes(
    vigil: Vigil, request: Request, model: str, _who: Ingester, key: Key = None, atomic: Atomic = False
) -> JSONResponse:
    """Take outcomes: before their prediction, twice or corrected, each counts once."""
    return await _take(vigil, request, model, "outcomes", key, atomic)


@router.post("/models/{model}/reference", status_code=202, responses=_ERRORS, openapi_extra=_described("reference"))
async def post_reference(
    vigil: Vigil, request: Request, model: str, _who: Ingester, key: Key = None, atomic: Atomic = False
) -> JSONResponse:
    """Take the reference that the model's production is compared with, outcome columns inline."""
    return await _take(vigil, request, model, "reference", key, atomic)


@router.get("/batches/{batch_id}")
def get_batch(vigil: Vigil, batch_id: str, who: Reader) -> dict[str, Any]:
    """What became of a batch: whether it is folded, and its duplicates, conflicts and late rows."""
    row = vigil.log.batch(batch_id)
    if row is None:
        raise NotFound(f"there is no batch '{batch_id}'", "The answer to its POST names it")
    who.require("read", row["model"])
    state, result = vigil.model_state(row["model"]), vigil.ask(batch_result, batch_id)
    waits = result is not None and "waiting_for_reference" in result["counts"]
    return {
        "batch_id": batch_id,
        "model": row["model"],
        "kind": row["kind"],
        "received_at": from_micros(row["received_at"]).isoformat(),
        "accepted": row["rows"],
        "rejected": row["rejected"],
        "clock": "event" if row["event_clock"] else "wall",
        "folded": state is not None and state.cursor >= row["seq"] and not waits,
        "result": result,
        "notes": row["envelope"].get("notes", {}),
    }


@router.get("/models/{model}/rejects")
def get_rejects(
    vigil: Vigil,
    model: str,
    _who: Reader,
    batch: str | None = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Rejected rows with their reasons, oldest first. ``after`` is the last id of the page before."""
    vigil.intake.declared(model)
    rows = vigil.log.rejects(model, after, limit, batch)
    shown = [
        {**{k: r[k] for k in ("id", "batch_id", "row", "field", "reason")}, "at": from_micros(r["at"]).isoformat()}
        for r in rows
    ]
    return {"rejects": shown, "next": rows[-1]["id"] if len(rows) == limit else None}
