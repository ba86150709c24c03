"""What the service's answer to a batch means: taken, refused, too large, or to be sent again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Union

_BUSY = frozenset((408, 425, 429, 502, 503, 504))      # it passes; says nothing against the batch
_LONGEST_WAIT = 300.0
_MOST_ERRORS = 20


@dataclass(frozen=True)
class Taken:
    """The service has the rows, but for ``rejected`` ones."""

    rejected: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The service will never take the batch."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TooLarge:
    """The service may take it in parts."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Again:
    """To be sent again, after ``wait`` seconds where the service said so. ``fault``: the batch may be the cause."""

    reason: str
    wait: float | None = None
    fault: bool = False


Answer = Union[Taken, Refused, TooLarge, Again]


def read(status: int, headers: Mapping[str, str], content: bytes, rows: int, now: datetime) -> Answer:
    """The meaning of an answer to ``rows`` rows. ``headers`` are known by lower-case names.

    >>> now = datetime(2026, 7, 1, tzinfo=timezone.utc)
    >>> read(202, {}, b'{"rejected": 1, "errors": [{"field": "timestamp", "reason": "is missing"}]}', 3, now)
    Taken(rejected=1, reasons=('timestamp: is missing',))
    >>> read(429, {"retry-after": "7"}, b"", 3, now)
    Again(reason='status 429', wait=7.0, fault=False)
    """
    body = _parsed(content)
    if 200 <= status < 300:
        rejected = body.get("rejected")
        return Taken(min(max(rejected, 0), rows) if isinstance(rejected, int) else 0, _errors(body))
    detail = body.get("detail")
    reason = f"status {status}: {detail}" if isinstance(detail, str) and detail else f"status {status}"
    if status in _BUSY or status >= 500:
        return Again(reason, retry_after(headers.get("retry-after", ""), now), fault=status not in _BUSY)
    if status == 413 and rows > 1:
        return TooLarge((reason,))
    mend = body.get("mend")
    told = f"{reason}. {mend}" if isinstance(mend, str) and mend else reason
    return Refused((told, *_errors(body)))


def retry_after(text: str, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` asks for, given as seconds or as a date (RFC 9110); at most 5 minutes.

    >>> retry_after("Wed, 01 Jul 2026 00:00:30 GMT", datetime(2026, 7, 1, tzinfo=timezone.utc))
    30.0
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return min(max((at - now).total_seconds(), 0.0), _LONGEST_WAIT)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _errors(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The reasons of rejected rows, with the field and without the row's number, so that alike ones are counted."""
    errors = body.get("errors")
    if not isinstance(errors, list):
        return ()
    rows = [e for e in errors[:_MOST_ERRORS] if isinstance(e, dict)]
    return tuple(f"{e.get('field') or 'row'}: {e.get('reason', 'rejected')}" for e in rows)
