"""One HTTP POST of a notification: over in time whatever the receiver does, and what its answer means."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx

from monitor.clock import Now, system_clock
from monitor.errors import InvalidSettings
from monitor.senders.channels.base import Result

CONNECT = 5.0           # seconds
MOST_READ = 4_096       # bytes of an answer that are read: nothing in it is needed
LATER = frozenset({408, 425, 429})      # beside 5xx: the same request may succeed another time
_JSON = {"content-type": "application/json"}


def checked_url(url: str, variable: str) -> str:
    """An address as it may be posted to. ``InvalidSettings`` names the variable alone: an address may hold a secret.

    >>> checked_url("https://hooks.example/T1/x/", "SLACK_URL")
    'https://hooks.example/T1/x/'
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise InvalidSettings(f"{variable} holds no address to post to", "Write one such as https://host/path")
    return url


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float, now: Now = system_clock) -> Result:
    """Send JSON and see what came of it. Redirects are not followed: a moved address is for people to look at.

    A receiver may hang, or send its answer a byte at a time: the whole attempt ends after ``timeout`` seconds.
    """
    try:
        status, answered = asyncio.run(asyncio.wait_for(_post(url, body, headers, timeout), timeout))
    except TimeoutError:
        return Result(False, True, detail=f"no whole answer within {timeout:g} s")
    except httpx.TimeoutException:
        return Result(False, True, detail="it did not answer in time")
    except httpx.ConnectError:
        return Result(False, True, detail="no connection could be made")
    except Exception as error:      # a sender goes on, whatever a receiver does; its words may hold the address
        return Result(False, True, detail=f"the connection failed ({type(error).__name__})")
    return judged(status, answered, now)


async def _post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, httpx.Headers]:
    local = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")     # a proxy does not lead to ourselves
    client = httpx.AsyncClient(
        verify=_trusted(), follow_redirects=False, trust_env=not local,
        timeout=httpx.Timeout(timeout, connect=min(CONNECT, timeout)),
    )  # fmt: skip
    named = {"user-agent": f"vigil/{version('vigil-ml')}", "connection": "close"}
    async with client, client.stream("POST", url, content=body, headers={**_JSON, **named, **headers}) as answer:
        read = 0
        async for piece in answer.aiter_raw():
            read += len(piece)
            if read >= MOST_READ:
                break
        return answer.status_code, answer.headers


@cache
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def judged(status: int, headers: Mapping[str, str], now: Now = system_clock) -> Result:
    """What an answer means.

    >>> judged(202, {}).ok, judged(503, {"retry-after": "30"}), judged(404, {}).retry
    (True, Result(ok=False, retry=True, status=503, retry_after=30.0, detail='it answered 503'), False)
    """
    said = f"it answered {status}"
    if 200 <= status < 300:
        return Result(True, False, status, detail=said)
    if 300 <= status < 400:
        return Result(False, False, status, detail=f"{said}: it redirects, which is not followed")
    if status in LATER or status >= 500:
        return Result(False, True, status, retry_after(headers.get("retry-after", ""), now), said)
    return Result(False, False, status, detail=said)


def retry_after(text: str, now: Now) -> float | None:
    """The seconds that a ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds or a date); ``None`` for anything else.

    >>> from datetime import datetime
    >>> at = lambda: datetime(2026, 1, 1, tzinfo=UTC)
    >>> [retry_after(t, at) for t in ("120", "Thu, 01 Jan 2026 00:01:00 GMT", "soon", "-5")]
    [120.0, 60.0, None, None]
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now()).total_seconds())
