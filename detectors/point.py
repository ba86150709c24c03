"""The one result type: a metric's value with its sample size, interval and p-value, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from detectors.scope import Scope, Window, rfc3339

CONFIDENCE = 0.95


class Reason(StrEnum):
    """Why a value is unknown. The list is documented in docs/metrics.md and is part of the interface."""

    EMPTY_WINDOW = "empty_window"
    TOO_FEW_SAMPLES = "too_few_samples"
    NO_REFERENCE = "no_reference"
    CONSTANT_REFERENCE = "constant_reference"
    ALL_MISSING = "all_missing"
    HIGH_CARDINALITY = "high_cardinality"
    NO_OUTCOMES = "no_outcomes"
    LOW_COVERAGE = "low_coverage"
    ONE_CLASS = "one_class"
    NO_POSITIVES = "no_positives"
    NO_NEGATIVES = "no_negatives"
    NO_PREDICTED_POSITIVES = "no_predicted_positives"
    NO_PREDICTED_NEGATIVES = "no_predicted_negatives"
    FEWER_THAN_TWO_GROUPS = "fewer_than_two_groups"
    ZERO_DENOMINATOR = "zero_denominator"
    SELECTIVE_OUTCOMES = "selective_outcomes"
    COMPLEMENTARY_SUPPRESSION = "complementary_suppression"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a metric says of some summaries: a value, or ``None`` with a ``reason``; never NaN and never both.

    ``n`` is the metric's denominator, ``interval`` the bounds at ``CONFIDENCE``, ``p_value`` that of the null
    hypothesis "nothing changed", where the metric has one.

    >>> Measurement(0.25, 8).known, Measurement.unknown(Reason.EMPTY_WINDOW).reason.value
    (True, 'empty_window')
    >>> Measurement(float("nan"), 8)
    Traceback (most recent call last):
    ValueError: a measurement is a finite number or unknown with a reason, and nan is neither
    """

    value: float | None
    n: int
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        if self.value is None and self.reason is None:
            raise ValueError("an unknown measurement needs a reason")
        if self.value is not None:
            if self.reason is not None:
                raise ValueError(f"a known measurement has no reason, and this one says {self.reason}")
            if not math.isfinite(self.value):
                raise ValueError(
                    f"a measurement is a finite number or unknown with a reason, and {self.value} is neither"
                )

    @property
    def known(self) -> bool:
        return self.value is not None

    @classmethod
    def unknown(cls, reason: Reason, n: int = 0) -> Measurement:
        return cls(None, n, reason=reason)


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A measurement with its name and place: which metric, of which scope, over which window of event time."""

    metric: str
    scope: Scope
    window: Window
    measurement: Measurement
    coverage: float | None = None
    provisional: bool = False
    reference: str | None = None
    estimate: bool = False
    revision: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The point as the interface writes it."""
        m = self.measurement
        return {
            "metric": self.metric,
            "scope": self.scope.as_dict(),
            "window": {"start": rfc3339(self.window.start), "end": rfc3339(self.window.end)},
            "value": m.value,
            "interval": None if m.interval is None else list(m.interval),
            "confidence": None if m.interval is None else CONFIDENCE,
            "p_value": m.p_value,
            "n": m.n,
            "status": "known" if m.known else "unknown",
            "reason": None if m.reason is None else m.reason.value,
            "coverage": self.coverage,
            "provisional": self.provisional,
            "reference": self.reference,
            "estimate": self.estimate,
            "revision": self.revision,
        }
