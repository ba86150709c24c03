"""What a breached window showed: how far it is beyond its limits, and what it points at."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.catalogue import metric_title
from detectors.causes import rank_causes
from detectors.decomposition import Part
from detectors.scope import Window
from incidents.grouping import ALL_ROWS
from incidents.verdict import Cause, Evidence, Fingerprint, Kind
from monitor.judge.why import Why
from monitor.judge.wording import sentence, summary
from monitor.verdict import Verdict

MOST_CAUSES = 10
MOST_CARRIERS = 5   # of them segments and bins, before the features that drifted


def evidence(fingerprint: Fingerprint, window: Window, ranked: Sequence[Verdict], why: Why) -> Evidence:
    """The evidence of one window for a fingerprint; ``ranked``: its breaches, the worst first, at least one."""
    return Evidence(
        window.start,
        window.end,
        summary(ranked),
        tuple(causes(fingerprint, ranked, why)),
        tuple(v.as_dict() for v in ranked[:MOST_CAUSES]),
        excess(ranked[0]),
        fingerprint,
    )


def worst_first(breaches: Sequence[Verdict]) -> list[Verdict]:
    """Breaches, the one furthest beyond its limit first."""
    return sorted(breaches, key=lambda v: -(excess(v) or 0.0))


def excess(verdict: Verdict) -> float | None:
    """How far a value lies beyond its limit, as a share of the limit."""
    value, limit = verdict.point.measurement.value, verdict.limit
    return None if value is None or not limit else abs(value - limit) / abs(limit)


def causes(fingerprint: Fingerprint, ranked: Sequence[Verdict], why: Why) -> list[Cause]:
    """What an incident points at: the segments and bins that carry a fall in performance, then the features whose drift
    moves the output most; for quality the columns, those first whose change moves the output most; for fairness the
    groups of its attribute with the rate that the worst breach compares, the lowest first."""
    if fingerprint.kind in (Kind.DRIFT, Kind.PERFORMANCE):
        carried = [_carried(why.mean, part) for part in why.parts[:MOST_CARRIERS]]
        return [*carried, *_drifted(why)][:MOST_CAUSES]
    if fingerprint.kind is Kind.FAIRNESS:
        metric = _RATE_BEHIND.get(ranked[0].point.metric, "selection_rate")
        groups = [p for p in why.points if p.metric == metric and p.scope.attribute == fingerprint.attribute]
        known = sorted((p.measurement.value, str(p.scope.group)) for p in groups if p.measurement.value is not None)
        return [Cause(f"{fingerprint.attribute}={group}", metric, rate) for rate, group in known[:MOST_CAUSES]]
    return _broken(ranked, why)


def _drifted(why: Why) -> list[Cause]:
    """The features that drifted; the weight of each is its share of what all of them do to the output."""
    found = rank_causes(why.points, why.shifts)
    gross = [why.shifts.get(c.feature, (0.0, 0.0))[1] for c in found]
    total = sum(gross)
    weights = [g / total if total > 0 else None for g in gross]
    return [Cause(c.feature, c.metric, c.value, c.text, w) for c, w in zip(found, weights, strict=True)]


def _broken(ranked: Sequence[Verdict], why: Why) -> list[Cause]:
    found: dict[str, Cause] = {}
    for v in ranked:        # of a column its worst breach
        name = v.point.scope.feature or ALL_ROWS
        found.setdefault(name, Cause(name, v.point.metric, v.point.measurement.value, sentence(v)))
    moved = {name: gross for name, (_, gross) in why.shifts.items()}
    return sorted(found.values(), key=lambda c: -moved.get(c.name, 0.0))[:MOST_CAUSES]


def _carried(mean: str, part: Part) -> Cause:
    own = f"{_or_none(part.before)} there before, {_or_none(part.after)} now"
    share = f"{part.share_before:.0%} of the rows before, {part.share_after:.0%} now"
    note = f"carries {part.carried:+.3g} of the change in {metric_title(mean)}: {own}; {share}"
    return Cause(f"{part.axis}={part.group}", mean, part.after, note)


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


_RATE_BEHIND = {
    "equal_opportunity_difference": "true_positive_rate",
    "equalized_odds_difference": "true_positive_rate",
    "equalized_odds_ratio": "true_positive_rate",
    "predictive_parity_difference": "positive_predictive_value",
    "accuracy_difference": "accuracy",
}
