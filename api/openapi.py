"""What the OpenAPI document says of every route alike: its errors, and the key that it needs."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.examples import ANSWERS

_STRING = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "An error as RFC 9457 writes it.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {**_STRING, "format": "uri", "examples": ["urn:vigil:problem:not-found"]},
        "title": {**_STRING, "description": "What kind of problem it is"},
        "status": {"type": "integer", "description": "The HTTP status"},
        "detail": {**_STRING, "description": "What is wrong with this request"},
        "mend": {**_STRING, "description": "What to do about it"},
        "errors": {
            "type": "array",
            "description": "Each fault: of a row, a parameter or a key of a declaration",
            "items": {
                "type": "object",
                "required": ["reason"],
                "properties": {
                    "row": {"type": "integer", "description": "Number of the row in the request, from 0"},
                    "field": _STRING,
                    "key": _STRING,
                    "line": {"type": ["integer", "null"]},
                    "reason": _STRING,
                },
            },
        },
    },
}
KEYLESS = frozenset({"/v1/pagerduty"})      # it is signed instead
_WHEN = {
    400: "The body cannot be read",
    401: "No key, or one that is not valid",
    403: "The key lacks the scope or the model, or is not a person's",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "It contradicts what is there",
    413: "The body or the batch is too large",
    415: "The content type or encoding is not taken here",
    422: "What was sent is not valid; `errors` lists the faults",
    429: "The fold is too far behind, or other requests fill the memory",
    503: "It cannot be made durable now, or the database is gone",
}
_AGAIN = {"Retry-After": {"description": "Seconds to wait before the request is sent again", "schema": _STRING}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with problems of these statuses."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        s: {"description": _WHEN[s], "content": content} | ({"headers": _AGAIN} if s in (429, 503) else {})
        for s in statuses
    }


def install(app: FastAPI) -> None:
    """Let the document of ``app`` hold the problem's schema, and say what under /v1 needs a key."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            parts = made.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = PROBLEM
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "vgl_..."}}
            for path, methods in made["paths"].items():
                for operation in methods.values():
                    needed = path.startswith("/v1/") and path not in KEYLESS
                    operation["security"] = [{"key": []}] if needed else []
                    if path.startswith("/v1/"):
                        always = errors(503, *((408, 413) if "requestBody" in operation else ()))
                        operation["responses"] |= {str(status): told for status, told in always.items()}
            for path, example in ANSWERS.items():       # here, since FastAPI leaves out whatever of one is null
                told = made["paths"][path]["get"]["responses"]["200"]
                told["content"]["application/json"]["example"] = example
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI documents
