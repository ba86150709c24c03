"""What an incident is made of: its states and stretches, re-tests, accepted risk, proposals, actions, serious marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from incidents.care import Retest, Step


class State(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class ResolvedBy(StrEnum):
    AUTO = "auto"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch in which it was live; ``end`` is None while it is."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retested:
    """A re-test as it was recorded at ``at``; ``passed``: its whole interval lay within the limit in force when the
    incident opened."""

    at: datetime
    retest: Retest
    passed: bool


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A risk that ``by`` proposed to bear until ``expires_at``, and another person signed at ``at``."""

    by: str
    approved_by: str
    at: datetime
    expires_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A command that waits for a second person; ``approved`` is None until it is decided.

    One that a reopening or a merge overtook is declined by whoever did that.
    """

    number: int
    by: str
    at: datetime
    command: dict[str, Any]
    decided_by: str | None = None
    approved: bool | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A corrective action; ``effective`` is None until somebody has looked whether it worked."""

    number: int
    what: str
    owner: str
    due_at: datetime
    check_at: datetime
    completed_at: datetime | None = None
    checked_at: datetime | None = None
    effective: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a person filed with an authority, and when."""

    regime: str
    deadline: str
    at: datetime
    by: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Serious:
    """A candidate for a report to an authority, with the clocks that run and the reports filed."""

    category: str
    steps: tuple[Step, ...]
    aware_at: datetime
    classified_at: datetime | None
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a report is due, and when it was filed."""

    regime: str
    name: str
    due_at: datetime
    reported_at: datetime | None = None
