"""Request bodies, read in pieces and never beyond the limit."""

from __future__ import annotations

from fastapi import Request

from monitor.errors import MalformedBody, TooLarge, UnsupportedFormat


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; ``TooLarge`` as soon as it is known to pass ``limit`` bytes."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("", "identity"):
        raise UnsupportedFormat(f"the content encoding {encoding[:40]!a} is not taken here", "Send the body plain")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
    if not size:
        raise MalformedBody("the body is empty", "Send at least one row")
    return b"".join(pieces)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes", "Send it in smaller parts, or raise VIGIL_MAX_BODY_BYTES")
