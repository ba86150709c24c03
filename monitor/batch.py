"""A batch: the rows of one request as Arrow columns, typed by the model's declaration, and the rows refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

Kind = Literal["predictions", "outcomes", "reference", "events"]
"""``events`` are what payload loggers sent, as it came: the fold makes predictions of them."""

Clock = Literal["wall", "event"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a batch says of itself. ``clock: event`` marks a replay, whose incidents carry event times."""

    clock: Clock = "wall"
    source: str | None = None
    sampling_rate: float = 1.0
    environment: str | None = None
    schema_version: str | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken: its number in the request (0-based), the field, and why, with the mend.

    The reason never repeats a protected attribute's value.
    """

    row: int
    field: str
    reason: str

    def as_dict(self) -> dict[str, object]:
        return {"row": self.row, "field": self.field, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Batch:
    """``table`` holds the good rows; ``protected`` their protected attributes, in the same order, kept apart.

    Columns of ``table`` (those in brackets only where the request had them):

    - all kinds: ``row`` int32 (place in the request), ``prediction_id`` string, ``timestamp`` timestamp[us, UTC]
    - predictions and reference: ``model_version`` string, ``role`` string, [``prediction_label`` string,
      ``prediction_score`` float64 (``prediction_score.CLASS`` for each of many classes, map<string, float64> of a
      ranking), ``prediction_value`` float64, ``model_decision`` string, ``latency_ms`` float64, ``status``,
      ``subject_key``, ``request_id``, ``trace_id`` string], ``features.NAME`` (float64, dictionary<int32, string>, or
      fixed_size_list<float32> of an embedding), [``tags.NAME`` dictionary<int32, string>], and two that tell how the
      sender's schema drifted and are no content: [``mistyped`` dictionary<int32, string>, names of the features whose
      value had a wrong type and was taken as missing, joined by ``\\x1f``; ``undeclared`` bool, true where the row had
      a value in a field that nobody declared]
    - outcomes and reference: [``actual_label`` string, ``actual_value`` float64, ``actual_relevance`` map<string,
      float64> of a ranking, ``final_decision`` string]

    ``protected`` has ``protected.NAME`` dictionary<int32, string>, one row for each of ``table``.
    """

    kind: Kind
    table: pa.RecordBatch
    protected: pa.RecordBatch | None = None
    rejects: list[Reject] = field(default_factory=list)
    envelope: Envelope = field(default_factory=Envelope)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        return int(self.table.num_rows)
