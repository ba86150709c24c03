"""What a metric speaks of: which part of a model's traffic, and which stretch of event time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The part of a model that a metric describes; every field left ``None`` means "all of it".

    ``feature`` names an input, ``output`` what the model gave (``score`` or ``value``), ``attribute`` and ``group`` a
    protected attribute and one of its groups, ``segment`` a tag and its value as ``state=MA``.

    >>> Scope(feature="age").text
    'feature:age'
    >>> Scope(attribute="race", group="2").text
    'attribute:race,group:2'
    >>> Scope.parse("attribute:race,group:2") == Scope(attribute="race", group="2")
    True
    >>> Scope().text
    'model'
    """

    version: str | None = None
    feature: str | None = None
    output: str | None = None
    attribute: str | None = None
    group: str | None = None
    segment: str | None = None

    @property
    def text(self) -> str:
        """One line that names the scope, the key under which points are stored and asked for."""
        parts = [f"{f.name}:{_escape(v)}" for f in fields(self) if (v := getattr(self, f.name)) is not None]
        return ",".join(parts) or "model"

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read what ``text`` wrote. A word that is no scope raises ``ValueError`` with the words that are."""
        if text in ("", "model"):
            return cls()
        known = [f.name for f in fields(cls)]
        found: dict[str, str] = {}
        for part in _split(text):
            name, colon, value = part.partition(":")
            if not colon or name not in known:
                raise ValueError(f"'{part}' is no scope; write one of {', '.join(f'{k}:NAME' for k in known)}")
            found[name] = _unescape(value)
        return cls(**found)

    def as_dict(self) -> dict[str, str | None]:
        """The scope as it stands on the wire, every field present."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open stretch of event time ``[start, end)``, both in UTC.

    >>> Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)).text
    '2026-01-01T00:00:00Z/2026-01-02T00:00:00Z'
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"a window must end after it starts, and {self.end} is not after {self.start}")

    @property
    def text(self) -> str:
        return f"{rfc3339(self.start)}/{rfc3339(self.end)}"


def rfc3339(instant: datetime) -> str:
    """An instant as RFC 3339 text in UTC, with a fraction only where there is one.

    >>> rfc3339(datetime(2026, 1, 1, 12, tzinfo=UTC))
    '2026-01-01T12:00:00Z'
    """
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,")


def _unescape(value: str) -> str:
    return value.replace("\\,", ",").replace("\\\\", "\\")


def _split(text: str) -> list[str]:
    parts, current, escaped = [], "", False
    for char in text:
        if char == "," and not escaped:
            parts.append(current)
            current = ""
        else:
            current += char
        escaped = char == "\\" and not escaped
    return [*parts, current]
