"""The HTTP client of the command line: one connection, retries where they may help, problems as failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from monitor.cli.failure import NOT_ALLOWED, REFUSED, UNREACHABLE, USAGE, Failure

LATER = frozenset({429, 502, 503, 504})     # what a server says when the same request may succeed later
LONGEST_PAUSE = 5.0


class Client:
    """Requests to one service. ``patience`` is for how many seconds a request is tried again while nothing answers, or
    the answer is "later"; 0 tries once. ``waiting`` is told why, once for each wait."""

    def __init__(
        self,
        url: str,
        key: str = "",
        patience: float = 0.0,
        waiting: Callable[[str], None] = lambda _why: None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure(f"'{url}' is no address of a service", "Give one such as http://127.0.0.1:8000", USAGE)
        self.url, self.patience, self.waiting = url.rstrip("/"), patience, waiting
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=parts.hostname not in ("127.0.0.1", "localhost", "::1"),     # a proxy does not lead to ourselves
            transport=transport,
        )

    def get(self, path: str, **query: Any) -> Any:
        """The answer's JSON. Query values that are ``None`` are left out."""
        return self.send("GET", path, query=query).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.send("POST", path, json=body).json()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request, tried again while patience lasts; a ``Failure`` for anything but success."""
        params = {k: v for k, v in (query or {}).items() if v is not None}
        request = self._http.build_request(
            method, path, params=params, content=content, json=json, headers=dict(headers or {})
        )
        give_up, pause, told = time.monotonic() + self.patience, 0.1, False
        while True:
            failure, wait = None, pause
            try:
                response = self._http.send(request)
                if response.status_code not in LATER:
                    return _checked(response)
                failure, wait = _problem(response), _retry_after(response, pause)
            except httpx.TransportError as error:
                failure = _unreachable(self.url, error)
            if time.monotonic() + wait > give_up:
                raise failure
            if not told:
                self.waiting(failure.detail)
                told = True
            time.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)

    def close(self) -> None:
        self._http.close()


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise _problem(response)


def _problem(response: httpx.Response) -> Failure:
    """An RFC 9457 problem as a failure; what is none says at least its status."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict) or "detail" not in body:
        there = f"{response.request.method} {response.request.url.path}"
        mend = "See that the address is Vigil's, and of this version"
        return Failure(f"{there} was answered with {response.status_code}", mend, _code(response.status_code))
    mend = body.get("mend") or _next(response.status_code)
    return Failure(body["detail"], mend, _code(response.status_code), body.get("errors") or [])


def _next(status: int) -> str:
    if status >= 500:
        return "Look into the log of the service"
    return "'--help' after the command shows an example" if status != 404 else "See that the name is right"


def _code(status: int) -> int:
    if status in (401, 403):
        return NOT_ALLOWED
    return UNREACHABLE if status in LATER else REFUSED


def _unreachable(url: str, error: httpx.TransportError) -> Failure:
    reason = str(error) or type(error).__name__
    return Failure(
        f"no service answers at {url} ({reason})",
        "Start one with 'vigil serve', or say where it is with --url or VIGIL_URL",
        UNREACHABLE,
    )


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    """Seconds that the server asks to wait. A date in the header is left to the client's own pause."""
    said = response.headers.get("retry-after", "")
    return float(said) if said.isdigit() else otherwise
