"""Events of payload loggers, by key, by client certificate or by the identity that a mesh vouches for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from api.access import Vigil, app_of, authorised, session_of
from api.body import Bodies
from api.openapi import errors
from api.proxies import peer
from api.receipts import EVENTS_TAKEN, taken
from monitor.access import Principal
from monitor.errors import Unauthenticated

router = APIRouter(prefix="/v1", tags=["ingest"], responses=errors(401, 403, 422))

_EVENT = {
    "specversion": "1.0",
    "id": "8f6c7f5c-7d0a-4b0c-9a3e-2f4ad8c1d001",
    "source": "http://localhost:9081/",
    "type": "org.kubeflow.serving.inference.request",
    "time": "2026-01-31T12:00:00.123456789Z",
    "inferenceservicename": "census",
    "namespace": "prod",
    "component": "predictor",
    "endpoint": "default",
    "datacontenttype": "application/json",
    "data": {"instances": [[46, 21]]},
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One event in structured mode, a batch, or in binary mode a body of any type with `ce-` headers",
        "content": {
            "application/cloudevents+json": {"schema": {"type": "object"}, "example": _EVENT},
            "application/cloudevents-batch+json": {"schema": {"type": "array"}, "example": [_EVENT]},
            "application/json": _BINARY,
            "application/octet-stream": _BINARY,
        },
    }
}


async def sender(request: Request) -> Principal:
    """Who sends: the holder of a key, where one came; else whom the connection's own certificate names, or whom a
    trusted proxy's header does. ``Unauthenticated`` where nobody vouches."""
    if "authorization" in request.headers or session_of(request) is not None:
        return await authorised(request, "ingest", None)
    vigil = app_of(request)
    identity = _certified(request) or vigil.mesh.identity(
        peer(request.scope), request.headers.getlist(vigil.mesh.header or "-")
    )
    if identity is None:
        raise Unauthenticated(
            "no key was sent, and no trusted proxy vouches for an identity",
            "Send 'Authorization: Bearer vgl_...', or see VIGIL_TRUSTED_PROXIES and VIGIL_MESH_IDENTITY_HEADER",
        )
    return (await vigil.events.directory()).identified(identity)


def _certified(request: Request) -> str | None:
    """The subject of a client certificate that the server itself has checked (the TLS extension of ASGI)."""
    tls = request.scope.get("extensions", {}).get("tls") or {}
    subject = None if tls.get("client_cert_error") else tls.get("client_cert_name")
    return subject if isinstance(subject, str) and subject else None


@router.post(
    "/ingest/cloudevents", status_code=202, responses={202: taken(EVENTS_TAKEN), **errors(400, 415, 429)},
    openapi_extra=_DESCRIBED,
)  # fmt: skip
async def post_cloudevents(vigil: Vigil, request: Request, who: Annotated[Principal, Depends(sender)]) -> JSONResponse:
    """Take requests and responses that KServe's or Seldon's logger sends: CloudEvents 1.0 and 0.3, one or a batch.

    202 once they are durable. Which model an event belongs to is told by the declared `sources`; request and response
    are paired by their id in the fold, in whatever order they came.
    """
    bodies: Bodies = request.app.state.bodies
    async with bodies.plain(request.scope, request.receive) as (body, _):
        receipt = await vigil.events.take(request.headers.raw, body, who)
    count = vigil.metrics.process.count_batch
    for one in receipt.batches:
        count(one.model, "events", one.size, one.events, 0)
    if receipt.refused:
        count("", "events", 0, 0, len(receipt.refused))
    return JSONResponse(receipt.as_dict(), 202)
