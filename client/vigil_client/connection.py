"""Where the service is and who asks: arguments checked once, connections made where they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx


def checked(url: str, key: str, model: str, rate: float, enabled: bool) -> str:
    """The address without what may be secret in it; ``ValueError`` where the arguments can never work."""
    if not 0.0 < rate <= 1.0:
        raise ValueError("sampling_rate is not over 0 and up to 1: give 0.1 to send one prediction in ten")
    try:
        address = httpx.URL(url)
    except Exception:
        address = httpx.URL("")
    place = f"{address.scheme}://{address.host}" + (f":{address.port}" if address.port else "")
    if not enabled:
        return place
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError("url is no address as http://127.0.0.1:8000: give one, or set VIGIL_URL")
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("key is none that can be sent: give one as 'vigil keys create' shows it, or set VIGIL_KEY")
    if not isinstance(model, str) or not model:
        raise ValueError("model is missing: give the name that the model is declared with")
    return place


def connector(
    url: str, key: str, timeout: float, made: Callable[[], httpx.Client] | None
) -> Callable[[], httpx.Client]:
    """Makes the connections of one process. What is slow about it, reading certificates, is done here and now."""
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "vigil-ml-client"}
    secure = made is None and url.startswith("https")
    verify: Any = httpx.create_ssl_context() if secure else False

    def connect() -> httpx.Client:
        client = made() if made is not None else httpx.Client(verify=verify, timeout=httpx.Timeout(timeout))
        client.base_url = httpx.URL(url)
        client.headers.update(headers)
        return client

    return connect


def nowhere() -> httpx.Client:
    return httpx.Client(verify=False, trust_env=False)
