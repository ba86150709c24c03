"""What may be asked of an incident beside its life: merging, re-tests, accepted risks, corrective actions, authorities.

A re-test or an acceptance ends a bias finding; an action has an owner, a due date and a date on which somebody looks
whether it worked (ISO/IEC 42001, 10.2). A serious candidate runs clocks (EU AI Act, Article 73; GDPR, Article 33; DORA,
Article 19): a person decides, and Vigil files nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from incidents.verdict import Evidence, Fingerprint, Severity

MOST_STEPS = 20     # deadlines of one serious candidate
LONGEST = 10 * 366 * 86_400, 120    # seconds and months that a step may take: ten years


def some(text: str, field: str) -> None:
    """Refuse an empty text; ``ValueError`` names the field."""
    if not text.strip():
        raise ValueError(f"'{field}' is empty")


@dataclass(frozen=True, slots=True)
class Merge:
    """This incident has the same cause as another one of its model, and goes on in that."""

    into: str
    note: str = ""

    def __post_init__(self) -> None:
        some(self.into, "into")


@dataclass(frozen=True, slots=True)
class Absorb:
    """What an incident takes over from one that was merged into it: the other half of ``Merge``."""

    incident: str
    fingerprints: tuple[Fingerprint, ...]
    started_at: datetime
    title: str
    evidence: tuple[Evidence, ...] = ()
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Retest:
    """A metric measured again over one window ``[window_start, window_end)``: its value and interval (None is unknown)
    from ``n`` rows."""

    metric: str
    scope: str
    window_start: datetime
    window_end: datetime
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0

    def __post_init__(self) -> None:
        if not self.window_start < self.window_end:
            raise ValueError(f"a window must end after it starts: {self.window_end} is not after {self.window_start}")
        if any(v is not None and not math.isfinite(v) for v in (self.value, self.low, self.high)):
            raise ValueError(f"the re-test of {self.metric} is not finite; say None where it is unknown")


@dataclass(frozen=True, slots=True)
class AcceptRisk:
    """The finding stays as it is until ``expires_at``; a second person signs."""

    why: str
    expires_at: datetime

    def __post_init__(self) -> None:
        some(self.why, "why")


@dataclass(frozen=True, slots=True)
class Approve:
    """A second person lets what was proposed under a number be carried out."""

    number: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decline:
    """It is not to be carried out. Whoever proposed it may decline it too, and so takes it back."""

    number: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlanAction:
    """A corrective action: what, by whom, until when, and when somebody looks whether it worked."""

    what: str
    owner: str
    due_at: datetime
    check_at: datetime

    def __post_init__(self) -> None:
        some(self.what, "what")
        some(self.owner, "owner")
        if self.check_at < self.due_at:
            raise ValueError(f"'check_at' {self.check_at} lies before 'due_at' {self.due_at}; look after it is done")


@dataclass(frozen=True, slots=True)
class CompleteAction:
    number: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class CheckAction:
    """Whether a completed action was effective."""

    number: int
    effective: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One deadline of a regime: so long after what ``after`` names: ``aware``, ``classified``, or the report of an
    earlier step. Two steps of one name are one deadline: the earlier of both."""

    regime: str
    name: str
    after: str
    seconds: int = 0
    months: int = 0

    def __post_init__(self) -> None:
        some(self.regime, "regime")
        some(self.name, "name")
        if not (0 <= self.seconds <= LONGEST[0] and 0 <= self.months <= LONGEST[1] and self.seconds + self.months):
            raise ValueError(f"'{self.name}' of {self.regime} needs a time of more than nothing, and at most ten years")


@dataclass(frozen=True, slots=True)
class MarkSerious:
    """A candidate for a report to an authority. The steps are copied in, so that the log has the clocks that ran.

    Said again with ``classified_at`` where that was not known, it adds that.
    """

    category: str
    steps: tuple[Step, ...]
    aware_at: datetime
    classified_at: datetime | None = None
    note: str = ""

    def __post_init__(self) -> None:
        some(self.category, "category")
        if not 0 < len(self.steps) <= MOST_STEPS:
            raise ValueError(f"'steps' has {len(self.steps)} deadlines; it takes 1 to {MOST_STEPS}")
        known: set[tuple[str, str]] = set()
        for step in self.steps:
            if step.after not in ("aware", "classified") and (step.regime, step.after) not in known:
                raise ValueError(f"'{step.name}' of {step.regime} comes after '{step.after}', and no step before is")
            known.add((step.regime, step.name))


@dataclass(frozen=True, slots=True)
class RecordReport:
    """A report was filed, by a person, elsewhere."""

    regime: str
    deadline: str
    at: datetime
    reference: str = ""

    def __post_init__(self) -> None:
        some(self.regime, "regime")
        some(self.deadline, "deadline")


@dataclass(frozen=True, slots=True)
class ClearSerious:
    """No candidate after all; a second person signs."""

    why: str

    def __post_init__(self) -> None:
        some(self.why, "why")
