"""The points of one window, family by family, from its merged summaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from detectors.drift import METRICS as DRIFT
from detectors.drift import measure_drift
from detectors.estimation import estimate_binary, estimate_multiclass
from detectors.fairness import is_disparity, resolve
from detectors.multivariate import METRICS as MULTIVARIATE
from detectors.multivariate import measure_multivariate
from detectors.performance import measure_performance
from detectors.point import Measurement, MetricPoint, Reason
from detectors.quality import measure_quality
from detectors.scope import Scope, Window
from detectors.summaries.summary import Floats, Ints
from monitor.fold.sampling import Received, coverage
from monitor.judge.watch import Named, Watch
from monitor.judge.windows import Family


@dataclass(frozen=True, slots=True)
class WindowData:
    """A window with its merged summaries. Of the ``rows`` received ``joined`` have an outcome; ``latest`` is the end of
    the last bucket with rows, in the window or before it."""

    window: Window
    predictions: Ints
    prediction_sums: Floats
    outcomes: Ints
    sums: Floats
    rows: Received
    joined: Received
    settled: bool
    revision: int
    latest: datetime | None = None

    @property
    def coverage(self) -> float | None:
        return coverage(self.joined, self.rows)

    @property
    def heaviest(self) -> float:
        """The most that a row weighs, where rows of several sampling rates are counted together; else 1."""
        return max(self.rows.heaviest, self.joined.heaviest)


def measure(watch: Watch, family: Family, data: WindowData, wanted: frozenset[str] | None = None) -> list[MetricPoint]:
    """The metrics of a family over a window: those ``wanted``, or those of every window."""
    wanted = watch.wanted if wanted is None else wanted
    if family == "drift":
        return [_point(watch, data, n, outcomes=False) for n in _drift(watch, data, wanted)]
    if family == "performance":
        named = measure_performance(watch.reference.space, data.outcomes, data.sums, watch.spec.quantile, watch.values)
        known = [_point(watch, data, _observable(watch, n), outcomes=True) for n in (*named, _coverage(data))]
        return known + [_point(watch, data, n, outcomes=False) for n in _estimates(watch, data.predictions)]
    found = watch.by_group(data.predictions, data.outcomes, data.sums, wanted, data.heaviest)
    covered = dict(_group_coverage(watch, data))
    return [_point(watch, data, n, outcomes=_needs_outcomes(n[0]), covered=covered) for n in found]


def _drift(watch: Watch, data: WindowData, wanted: frozenset[str]) -> list[Named]:
    reference = watch.reference
    found = [*measure_drift(reference, data.predictions, DRIFT & wanted)]
    found += [_total(data, named) for named in measure_quality(reference, data.predictions, wanted)]
    if not wanted.isdisjoint(MULTIVARIATE):
        for i, (names, baseline) in enumerate(zip(reference.space.projected, reference.baselines, strict=True)):
            scope = Scope() if len(names) > 1 else Scope(feature=names[0])
            sums = reference.space.prediction_sums.view(data.prediction_sums, "projection", i)
            found += [(f.metric, scope, f.measurement) for f in measure_multivariate(baseline, sums)]
    if "freshness" in wanted:
        found.append(("freshness", Scope(), _freshness(data)))
    return [f for f in found if f[0] in wanted]


def _total(data: WindowData, named: Named) -> Named:
    """A metric of the window's quality; where rows are sampled, the row count is that of all there were."""
    metric, scope, _ = named
    return (metric, scope, data.rows.row_count()) if metric == "row_count" and data.rows.sampled else named


def _freshness(data: WindowData) -> Measurement:
    """Seconds from the end of the last bucket with rows to the end of the window."""
    if data.latest is None:
        return Measurement.unknown(Reason.EMPTY_WINDOW)
    return Measurement(max((data.window.end - data.latest).total_seconds(), 0.0), data.rows.n)


def _estimates(watch: Watch, predictions: Ints) -> Iterator[Named]:
    """What scores or inputs let one expect of the performance. Never by group."""
    reference, space = watch.reference, watch.reference.space
    if space.task == "regression":
        if reference.error_model is not None:
            counts = np.add.reduceat(predictions[: space.column_offsets[-1]], reference.bins.starts)
            yield from ((metric, Scope(), m) for metric, m in reference.error_model.estimate(counts))
        return
    if not watch.spec.classifies:
        return
    scored = np.stack([space.predictions.view(predictions, "column", c) for c in space.scores])
    decided = space.decided(predictions)
    if space.classes:
        found = estimate_multiclass(scored, decided[:-1], watch.calibrators)
    else:
        found = estimate_binary(scored[0], decided[1], watch.calibrators[0])
    yield from ((metric, Scope(), m) for metric, m in found)


def _observable(watch: Watch, named: Named) -> Named:
    """A metric, or unknown where the outcomes that it needs are seen for some decisions only."""
    metric, scope, measurement = named
    # Of two classes precision rests on the decided-for alone; of many it is a mean over all.
    seen = metric == "label_coverage" or (metric == "precision" and not watch.spec.classes)
    if watch.spec.outcomes_observed_for is None or seen:
        return named
    return metric, scope, Measurement.unknown(Reason.SELECTIVE_OUTCOMES, measurement.n)


def _needs_outcomes(metric: str) -> bool:
    """Whether a metric by group rests on outcomes."""
    rates = resolve(metric).rates if is_disparity(metric) else (metric,)
    return rates != ("selection_rate",)


def _coverage(data: WindowData) -> Named:
    value = data.coverage
    m = Measurement.unknown(Reason.EMPTY_WINDOW) if value is None else Measurement(value, data.rows.n)
    return "label_coverage", Scope(), m


def _group_coverage(watch: Watch, data: WindowData) -> Iterator[tuple[tuple[str, str], float | None]]:
    """The share of each group's predictions whose outcome is known."""
    space, scale = watch.reference.space, data.rows.scale / data.joined.scale
    for i, axis in enumerate(space.axes):
        if axis.kind == "attribute":
            rows = space.decisions(data.predictions, i).sum(axis=1).tolist()
            known = space.confusion(data.outcomes, i).sum(axis=(1, 2)).tolist()
            for group, n, joined in zip(axis.grid.categories, rows[1:], known[1:], strict=False):
                yield (axis.name, group), min(joined / n * scale, 1.0) if n else None


def _point(
    watch: Watch,
    data: WindowData,
    named: Named,
    *,
    outcomes: bool,
    covered: dict[tuple[str, str], float | None] | None = None,
) -> MetricPoint:
    metric, scope, measurement = named
    coverage = data.coverage
    if covered and scope.attribute is not None and scope.group is not None:
        coverage = covered[scope.attribute, scope.group]
    return MetricPoint(
        metric,
        scope,
        data.window,
        measurement,
        coverage=coverage if outcomes else None,
        provisional=outcomes and not data.settled,
        reference=watch.reference.name,
        estimate=metric.startswith("estimated_"),
        revision=data.revision,
    )
