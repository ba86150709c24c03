"""Signatures of what is sent and of what comes back: HMAC-SHA256 (RFC 2104) over the very bytes.

What Vigil sends is signed together with the time of the attempt, so that a receiver can refuse what was recorded and
sent again. PagerDuty signs the body alone, and with each of its secrets while one is being replaced
(PagerDuty, "Verifying webhook signatures").
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

VERSION = "v1"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a request: of its timestamp, a full stop and its body.

    >>> sign("secret", "1764000000", b"{}")
    'v1=b691197929ebc73b102d12f9a4689644cb2d1a38c9f2d1883b9f478077313f85'
    """
    return _signature(secret, timestamp.encode("ascii") + b"." + body)


def is_signed(header: str, secrets: Iterable[str], body: bytes) -> bool:
    """Whether one of the signatures in ``header`` (several have commas between them) is that of the body under one of
    the secrets.

    >>> is_signed("v1=00, " + _signature("new", b"{}"), ["old", "new"], b"{}"), is_signed("", ["old"], b"{}")
    (True, False)
    """
    given = [part.strip().encode("utf-8", "surrogateescape") for part in header.split(",")]
    wanted = [_signature(secret, body).encode("ascii") for secret in secrets if secret]
    matches = [hmac.compare_digest(one, other) for one in given[:10] for other in wanted]
    return any(matches)


def _signature(secret: str, message: bytes) -> str:
    return f"{VERSION}={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"
