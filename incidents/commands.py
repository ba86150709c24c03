"""What may be asked of an incident. Who asks, and when, is said to ``decide`` beside the command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from incidents.verdict import Evidence, Fingerprint, Severity
from incidents.wire import from_json, to_json


class Clock(StrEnum):
    """``event``: opened by a replay, at the times of its data; such incidents stay out of KPIs unless asked for."""

    WALL = "wall"
    EVENT = "event"


class Disposition(StrEnum):
    """What a person found the incident to be."""

    TRUE = "true"
    ACCEPTED = "accepted"
    FALSE_POSITIVE = "false_positive"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class Open:
    """A breach, said by a rule, a person or another system. ``started_at``: the end of the first breached window.

    It opens an incident, adds to the live one, or reopens the last: ``decide`` finds which.
    """

    fingerprint: Fingerprint
    severity: Severity
    title: str
    started_at: datetime
    evidence: Evidence | None = None
    clock: Clock = Clock.WALL

    def __post_init__(self) -> None:
        _some(self.title, "title")


@dataclass(frozen=True, slots=True)
class AddEvidence:
    """One more breached window, and the severity that it calls for; one lower than the incident's says nothing."""

    evidence: Evidence
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class RaiseSeverity:
    severity: Severity
    note: str = ""


@dataclass(frozen=True, slots=True)
class Recover:
    """The signal is clean; ``recovered_at`` is the end of the first clean window."""

    recovered_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Relapse:
    """Breached again after it had recovered, and before it was resolved."""

    evidence: Evidence
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    note: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """By a person, or by the rule that saw it clean; a rule says ``recovered_at`` where no ``Recover`` went before."""

    note: str = ""
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reopen:
    """Resolved too early; only within the reopen window."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    text: str

    def __post_init__(self) -> None:
        _some(self.text, "text")


@dataclass(frozen=True, slots=True)
class Assign:
    to: str

    def __post_init__(self) -> None:
        _some(self.to, "to")


@dataclass(frozen=True, slots=True)
class Dispose:
    """What it was, and why it came; a root cause left None leaves the one already given."""

    disposition: Disposition
    root_cause: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.root_cause is not None:
            _some(self.root_cause, "root_cause")


@dataclass(frozen=True, slots=True)
class Close:
    note: str = ""


Command = (
    Open
    | AddEvidence
    | RaiseSeverity
    | Recover
    | Relapse
    | Acknowledge
    | Resolve
    | Reopen
    | Comment
    | Assign
    | Dispose
    | Close
)

_BY_NAME: dict[str, type[Command]] = {
    "open": Open,
    "add_evidence": AddEvidence,
    "raise_severity": RaiseSeverity,
    "recover": Recover,
    "relapse": Relapse,
    "acknowledge": Acknowledge,
    "resolve": Resolve,
    "reopen": Reopen,
    "comment": Comment,
    "assign": Assign,
    "dispose": Dispose,
    "close": Close,
}
_NAMES = {kind: name for name, kind in _BY_NAME.items()}


def command_to_json(command: Command) -> dict[str, Any]:
    """Plain JSON values, with the command's name beside its fields.

    >>> command_to_json(Assign("ana"))
    {'command': 'assign', 'to': 'ana'}
    """
    return {"command": _NAMES[type(command)], **to_json(command)}


def command_from_json(data: dict[str, Any]) -> Command:
    """Read what ``command_to_json`` wrote; anything else raises ``ValueError`` that names what is wrong.

    >>> command_from_json({"command": "assign", "to": "ana"})
    Assign(to='ana')
    """
    name = data.get("command")
    kind = _BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"'{name}' is no command; it is one of {', '.join(_BY_NAME)}")
    found: Command = from_json(kind, {k: v for k, v in data.items() if k != "command"})
    return found


def _some(text: str, field: str) -> None:
    if not text.strip():
        raise ValueError(f"'{field}' is empty")
