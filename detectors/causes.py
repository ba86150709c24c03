"""Causes: the features of a window in the order in which they move the model's output, for the incident that joins
them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.point import MetricPoint
from detectors.reference import Reference
from detectors.summaries.summary import Ints

METRIC = "jensen_shannon"


@dataclass(frozen=True, slots=True)
class Cause:
    """A feature that moved: by how much, with the interval that noise leaves, by how much that alone moves the mean
    output (``None`` where that is not known), and the same in words."""

    feature: str
    metric: str
    value: float
    interval: tuple[float, float]
    output: float | None
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "feature": self.feature,
            "metric": self.metric,
            "value": self.value,
            "interval": list(self.interval),
            "output": self.output,
            "text": self.text,
        }


def output_shift(reference: Reference, predictions: Ints) -> dict[str, tuple[float, float]]:
    """By feature, what its drift does to the mean output: the net shift, and the gross one in which opposite moves do
    not cancel, both in the output's unit.

    ``predictions`` is a window's dense summary. The share of each bin that came or went is weighted by the mean output
    of the reference's rows in it, so that a feature which the model does not heed moves nothing. Each feature is taken
    by itself: what two correlated features do together counts for both.
    """
    bins = reference.bins
    _, current = bins.count(predictions)
    n, total = bins.total(current), bins.total(reference.counts)
    moved = current / np.maximum(n, 1)[bins.column] - reference.counts / np.maximum(total, 1)[bins.column]
    moved = np.where(((n > 0) & (total > 0))[bins.column], moved, 0.0) * reference.influence
    net, gross = bins.total(moved).tolist(), (bins.total(np.abs(moved)) / 2).tolist()
    columns = reference.space.columns
    return {c.name: (net[i], gross[i]) for i, c in enumerate(columns) if c.kind == "feature"}


def rank_causes(
    points: Iterable[MetricPoint], shifts: Mapping[str, tuple[float, float]] | None = None
) -> list[Cause]:
    """The features of one window, the one first whose drift moves the output most; those that noise explains are left
    out.

    Order: the gross shift of the output (``shifts``, as ``output_shift`` gives them), then the lower end of the
    interval of the Jensen-Shannon distance, its value and the name. Points of other metrics, of outputs, groups and
    segments, and unknown ones are passed over.

    >>> from datetime import UTC, datetime
    >>> from detectors.point import Measurement
    >>> from detectors.scope import Scope, Window
    >>> day = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    >>> def point(name, value, low):
    ...     m = Measurement(value, 900, (low, value))
    ...     return MetricPoint("jensen_shannon", Scope(feature=name), day, m, reference="may")
    >>> [c.text for c in rank_causes([point("age", 0.04, 0.0), point("plan", 0.4, 0.35)], {"plan": (-0.03, 0.05)})]
    ['plan moved 0.40 (0.35 to 0.40) from may, in Jensen-Shannon distance, which moves the output by -0.03']
    """
    causes = []
    for point in points:
        s, m = point.scope, point.measurement
        plain = s.attribute is None and s.group is None and s.segment is None
        if point.metric != METRIC or s.feature is None or not plain or m.value is None or m.interval is None:
            continue
        low, high = m.interval
        if low > 0:
            net = shifts[s.feature][0] if shifts and s.feature in shifts else None
            moved = f"{s.feature} moved {m.value:.2f} ({low:.2f} to {high:.2f})"
            text = f"{moved} from {point.reference or 'the reference'}, in Jensen-Shannon distance"
            text += "" if net is None else f", which moves the output by {net:.2g}"
            causes.append(Cause(s.feature, METRIC, m.value, m.interval, net, text))
    gross = {name: shift[1] for name, shift in (shifts or {}).items()}
    return sorted(causes, key=lambda c: (-gross.get(c.feature, 0.0), -c.interval[0], -c.value, c.feature))
