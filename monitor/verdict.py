"""A verdict: what one monitor says of one point. Several monitors may judge one point, so it stands apart from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from detectors.point import MetricPoint
from incidents.verdict import VerdictKind


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ok``: the interval lies within the limit; ``breach``: beyond it; ``inconclusive``: it straddles the limit;
    ``unknown``: there is nothing to judge. ``reason`` says why; ``limit`` is the limit in the metric's own units."""

    monitor: str
    point: MetricPoint
    kind: VerdictKind
    reason: str | None
    limit: float | None
    severity: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "monitor": self.monitor,
            "verdict": self.kind.value,
            "reason": self.reason,
            "limit": self.limit,
            "severity": self.severity,
            "point": self.point.as_dict(),
        }
