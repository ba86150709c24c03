"""What is answered to rows and events that were taken, as the OpenAPI document has it."""

from __future__ import annotations

from typing import Any

_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
_REJECT: dict[str, Any] = {
    "type": "object",
    "required": ["row", "field", "reason"],
    "properties": {"row": _COUNT, "field": _TEXT, "reason": _TEXT},
    "additionalProperties": False,
}
_COUNTS: dict[str, Any] = {
    "accepted": _COUNT,
    "rejected": _COUNT,
    "errors": {"type": "array", "maxItems": 20, "items": _REJECT, "description": "The first that were rejected"},
}
_BATCH = {**_TEXT, "description": "GET /v1/batches/{batch_id} says what became of it"}

ROWS_TAKEN: dict[str, Any] = {
    "title": "Receipt",
    "type": "object",
    "required": ["batch_id", "accepted", "rejected", "errors"],
    "properties": {
        "batch_id": _BATCH,
        **_COUNTS,
        "repeated": {"const": True, "description": "The Idempotency-Key was known: this is the first one's answer"},
        "notes": {"type": "object", "description": "What was taken otherwise than it was sent"},
    },
    "additionalProperties": False,
}
EVENTS_TAKEN: dict[str, Any] = {
    "title": "Receipt of events",
    "type": "object",
    "required": ["accepted", "rejected", "errors", "batches"],
    "properties": {
        **_COUNTS,
        "batches": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["model", "batch_id", "accepted"],
                "properties": {"model": _TEXT, "batch_id": _BATCH, "accepted": _COUNT},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def taken(schema: dict[str, Any]) -> dict[str, Any]:
    """The ``responses`` entry of such an answer."""
    return {"description": "Durable", "content": {"application/json": {"schema": schema}}}
