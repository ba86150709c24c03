"""Causes: the features of a window in the order in which they moved, for the incident that joins them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from detectors.point import MetricPoint

METRIC = "jensen_shannon"


@dataclass(frozen=True, slots=True)
class Cause:
    """A feature that moved: by how much, with the interval that noise leaves, and the same in words."""

    feature: str
    metric: str
    value: float
    interval: tuple[float, float]
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "feature": self.feature,
            "metric": self.metric,
            "value": self.value,
            "interval": list(self.interval),
            "text": self.text,
        }


def rank_causes(points: Iterable[MetricPoint]) -> list[Cause]:
    """The features of one window, the one that moved most first; those that noise explains are left out.

    Order: the lower end of the interval of the Jensen-Shannon distance, then its value, then the name. Points of other
    metrics, of outputs, groups and segments, and unknown ones are passed over. The ranking says what moved, not why the
    model suffers: it is where to look first.

    >>> from datetime import UTC, datetime
    >>> from detectors.point import Measurement
    >>> from detectors.scope import Scope, Window
    >>> day = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    >>> def point(name, value, low):
    ...     m = Measurement(value, 900, (low, value))
    ...     return MetricPoint("jensen_shannon", Scope(feature=name), day, m, reference="may")
    >>> [c.text for c in rank_causes([point("age", 0.04, 0.0), point("plan", 0.4, 0.35)])]
    ['plan moved 0.40 (0.35 to 0.40) from may, in Jensen-Shannon distance']
    """
    causes = []
    for point in points:
        s, m = point.scope, point.measurement
        plain = s.attribute is None and s.group is None and s.segment is None
        if point.metric != METRIC or s.feature is None or not plain or m.value is None or m.interval is None:
            continue
        low, high = m.interval
        if low > 0:
            moved = f"{s.feature} moved {m.value:.2f} ({low:.2f} to {high:.2f})"
            text = f"{moved} from {point.reference or 'the reference'}, in Jensen-Shannon distance"
            causes.append(Cause(s.feature, METRIC, m.value, m.interval, text))
    return sorted(causes, key=lambda c: (-c.interval[0], -c.value, c.feature))
