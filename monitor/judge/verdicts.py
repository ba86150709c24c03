"""Verdicts: each monitor's word on the points of one window.

A breach needs two things: the whole interval beyond the limit, and, where the metric has a p-value, significance at the
window's own sample size, corrected over all columns that the same metric judges in that window (Benjamini and Hochberg,
J. R. Statist. Soc. B 57, 1995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.point import MetricPoint, Reason
from incidents.verdict import VerdictKind
from monitor.judge.defaults import Reading
from monitor.model import Limit, MonitorSpec
from monitor.verdict import Verdict


def judge(
    points: Sequence[MetricPoint], monitors: Sequence[MonitorSpec], baseline: Reading, *, settled: bool = True
) -> list[Verdict]:
    """The verdict of each monitor whose metric and scope are among the points.

    ``baseline``: the reference's values, for limits relative to it. ``settled``: the label delay has passed, so that
    metrics which need outcomes are judged whatever their coverage.
    """
    by_key = {(p.metric, p.scope): p for p in points}
    pairs = [(m, by_key[m.metric, m.scope]) for m in monitors if (m.metric, m.scope) in by_key]
    adjusted = _adjusted(pairs)
    return [_verdict(m, p, baseline, adjusted.get(m.id), settled) for m, p in pairs]


def in_force(monitor: MonitorSpec, baseline: Reading) -> Limit | None:
    """What a monitor allows in the metric's own units; ``None`` where that is relative to an unknown value.

    >>> from datetime import timedelta
    >>> from detectors.scope import Scope
    >>> limit = Limit(high=0.05)
    >>> monitor = MonitorSpec("m", "missing_rate", Scope(), timedelta(days=1), limit, limit, relative_to="reference")
    >>> in_force(monitor, {("missing_rate", "model"): 0.25}).high, in_force(monitor, {})
    (0.3, None)
    """
    shift = _shift(monitor, baseline)
    if shift is None:
        return None
    low, high = (None if end is None else end + shift for end in (monitor.breach.low, monitor.breach.high))
    return Limit(low=low, high=high)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order.

    >>> [round(p, 3) for p in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    n, least = len(p_values), 1.0
    out = [1.0] * n
    for rank, i in reversed(list(enumerate(sorted(range(n), key=p_values.__getitem__), start=1))):
        least = min(least, p_values[i] * n / rank)
        out[i] = least
    return out


def _adjusted(pairs: Sequence[tuple[MonitorSpec, MetricPoint]]) -> dict[str, float]:
    """Each monitor's p-value, corrected over all monitors of its metric in this window."""
    families: dict[str, list[tuple[str, float]]] = {}
    for monitor, point in pairs:
        if point.measurement.p_value is not None:
            families.setdefault(monitor.metric, []).append((monitor.id, point.measurement.p_value))
    out: dict[str, float] = {}
    for members in families.values():
        corrected = benjamini_hochberg([p for _, p in members])
        out.update(zip((id_ for id_, _ in members), corrected, strict=True))
    return out


def _verdict(
    monitor: MonitorSpec, point: MetricPoint, baseline: Mapping[tuple[str, str], float], p: float | None, settled: bool
) -> Verdict:
    shift = _shift(monitor, baseline)
    if shift is None:
        return Verdict(monitor.id, point, VerdictKind.UNKNOWN, Reason.NO_REFERENCE.value, None, monitor.severity)
    kind, reason = _compare(monitor, point, shift, p, settled)
    return Verdict(monitor.id, point, kind, reason, _shown(monitor.breach, shift, point), monitor.severity)


def _shift(monitor: MonitorSpec, baseline: Mapping[tuple[str, str], float]) -> float | None:
    """What a monitor's limits are counted from; ``None`` where that is not known."""
    return baseline.get((monitor.metric, monitor.scope.text)) if monitor.relative_to == "reference" else 0.0


def _compare(
    monitor: MonitorSpec, point: MetricPoint, shift: float, p: float | None, settled: bool
) -> tuple[VerdictKind, str | None]:
    m = point.measurement
    if m.value is None:
        assert m.reason is not None
        return VerdictKind.UNKNOWN, m.reason.value
    if m.n < monitor.min_samples and monitor.metric != "row_count":       # too few rows is what that one is about
        return VerdictKind.UNKNOWN, Reason.TOO_FEW_SAMPLES.value
    if point.coverage is not None and point.coverage < monitor.min_coverage and not settled:
        return VerdictKind.UNKNOWN, Reason.LOW_COVERAGE.value
    low, high = m.interval or (m.value, m.value)
    low, high = low - shift, high - shift
    if _beyond(monitor.breach, low, high):
        if p is not None and p > monitor.alpha:
            return VerdictKind.INCONCLUSIVE, "not_significant"
        return VerdictKind.BREACH, None
    if not (monitor.breach.holds(low) and monitor.breach.holds(high)):
        return VerdictKind.INCONCLUSIVE, "interval_straddles_limit"
    if not (monitor.clear.holds(low) and monitor.clear.holds(high)):
        return VerdictKind.INCONCLUSIVE, "not_yet_clear"
    return VerdictKind.OK, None


def _beyond(limit: Limit, low: float, high: float) -> bool:
    """Whether the whole interval lies beyond one end of the limit."""
    return (limit.high is not None and low > limit.high) or (limit.low is not None and high < limit.low)


def _shown(limit: Limit, shift: float, point: MetricPoint) -> float | None:
    """The end of the limit that the value is nearest to, in the metric's own units."""
    ends = [end + shift for end in (limit.low, limit.high) if end is not None]
    value = point.measurement.value
    return min(ends, key=lambda end: abs(end - (value or 0.0))) if ends else None
