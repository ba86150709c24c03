"""What the log holds. Times are microseconds since 1970 in UTC; ``seq`` orders the entries of a lane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.batch import Kind, Reject


@dataclass(frozen=True, slots=True)
class Part:
    """One request's rows within a segment: how many were taken, what the batch said of itself, and what was refused."""

    batch_id: str
    rows: int
    idempotency_key: str | None = None
    envelope: dict[str, Any] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows as they were made durable: Arrow IPC bytes, their protected attributes apart, and how they were typed.

    It holds one batch, or several small ones that came at once and are alike in all that stands here; ``parts`` names
    them in the order of their rows. ``declaration`` is the version of the model's declaration that typed the rows.
    ``seq`` is 0 until appended.
    """

    model: str
    kind: Kind
    received_at: int
    event_clock: bool
    declaration: int
    payload: bytes
    parts: tuple[Part, ...]
    protected: bytes | None = None
    sampling_rate: float = 1.0
    seq: int = 0

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True)
class Command:
    """What a person or a machine asked of an incident. It took effect when the model's data stood at ``after_seq`` and
    its ticks at ``after_tick``."""

    model: str
    after_seq: int
    after_tick: int
    at: int
    actor: dict[str, str]
    incident: str
    body: dict[str, Any]
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """A reading of the clock, for which windows of a model that had its data up to ``after_seq`` were judged."""

    model: str
    after_seq: int
    at: int
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Declaration:
    """One version of a model's declaration, and who made it. ``number`` is the model's own, in the order of their first
    declarations: what the state numbers by it comes out the same in a rebuild."""

    model: str
    version: int
    number: int
    at: int
    by: str
    body: dict[str, Any]
