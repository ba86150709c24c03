"""Ingest: predictions, outcomes and reference data, answered once they are durable."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse

from api.access import Vigil, needs
from api.openapi import errors
from api.receipts import ROWS_TAKEN, taken
from api.taking import TakesRows
from monitor.access import Principal
from monitor.codecs import FORMATS
from monitor.codecs.columns import LEAST_RATE
from monitor.errors import NotFound
from monitor.queries import batch_result
from monitor.sources import FORMATS as SYSTEMS
from monitor.times import from_micros
from monitor.views.rejects import rejected

_TAGGED: dict[str, Any] = {"prefix": "/v1", "tags": ["ingest"], "responses": errors(401, 403, 404, 422)}
rows = APIRouter(**_TAGGED, route_class=TakesRows)
router = APIRouter(**_TAGGED)
_ANSWERS: dict[int | str, dict[str, Any]] = {202: taken(ROWS_TAKEN), **errors(400, 409, 415, 429)}
_NEVER = "what takes rows answers this route; its signature is for the document"

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=128)]
Ingester = Annotated[Principal, needs("ingest")]
Reader = Annotated[Principal, needs("read")]

_SHORT = {"type": "string", "minLength": 1, "maxLength": 256}
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
        {"name": n, "in": "query", "required": False, "schema": s, "description": d}
        for n, s, d in (
            ("clock", {"enum": ["wall", "event"]}, "`event` marks a replay or backfill"),
            ("source", _SHORT, "what sent it"),
            ("sampling_rate", {"type": "number", "minimum": LEAST_RATE, "maximum": 1}, "share of what there is"),
            ("environment", _SHORT, "where the model runs"),
            ("schema_version", _SHORT, "the sender's own"),
            ("format", {"enum": list(SYSTEMS)}, "records as that system keeps them"),
        )
    ]
    return {"requestBody": {"required": True, "content": content}, "parameters": envelope}


Atomic = Annotated[bool, Query(description="Take all rows or none")]


@rows.post("/models/{model}/predictions", status_code=202, responses=_ANSWERS, openapi_extra=_described("predictions"))
async def post_predictions(model: str, _who: Ingester, key: Key = None, atomic: Atomic = False) -> JSONResponse:
    """Take predictions. 202 once they are durable; bad rows go to the rejects, the others are taken."""
    raise AssertionError(_NEVER)


@rows.post("/models/{model}/outcomes", status_code=202, responses=_ANSWERS, openapi_extra=_described("outcomes"))
async def post_outcomes(model: str, _who: Ingester, key: Key = None, atomic: Atomic = False) -> JSONResponse:
    """Take outcomes: before their prediction, twice or corrected, each counts once."""
    raise AssertionError(_NEVER)


@rows.post("/models/{model}/reference", status_code=202, responses=_ANSWERS, openapi_extra=_described("reference"))
async def post_reference(model: str, _who: Ingester, key: Key = None, atomic: Atomic = False) -> JSONResponse:
    """Take the reference that the model's production is compared with, outcome columns inline."""
    raise AssertionError(_NEVER)


@router.get("/batches/{batch_id}")
def get_batch(vigil: Vigil, batch_id: str, who: Reader) -> dict[str, Any]:
    """What became of a batch: whether it is folded, its duplicates, conflicts and late rows; how many of its rows were
    erased since, and whether retention has taken the rest."""
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
        "accepted": row["rows"] + (row["erased"] or 0),
        "erased": row["erased"] or 0,
        "aged_out": not row["there"] and row["rows"] > 0,
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
    """Rows that were not taken, with their reasons: those rejected at once, oldest first, and then those that the fold
    refused, or found in conflict with what is there. ``after`` is the last id of the page before."""
    vigil.intake.declared(model)
    rows = rejected(vigil.log, vigil.state, model, after, limit, batch)
    names = ("id", "batch_id", "row", "kind", "field", "reason")
    shown = [{**{k: r[k] for k in names}, "at": from_micros(r["at"]).isoformat()} for r in rows]
    return {"rejects": shown, "next": rows[-1]["id"] if len(rows) == limit else None}
