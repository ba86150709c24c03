"""Equivalence: whether a window shows that groups are treated alike, which is what it takes to close a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.catalogue import metric_title
from detectors.disparities import Kind
from detectors.fairness import RATES, Attribute, Equivalence, equivalence, is_disparity, resolve
from detectors.fairness.equivalence import ALPHA
from detectors.point import Measurement, Reason
from detectors.scope import rfc3339
from detectors.summaries.space import Axis
from monitor.errors import InvalidInput
from monitor.judge.measure import WindowData
from monitor.judge.watch import Watch
from monitor.model.words import closest

_NAMED = (
    "demographic_parity_difference", "demographic_parity_ratio", "equal_opportunity_difference",
    "equalized_odds_difference", "equalized_odds_ratio", "predictive_parity_difference", "accuracy_difference",
    *(f"{rate}_{kind}" for rate in RATES for kind in ("difference", "ratio")),
)  # fmt: skip


def has_equivalence(metric: str) -> bool:
    """Whether a metric is a disparity of rates between groups, of which equivalence can be tested.

    >>> [has_equivalence(m) for m in ("equalized_odds_difference", "mae_difference", "accuracy_ratio_to_overall")]
    [True, False, False]
    """
    if not is_disparity(metric):
        return False
    comparison = resolve(metric)
    return comparison.against != "overall" and all(rate in RATES for rate in comparison.rates)


def equivalence_of(watch: Watch, data: WindowData, metric: str, attribute: str, margin: float) -> dict[str, Any]:
    """The test of one disparity over a window, with all that it rests on, and what it says in words.

    Of a disparity of several rates all have to pass: the p-value is the largest of theirs, and the interval has the
    worst limits. Groups under the minimum size are left out, and named so. ``InvalidInput`` for a metric or attribute
    of which it cannot be tested.
    """
    axis = _axis(watch, metric, attribute)
    compares = resolve(metric)
    kind, names, groups = compares.kind, compares.rates, _by_group(watch, data, axis)
    how = watch.attribute(axis), compares.against, watch.design_effect(data.predictions)
    rates = [_test(kind, name, groups[name], margin, *how) for name in names]
    found = [r.found for r in rates if r.found is not None]
    known = len(found) == len(rates)
    pick = max if kind == "difference" else min
    needs_outcomes = names != ("selection_rate",)
    return {
        "model": watch.spec.model,
        "metric": metric,
        "attribute": attribute,
        "margin": margin,
        "window": {"start": rfc3339(data.window.start), "end": rfc3339(data.window.end)},
        "equivalent": all(f.equivalent for f in found) if known else None,
        "text": _text(kind, rates, margin),
        "p_value": max(f.p_value for f in found) if known else None,
        "interval": [pick(f.interval[i] for f in found) for i in (0, 1)] if known else None,
        "confidence": 1 - 2 * ALPHA,
        "rates": [r.as_dict() for r in rates],
        "coverage": data.coverage if needs_outcomes else None,
        "provisional": needs_outcomes and not data.settled,
    }


@dataclass(frozen=True, slots=True)
class _Rate:
    """One rate: its groups that are compared and those left out, and what the test says, or why it says nothing."""

    name: str
    compared: list[tuple[str, Measurement]]
    left_out: list[tuple[str, Measurement]]
    reference: str | None
    found: Equivalence | None
    reason: Reason | None

    def as_dict(self) -> dict[str, Any]:
        found = self.found
        return {
            "rate": self.name,
            "equivalent": None if found is None else found.equivalent,
            "p_value": None if found is None else found.p_value,
            "interval": None if found is None else list(found.interval),
            "reason": None if self.reason is None else self.reason.value,
            "reference_group": self.reference,
            "compared": [{"group": g, "value": m.value, "n": m.n} for g, m in self.compared],
            "left_out": [{"group": g, "reason": m.reason.value if m.reason else None} for g, m in self.left_out],
        }


def _axis(watch: Watch, metric: str, attribute: str) -> Axis:
    """The axis of the attribute, where equivalence of the metric can be tested over its groups."""
    axes = {a.name: a for a in watch.reference.space.axes if a.kind == "attribute"}
    if not axes or watch.favourable is None or not watch.spec.classifies:
        raise InvalidInput(
            "equivalence is tested of rates by group, and this model has none",
            "Declare protected_attributes and favourable; a regression and a ranking have no rates",
        )
    if not has_equivalence(metric):
        raise InvalidInput(
            f"'{metric}' is no disparity of rates between groups", f"The nearest is '{closest(metric, _NAMED)}'"
        )
    if attribute not in axes:
        raise InvalidInput(
            f"'{attribute}' is no protected attribute of this model", f"It has {' and '.join(axes)}"
        )
    return axes[attribute]


def _by_group(watch: Watch, data: WindowData, axis: Axis) -> dict[str, list[tuple[str, Measurement]]]:
    """Every rate of every group, known or suppressed as it is in a report."""
    out: dict[str, list[tuple[str, Measurement]]] = {}
    for name, scope, m in watch.by_group(data.predictions, data.outcomes, data.sums, heaviest=data.heaviest):
        if scope.attribute == axis.name and scope.group is not None:
            out.setdefault(name, []).append((scope.group, m))
    return out


def _test(
    kind: Kind,
    name: str,
    groups: Sequence[tuple[str, Measurement]],
    margin: float,
    attribute: Attribute,
    against: str | None,
    deff: float,
) -> _Rate:
    compared = [(g, m) for g, m in groups if m.value is not None]
    left_out = [(g, m) for g, m in groups if m.value is None]
    reference = attribute.reference if against != "groups" else None
    at = [g for g, _ in compared]
    reason = None
    if len(compared) < 2:
        reason = Reason.FEWER_THAN_TWO_GROUPS
    elif against == "reference" and reference is None:
        reason = Reason.NO_REFERENCE
    elif reference is not None and reference not in at:
        reason = next((m.reason for g, m in left_out if g == reference), Reason.TOO_FEW_SAMPLES)
    if reason is not None:
        return _Rate(name, compared, left_out, reference, None, reason)
    n = np.array([m.n for _, m in compared], np.int64)
    k = np.array([round((m.value or 0.0) * m.n) for _, m in compared], np.int64)
    found = equivalence(kind, k, n, margin, None if reference is None else at.index(reference), deff)
    return _Rate(name, compared, left_out, reference, found, None if found else Reason.ZERO_DENOMINATOR)


def _text(kind: Kind, rates: Sequence[_Rate], margin: float) -> str:
    """What the test says, for a person."""
    unknown = next((r for r in rates if r.found is None), None)
    if unknown is not None:
        assert unknown.reason is not None
        return f"It cannot be told of the {metric_title(unknown.name)}: {unknown.reason.value.replace('_', ' ')}"
    shown = all(r.found is not None and r.found.equivalent for r in rates)
    of = " and ".join(metric_title(r.name) for r in rates)
    said = "The data show that" if shown else "The data do not show that"
    if kind == "difference":
        return f"{said} the groups differ by less than {margin:g} in {of}"
    return f"{said} the smallest {of} of the groups is more than {margin:g} of the largest"
