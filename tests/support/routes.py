"""Every route of an application, those of its routers too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def every_route(app: Any) -> Iterator[Any]:
    """Each with its ``path``, its ``methods`` and what it depends on."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        yield from [route] if inner is None else inner.routes
