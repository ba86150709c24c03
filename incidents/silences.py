"""Silences and maintenance windows: for so long nobody is called for what they match. They change no incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from incidents.notices import Notice

MATCHERS = ("model", "kind", "severity", "attribute", "segment", "incident")


@dataclass(frozen=True, slots=True)
class Silence:
    """From ``starts_at`` to ``ends_at``, for incidents of which each of ``matchers`` (by name, see ``MATCHERS``) has
    the value that is given."""

    id: str
    kind: Literal["silence", "maintenance"]
    matchers: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    by: str
    why: str

    def __post_init__(self) -> None:
        if not self.starts_at <= self.ends_at:
            raise ValueError("a silence must not end before it starts")
        if not self.matchers:
            raise ValueError("a silence must name what it is for; all at once is the setting 'notify'")
        if unknown := sorted(set(self.matchers) - set(MATCHERS)):
            raise ValueError(f"'{unknown[0]}' is nothing to match; it is one of {', '.join(MATCHERS)}")

    def is_on(self, now: datetime) -> bool:
        """Whether it holds at an instant; at its end it does no longer."""
        return self.starts_at <= now < self.ends_at


def matches(silence: Silence, notice: Notice) -> bool:
    """Whether a notice is among those that a silence is for, at whatever time."""
    of = {
        "model": notice.model,
        "kind": notice.fingerprint.kind.value,
        "severity": notice.severity.value,
        "attribute": notice.fingerprint.attribute,
        "segment": notice.fingerprint.segment,
        "incident": notice.incident,
    }
    return all(of[name] == value for name, value in silence.matchers.items())


def shortened(silence: Silence, at: datetime) -> Silence:
    """With an earlier end: one that is on may end sooner and never later, one to come then never was."""
    return replace(silence, ends_at=max(silence.starts_at, min(silence.ends_at, at)))
