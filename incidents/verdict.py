"""What a rule said of a window, and what an incident is about: verdict, severity, fingerprint, causes, evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

_VERSION = "v1"


class VerdictKind(StrEnum):
    """``ok``: the interval lies within the limit; ``breach``: beyond it; ``inconclusive``: it straddles it;
    ``unknown``: there was too little to judge by."""

    OK = "ok"
    BREACH = "breach"
    INCONCLUSIVE = "inconclusive"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """The kind of monitor that an incident came from."""

    DRIFT = "drift"
    QUALITY = "quality"
    PERFORMANCE = "performance"
    FAIRNESS = "fairness"
    SERVICE = "service"


class Severity(StrEnum):
    """Ordered by how bad, not by the alphabet.

    >>> Severity.INFO < Severity.WARNING < Severity.CRITICAL
    True
    >>> max(Severity.CRITICAL, Severity.WARNING).value
    'critical'
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return list(Severity).index(self)

    # A StrEnum would compare as text, where critical comes before info: all four are needed.
    def __lt__(self, other: str) -> bool:
        return self.rank < Severity(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Severity(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Severity(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Severity(other).rank


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes two breaches one incident: model, kind of monitor, protected attribute, segment; of what another
    system says, its own ``key``.

    Nothing that moves (value, severity, window, feature) belongs to it: fifty features that drift together are one
    incident with fifty causes. ``text`` carries the version of this very definition, so that a later one never
    takes an old incident for its own.

    >>> Fingerprint("census", Kind.DRIFT).text
    'v1:census/drift'
    >>> Fingerprint.parse("v1:census/fairness/attribute=SEX").attribute
    'SEX'
    """

    model: str
    kind: Kind
    attribute: str | None = None
    segment: str | None = None
    key: str | None = None

    @property
    def text(self) -> str:
        """One line, the same for the same fingerprint only: the key, unique among live incidents."""
        parts = [_quoted(self.model), self.kind.value]
        within = (("attribute", self.attribute), ("segment", self.segment), ("key", self.key))
        parts += [f"{name}={_quoted(value)}" for name, value in within if value is not None]
        return f"{_VERSION}:{'/'.join(parts)}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read what ``text`` wrote; anything else raises ``ValueError``."""
        version, colon, rest = text.partition(":")
        model, *more = rest.split("/")
        if not colon or version != _VERSION or not more:
            raise ValueError(f"'{text}' is no fingerprint; one looks like {_VERSION}:model/drift")
        scope: dict[str, str] = {}
        for part in more[1:]:
            name, equals, value = part.partition("=")
            if not equals or name not in ("attribute", "segment", "key"):
                raise ValueError(f"'{part}' in '{text}' is none of attribute=NAME, segment=NAME and key=NAME")
            scope[name] = unquote(value)
        return cls(unquote(model), Kind(more[0]), **scope)


def _quoted(name: str) -> str:
    return quote(name, safe=" =:,.+@")  # a slash or a percent sign would read as something else


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that moved: ``name`` of the feature, group or column, the ``metric`` that says so and its value
    (in the metric's unit; None is unknown), a ``note`` for the reader, and its ``weight``: the share (0 to 1) of what
    all causes do to the output (None is unknown)."""

    name: str
    metric: str
    value: float | None = None
    note: str = ""
    weight: float | None = None

    def __post_init__(self) -> None:
        for number in (self.value, self.weight):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"the {self.metric} of {self.name} is not finite; say None, with a note")


class ChangeKind(StrEnum):
    """What changed before an incident."""

    VERSION = "version"
    DEPLOYMENT = "deployment"
    DECLARATION = "declaration"
    REFERENCE = "reference"
    SCHEMA = "schema"
    VOLUME = "volume"
    SAMPLING = "sampling"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed shortly before: when, in words, and the model version that it speaks of, if any."""

    kind: ChangeKind
    at: datetime
    text: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """What a monitor allows of a metric in a scope: from ``low`` to ``high``, absolute numbers, None for no bound."""

    metric: str
    scope: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one breached window ``[window_start, window_end)`` showed.

    ``causes`` are ranked, the strongest first. ``verdicts`` are as they stand on the wire (JSON values only).
    ``excess`` says how far the worst point lies beyond its limit, as a share of the limit (0.5 is half as much
    again; None is unknown): the window with the greatest is the incident's worst. ``about``: the fingerprint whose
    window it is, where an incident has several; None is the incident's own.
    """

    window_start: datetime
    window_end: datetime
    summary: str
    causes: tuple[Cause, ...] = ()
    verdicts: tuple[dict[str, Any], ...] = ()
    excess: float | None = None
    about: Fingerprint | None = None

    def __post_init__(self) -> None:
        if not self.window_start < self.window_end:
            raise ValueError(f"a window must end after it starts: {self.window_end} is not after {self.window_start}")
        if self.excess is not None and not math.isfinite(self.excess):
            raise ValueError("the excess is not finite; say None")
