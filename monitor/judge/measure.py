"""The points of one window, family by family, from its merged summaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from detectors.drift import measure_drift
from detectors.fairness import measure_fairness
from detectors.performance import measure_performance
from detectors.point import Measurement, MetricPoint, Reason
from detectors.quality import measure_quality
from detectors.reference import Reference
from detectors.scope import Scope, Window
from detectors.summaries.summary import Floats, Ints
from monitor.judge.defaults import Reading, monitors_for
from monitor.judge.windows import Family, Track, tracks
from monitor.model import ModelSpec, MonitorSpec

Named = tuple[str, Scope, Measurement]


@dataclass(frozen=True)
class Watch:
    """A model as it is watched: its declaration, its reference, and what follows from the two."""

    spec: ModelSpec
    reference: Reference

    @cached_property
    def baseline(self) -> Reading:
        """The reference's own values, by metric and scope text."""
        ref = self.reference
        found = measure_quality(ref, ref.predictions) + measure_performance(ref.space, ref.outcomes, ref.sums)
        found += self.fairness(ref.predictions, ref.outcomes)
        return {(metric, scope.text): m.value for metric, scope, m in found if m.value is not None}

    @cached_property
    def monitors(self) -> tuple[MonitorSpec, ...]:
        return monitors_for(self.spec, self.reference, self.baseline)

    @cached_property
    def tracks(self) -> list[Track]:
        return tracks(self.spec, self.monitors)

    def fairness(self, predictions: Ints, outcomes: Ints) -> list[Named]:
        """Group rates and disparities; none where nothing is protected or no label is favourable."""
        spec = self.spec
        if not spec.protected_attributes or spec.favourable is None:
            return []
        attributes = spec.protected_attributes
        return measure_fairness(
            self.reference.space,
            predictions,
            outcomes,
            1 if spec.favourable == spec.positive_label else 0,
            {name: a.min_group for name, a in attributes.items()},
            {name: a.reference_group for name, a in attributes.items()},
        )


@dataclass(frozen=True, slots=True)
class WindowData:
    """A window with its merged summaries. ``joined`` of its ``rows`` predictions have an outcome."""

    window: Window
    predictions: Ints
    outcomes: Ints
    sums: Floats
    rows: int
    joined: int
    settled: bool
    revision: int

    @property
    def coverage(self) -> float | None:
        return self.joined / self.rows if self.rows else None


def measure(watch: Watch, family: Family, data: WindowData) -> list[MetricPoint]:
    """Every metric of a family over a window."""
    if family == "drift":
        named: Iterable[Named] = measure_drift(watch.reference, data.predictions)
        named = [*named, *measure_quality(watch.reference, data.predictions)]
        return [_point(watch, data, n, outcomes=False) for n in named]
    if family == "performance":
        named = [*measure_performance(watch.reference.space, data.outcomes, data.sums), _coverage(data)]
    else:
        named = watch.fairness(data.predictions, data.outcomes)
    return [_point(watch, data, _observable(watch, n), outcomes=n[0] not in _WITHOUT_OUTCOMES) for n in named]


_WITHOUT_OUTCOMES = frozenset(
    {"selection_rate", "demographic_parity_difference", "demographic_parity_ratio"}
)


# What rests on the decided-for alone can be known where outcomes are seen for one decision only; nothing else can.
_SEEN_WHEN_SELECTED = _WITHOUT_OUTCOMES | {
    "label_coverage", "precision", "positive_predictive_value", "predictive_parity_difference",
}  # fmt: skip


def _observable(watch: Watch, named: Named) -> Named:
    """A metric, or unknown where the outcomes that it needs are seen for some decisions only."""
    metric, scope, measurement = named
    if watch.spec.outcomes_observed_for is None or metric in _SEEN_WHEN_SELECTED:
        return named
    return metric, scope, Measurement.unknown(Reason.SELECTIVE_OUTCOMES, measurement.n)


def _coverage(data: WindowData) -> Named:
    value = data.coverage
    m = Measurement.unknown(Reason.EMPTY_WINDOW) if value is None else Measurement(value, data.rows)
    return "label_coverage", Scope(), m


def _point(watch: Watch, data: WindowData, named: Named, *, outcomes: bool) -> MetricPoint:
    metric, scope, measurement = named
    return MetricPoint(
        metric,
        scope,
        data.window,
        measurement,
        coverage=data.coverage if outcomes else None,
        provisional=outcomes and not data.settled,
        reference=watch.reference.name,
        revision=data.revision,
    )
