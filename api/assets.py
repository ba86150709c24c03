"""What pages need before anybody has signed in: the style, the scripts, the icon."""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Request, Response

from api.pages import ASSETS, Page
from monitor.errors import NotFound

router = APIRouter(route_class=Page)

_FOR_EVER = "public, max-age=31536000, immutable"
_MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@router.get("/static/{name}")
def asset(request: Request, name: str) -> Response:
    """An asset, which browsers may keep: its address changes when it does."""
    if name == "vega.js":
        packed = request.app.state.bundle.read()
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers = {"Cache-Control": _FOR_EVER, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            return Response(packed, media_type="text/javascript", headers=headers)
        return Response(gzip.decompress(packed), media_type="text/javascript", headers={"Cache-Control": _FOR_EVER})
    if name not in ASSETS:
        raise NotFound(f"there is no asset '{name}'", "The console asks only for those it has")
    media = _MEDIA[name.rpartition(".")[2]]
    return Response(ASSETS[name][0], media_type=media, headers={"Cache-Control": _FOR_EVER})
