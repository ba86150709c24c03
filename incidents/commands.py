"""What may be asked of an incident. Who asks, and when, is said to ``decide`` beside the command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args

from incidents.care import (
    Absorb,
    AcceptRisk,
    Approve,
    CheckAction,
    ClearSerious,
    CompleteAction,
    Decline,
    MarkSerious,
    Merge,
    PlanAction,
    RecordReport,
    Retest,
    some,
)
from incidents.verdict import Change, Evidence, Fingerprint, Limit, Severity
from incidents.wire import from_json, to_json

MOST_SAID = 10     # changes and limits that an opening may carry


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


class GroupReason(StrEnum):
    """Why an opening has the same cause as a live incident, and joins it."""

    EXPLAINED_BY_QUALITY = "explained_by_quality"
    SAME_ROLLOUT = "same_rollout"


@dataclass(frozen=True, slots=True)
class Open:
    """A breach, said by a rule, a person or another system. ``started_at``: the end of the first breached window.

    It opens an incident, adds to the live one, or reopens the last: ``decide`` finds which. ``because``: it joins the
    live incident of another fingerprint that ``decide`` is given. ``changes``: what changed shortly before.
    ``limits``: those of the breaching monitors, as in force; a re-test is judged by them.
    """

    fingerprint: Fingerprint
    severity: Severity
    title: str
    started_at: datetime
    evidence: Evidence | None = None
    clock: Clock = Clock.WALL
    changes: tuple[Change, ...] = ()
    because: GroupReason | None = None
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        some(self.title, "title")
        for name, said in (("changes", self.changes), ("limits", self.limits)):
            if len(said) > MOST_SAID:
                raise ValueError(f"'{name}' has {len(said)} entries; an opening takes {MOST_SAID}")


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
    """The signal is clean; ``recovered_at`` is the end of the first clean window. ``retests``: what its clean verdicts
    measured, so that a finding that heals by itself has its evidence."""

    recovered_at: datetime
    note: str = ""
    retests: tuple[Retest, ...] = ()


@dataclass(frozen=True, slots=True)
class Relapse:
    """Breached again after it had recovered, and before it was resolved."""

    evidence: Evidence
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """``seen_at``: when the person saw what is acknowledged, where that may be long ago: a link, another system."""

    note: str = ""
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """By a person, or by the rule that saw it clean; a rule says ``recovered_at`` where no ``Recover`` went before."""

    note: str = ""
    recovered_at: datetime | None = None
    retests: tuple[Retest, ...] = ()


@dataclass(frozen=True, slots=True)
class Reopen:
    """Resolved too early; only within the reopen window."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    text: str

    def __post_init__(self) -> None:
        some(self.text, "text")


@dataclass(frozen=True, slots=True)
class Assign:
    to: str

    def __post_init__(self) -> None:
        some(self.to, "to")


@dataclass(frozen=True, slots=True)
class Dispose:
    """What it was, and why it came; a root cause left None leaves the one already given."""

    disposition: Disposition
    root_cause: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.root_cause is not None:
            some(self.root_cause, "root_cause")


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
    | Merge
    | Absorb
    | Retest
    | AcceptRisk
    | Approve
    | Decline
    | PlanAction
    | CompleteAction
    | CheckAction
    | MarkSerious
    | RecordReport
    | ClearSerious
)

COMMANDS: tuple[type[Command], ...] = get_args(Command)
_NAMES = {kind: re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in COMMANDS}
_BY_NAME = {name: kind for kind, name in _NAMES.items()}


def command_name(kind: type[Command]) -> str:
    """A command's name on the wire.

    >>> command_name(AddEvidence)
    'add_evidence'
    """
    return _NAMES[kind]


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
