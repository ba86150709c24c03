"""JSON's bytes to values: fast where they are JSON, and forgiving where only NaN or Infinity is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.errors import MalformedBody, TooLarge

BOM = b"\xef\xbb\xbf"
MAX_OBJECTS = 5_000_000     # an empty one has two bytes on the wire, and thirty times that in memory


@dataclass(frozen=True, slots=True)
class NotJson:
    """Stands where the text had a token that many encoders write and JSON does not know: NaN, Infinity, -Infinity."""

    token: str

    @property
    def reason(self) -> str:
        return f"{self.token} is not JSON; send null for a missing value"


def check_objects(body: bytes) -> None:
    """Refuse a text of so many objects and lists that they would fill too much memory, before it is parsed."""
    if len(body) > MAX_OBJECTS and body.count(b"{") + body.count(b"[") > MAX_OBJECTS:
        raise TooLarge(f"The body has over {MAX_OBJECTS} objects and lists", "Send several smaller batches")


def parse(body: bytes) -> tuple[Any, bool]:
    """The value of a JSON text, and whether it holds a ``NotJson``; ``MalformedBody`` with the byte where it breaks.

    >>> parse(b'[1, NaN]')
    ([1, NotJson(token='NaN')], True)
    """
    check_objects(body)
    skipped = len(BOM) if body.startswith(BOM) else 0
    body = body[skipped:]
    try:
        return msgspec.json.decode(body), False
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_again(body, skipped)      # for NaN, half surrogate pairs and numbers too large; and the position
    except RecursionError:
        raise _too_deep() from None


def _parse_again(body: bytes, skipped: int) -> tuple[Any, bool]:
    tokens: list[NotJson] = []

    def constant(token: str) -> NotJson:
        tokens.append(NotJson(token))
        return tokens[-1]

    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start + skipped
        raise MalformedBody(f"The body is not UTF-8 text at byte {at}", "Send JSON encoded as UTF-8") from None
    try:
        return json.loads(text, parse_constant=constant), bool(tokens)
    except json.JSONDecodeError as error:
        at = len(text[: error.pos].encode()) + skipped
        raise MalformedBody(f"The body is not JSON at byte {at}: {error.msg}", "Send whole RFC 8259 JSON") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:      # Python refuses whole numbers of more than 4,300 digits
        raise MalformedBody("The body holds a number of thousands of digits", "Send double precision") from None


def find_not_json(value: Any, path: str = "") -> tuple[str, NotJson] | None:
    """Where within a value the first ``NotJson`` stands, as ``features.age``."""
    waiting = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, NotJson):
            return path, value
        if isinstance(value, dict):
            waiting += [(f"{path}.{key}" if path else key, item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(path, item) for item in reversed(value)]
    return None


def _too_deep() -> MalformedBody:
    return MalformedBody("The body is nested too deep", "Send rows of flat objects")


def shown_path(path: str) -> str:
    """A path of keys that came from outside, short and storable: it goes into a reject.

    >>> shown_path("features.age"), shown_path("\\ud800" + "k" * 200)[:6]
    ('features.age', '\\\\ud800')
    """
    return path.encode("ascii", "backslashreplace").decode()[:120]
