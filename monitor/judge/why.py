"""Why a window breached: what the causes of its incidents are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from detectors.causes import output_shift
from detectors.decomposition import Part, carriers
from detectors.drift import measure_drift
from detectors.point import MetricPoint
from incidents.verdict import VerdictKind
from monitor.judge.measure import WindowData
from monitor.judge.watch import Watch
from monitor.judge.windows import Family
from monitor.verdict import Verdict

_TELLING = 0.01     # of what the first part carries; a part of less, or against the change, is no cause of it


@dataclass(frozen=True, slots=True)
class Why:
    """``points``: those of the window, the features' drift among them where it can be a cause; ``shifts``: what each
    feature's drift does to the output; ``parts``: what carries the change of a ``mean``, for a fall in performance."""

    points: Sequence[MetricPoint]
    shifts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    mean: str = ""
    parts: Sequence[Part] = ()


def why(
    watch: Watch, family: Family, data: WindowData, points: Sequence[MetricPoint], verdicts: Sequence[Verdict]
) -> Why:
    """What can be said of the causes of a window's breaches; for a fall in performance the features' drift in the same
    window is measured too."""
    breaches = [v for v in verdicts if v.kind is VerdictKind.BREACH]
    if not breaches or family == "fairness":
        return Why(points)
    reference = watch.reference
    shifts = output_shift(reference, data.predictions)
    if family == "drift":
        return Why(points, shifts)
    drift = measure_drift(reference, data.predictions)
    moved = [MetricPoint(m, s, data.window, value, reference=reference.name) for m, s, value in drift]
    mean, parts = carriers(breaches[0].point.metric, reference, data.outcomes, data.sums)
    telling = [p for p in parts if p.carried * parts[0].carried >= _TELLING * parts[0].carried**2]
    return Why(moved, shifts, mean, telling)
