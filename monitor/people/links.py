"""What is signed and handed out: links by which a person acknowledges an incident, and the cookie that remembers a
sign-in under way at somebody else's door.

A token is the base64url of its fields as JSON, a dot, and the HMAC-SHA256 of that. Whoever holds it can read it; nobody
can make one or change it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.errors import NotFound

_MOST = 4096


@dataclass(frozen=True, slots=True)
class Link:
    """By it ``account`` may acknowledge ``incident`` as it was at ``issued``; instants in microseconds since 1970."""

    incident: str
    account: str
    issued: int
    expires: int


def signed(secret: bytes, use: str, fields: Mapping[str, Any]) -> str:
    """A token for one use: it is good for no other, though the secret is the same.

    >>> token = signed(b"s" * 32, "link", {"a": 1})
    >>> opened(b"s" * 32, "link", token), opened(b"s" * 32, "oidc", token), opened(b"t" * 32, "link", token)
    ({'a': 1}, None, None)
    """
    body = _text(json.dumps(dict(fields), separators=(",", ":")).encode())
    return f"{body}.{_text(_mac(secret, use, body))}"


def opened(secret: bytes, use: str, token: str) -> dict[str, Any] | None:
    """The fields of a token; ``None`` for one that was not signed here for this use."""
    body, _, mac = token.partition(".")
    if len(token) > _MOST or not hmac.compare_digest(_text(_mac(secret, use, body)).encode(), mac.encode()):
        return None
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def make_link(secret: bytes, link: Link) -> str:
    """The token of a link.

    >>> link = Link("inc_1", "acc_1", 1, 2)
    >>> read_link(b"s" * 32, make_link(b"s" * 32, link)) == link
    True
    """
    return signed(secret, "link", {"i": link.incident, "a": link.account, "t": link.issued, "e": link.expires})


def read_link(secret: bytes, token: str) -> Link:
    """The link of a token, whether or not it has expired; ``NotFound`` for one that was never made."""
    fields = opened(secret, "link", token)
    if fields is None:
        raise NotFound("this link was not made by Vigil, or a part of it is missing", "Open it as it was sent, whole")
    return Link(fields["i"], fields["a"], fields["t"], fields["e"])


def csrf(secret: bytes, session: str) -> str:
    """What each form of a session carries, so that no other site can send one: from the hash of its token."""
    return _text(_mac(secret, "csrf", session))


def _mac(secret: bytes, use: str, body: str) -> bytes:
    return hmac.new(secret, f"{use}\n{body}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
