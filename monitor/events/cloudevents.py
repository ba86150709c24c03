"""CloudEvents over HTTP, versions 1.0 and 0.3: one event in binary or structured mode, or a batch of them.

Written after the specification's HTTP binding and JSON format (CloudEvents 1.0.2 and 0.3).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from monitor.batch import Reject
from monitor.codecs.json_text import find_not_json, parse
from monitor.errors import MalformedBody, TooLarge, UnsupportedFormat
from monitor.model.checks import clean

VERSIONS = ("1.0", "0.3")
MAX_ID = 120                # so that a row of the request, '<id>/<row>', is a prediction's id of at most 128
MAX_ATTRIBUTES = 64 * 2**10     # characters of all attributes of an event together

Mode = Literal["binary", "structured", "batch"]

_REQUIRED = ("id", "source", "type", "specversion")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_MEMBERS = ("data", "data_base64")


class Refused(ValueError):
    """Why one event cannot be taken, with the mend; ``field`` is the attribute, or ``data``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Event:
    """``place`` is the event's number in the request, from 0. ``attributes`` holds all others by name, extensions among
    them, as text. ``content_type`` is that of ``data``, empty where none was said."""

    place: int
    id: str
    type: str
    source: str
    time: datetime | None
    content_type: str
    data: bytes
    attributes: Mapping[str, str]


def mode_of(content_type: str) -> Mode:
    """How a request of this content type carries events.

    Raises ``UnsupportedFormat`` for an event format other than JSON.

    >>> mode_of("application/cloudevents-batch+json; charset=utf-8"), mode_of("application/json")
    ('batch', 'binary')
    """
    media = content_type.partition(";")[0].strip().lower()
    if not media.startswith("application/cloudevents"):
        return "binary"
    if media == "application/cloudevents+json":
        return "structured"
    if media == "application/cloudevents-batch+json":
        return "batch"
    raise UnsupportedFormat(
        f"the event format {media[:60]!a} is not taken here",
        "Send events in binary mode, as application/cloudevents+json or as application/cloudevents-batch+json",
    )


def decode(headers: Iterable[tuple[bytes, bytes]], body: bytes, most: int) -> tuple[list[Event], list[Reject]]:
    """The events of a request, at most ``most``, and those refused: a bad one costs its neighbours nothing.

    ``headers`` have lower-case names, as ASGI gives them. Raises ``UnsupportedFormat``, ``MalformedBody`` or
    ``TooLarge`` where the request as a whole cannot be read.

    >>> said = {"specversion": "1.0", "id": "a", "type": "t", "source": "/s"}
    >>> events, refused = decode([(f"ce-{k}".encode(), v.encode()) for k, v in said.items()], b"{}", 1)
    >>> events[0].id, events[0].data, refused
    ('a', b'{}', [])
    """
    named = dict(headers)
    content_type = named.get(b"content-type", b"").decode("latin-1")
    mode = mode_of(content_type)
    if mode == "binary":
        found: list[Any] = [named]
    else:
        value, _ = parse(body)
        found = value if mode == "batch" else [value]
        if not isinstance(found, list):
            raise MalformedBody("The body is no list of events", "Send [{...}], or one event as cloudevents+json")
        if len(found) > most:
            raise TooLarge(f"{len(found)} events in one request", f"Send at most {most} at a time")
    events, refused = [], []
    for place, one in enumerate(found):
        try:
            events.append(_binary(place, one, content_type, body) if mode == "binary" else _structured(place, one))
        except Refused as why:
            refused.append(Reject(place, why.field, why.reason))
    return events, refused


def _binary(place: int, headers: Mapping[bytes, bytes], content_type: str, body: bytes) -> Event:
    said = {
        name[3:].decode("latin-1"): _header_text(name[3:].decode("latin-1"), value)
        for name, value in headers.items()
        if name.startswith(b"ce-") and name != b"ce-datacontenttype"
    }
    if not said:
        raise Refused("specversion", "is missing, and so is every other ce- header: this is no CloudEvent; send one")
    data = _base64("data", body.decode("latin-1")) if said.pop("datacontentencoding", "") == "base64" else body
    return _event(place, said, content_type, data)


def _header_text(name: str, value: bytes) -> str:
    """A header's value, unquoted and percent-decoded once. A value that is not encoded at all, as the Go library sends
    it, reads as it stands unless it holds a per cent sign before two hexadecimal digits."""
    value = value.strip()
    if len(value) > 1 and value[:1] == b'"' and value[-1:] == b'"':
        value = re.sub(rb"\\(.)", rb"\1", value[1:-1])
    try:
        return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), value).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(name, "is not UTF-8 once it is percent-decoded; encode it as the HTTP binding says") from None


def _structured(place: int, found: Any) -> Event:
    if not isinstance(found, dict):
        raise Refused("", "the event is no object; send {specversion, id, type, source, data}")
    if token := find_not_json(found):
        raise Refused(token[0].partition(".")[0][:40], token[1].reason)
    said = {str(name): _attribute_text(value) for name, value in found.items()
            if name not in _MEMBERS and value is not None}  # fmt: skip
    content_type = said.pop("datacontenttype", "")
    return _event(place, said, content_type or "application/json", _data(found, said, content_type))


def _attribute_text(value: Any) -> str:
    """An attribute's canonical text. A map, which only 0.3 knows, is its JSON, as a header would hold it."""
    return value if isinstance(value, str) else _json("attributes", value)


def _json(field: str, value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"))
    except RecursionError:
        raise Refused(field, "is nested too deep; send flat rows") from None


def _data(found: Mapping[str, Any], said: dict[str, str], content_type: str) -> bytes:
    if "data_base64" in found:
        return _base64("data_base64", found["data_base64"])
    value = found.get("data")
    if value is None:
        return b""
    if said.pop("datacontentencoding", "") == "base64":
        return _base64("data", value)
    media = content_type.partition(";")[0].strip().lower()
    if not media or media.endswith(("/json", "+json")):
        return _json("data", value).encode()
    if not isinstance(value, str):
        raise Refused("data", "is no text, which it is of this datacontenttype; send a text or data_base64")
    return value.encode("utf-8", "surrogatepass")


def _base64(field: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise Refused(field, "is not Base64; encode the body with the standard alphabet and its padding") from None


def _event(place: int, said: dict[str, str], content_type: str, data: bytes) -> Event:
    for name in _REQUIRED:
        if not said.get(name):
            raise Refused(name, "is missing; a CloudEvent has specversion, id, source and type")
    version = said.pop("specversion")
    if version not in VERSIONS:
        raise Refused("specversion", f"{version[:20]!a} is not known here; send {' or '.join(VERSIONS)}")
    if sum(len(name) + len(value) for name, value in said.items()) > MAX_ATTRIBUTES:
        raise Refused("attributes", f"are over {MAX_ATTRIBUTES} characters together; send what tells the events apart")
    for name, value in said.items():
        if not clean(name) or not clean(value):
            raise Refused(name[:40].encode("ascii", "backslashreplace").decode(), "holds a control character")
    id_ = said.pop("id")
    if len(id_) > MAX_ID:
        raise Refused("id", f"is longer than {MAX_ID} characters; shorten it")
    time = _time(said.pop("time")) if said.get("time") else None
    return Event(place, id_, said.pop("type"), said.pop("source"), time, content_type, data, said)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or len(text) < len("2026-01-31T12:00Z"):
        raise Refused("time", "is not RFC 3339 with a zone; send 2026-01-31T12:00:00Z, or leave it out")
    return found
