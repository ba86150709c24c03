"""Reliability curves: how the share of positives follows the score, by bin of the score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detectors.performance import class_scope, reliability_curve
from detectors.scope import Scope, rfc3339
from detectors.summaries.summary import Ints
from monitor.errors import InvalidInput
from monitor.judge.measure import WindowData, measure
from monitor.judge.watch import Watch

METRIC = "expected_calibration_error"


def reliability_of(watch: Watch, data: WindowData) -> dict[str, Any]:
    """The curve of the score, or of each class's score, over a window and over the reference, with the expected
    calibration error. ``InvalidInput`` for a model that gives no probability."""
    spec, space = watch.spec, watch.reference.space
    if not spec.classifies:
        raise InvalidInput(
            f"a reliability curve is of a probability, and a {spec.task} gives none",
            "Ask for the report: it has what this task is measured by",
        )
    points = {p.scope: p for p in measure(watch, "performance", data) if p.metric == METRIC}
    told = points[Scope()].measurement.known        # where outcomes are seen for some decisions only, no curve is true
    curves = [
        {
            "class": name,
            "bins": _bins(space.score_by_label(data.outcomes, i)) if told else [],
            "reference": _bins(space.score_by_label(watch.reference.outcomes, i)),
            METRIC: points[scope].as_dict(),
        }
        for i, (name, scope) in enumerate(_scores(watch))
    ]
    return {
        "model": spec.model,
        "window": {"start": rfc3339(data.window.start), "end": rfc3339(data.window.end)},
        METRIC: points[Scope()].as_dict(),
        "curves": curves,
    }


def _scores(watch: Watch) -> Iterator[tuple[str, Scope]]:
    """The class that each score is the probability of, and the scope of its metrics."""
    if not watch.spec.classes:
        yield watch.spec.positive_label, Scope()
    for name in watch.spec.classes:
        yield name, class_scope(name)


def _bins(histogram: Ints) -> list[dict[str, Any]]:
    return [
        {"lower": b.lower, "upper": b.upper, "mean_score": b.mean_score, "rate": b.rate, "n": b.n,
         "interval": list(b.interval)}
        for b in reliability_curve(histogram)
    ]  # fmt: skip
