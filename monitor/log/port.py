"""What the log holds. Times are microseconds since 1970 in UTC; ``seq`` orders the entries of a lane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.batch import Kind, Reject


@dataclass(frozen=True, slots=True)
class Segment:
    """A batch as it was made durable: Arrow IPC bytes, its protected attributes apart, and how it was typed.

    ``declaration`` is the version of the model's declaration that typed the rows. ``seq`` is 0 until appended.
    """

    model: str
    kind: Kind
    batch_id: str
    received_at: int
    rows: int
    event_clock: bool
    declaration: int
    payload: bytes
    protected: bytes | None = None
    idempotency_key: str | None = None
    envelope: dict[str, Any] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    seq: int = 0


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
