"""The ranking of causes: what surely moved most comes first, and what noise explains does not come."""

from __future__ import annotations

from datetime import UTC, datetime

from detectors.causes import Cause, rank_causes
from detectors.point import Measurement, MetricPoint, Reason
from detectors.scope import Scope, Window

DAY = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def point(scope, value, low, high=None, metric="jensen_shannon"):
    m = Measurement(value, 500, (low, high if high is not None else value + 0.1), 0.01)
    return MetricPoint(metric, scope, DAY, m, reference="may")


def test_the_lower_end_ranks_then_the_value_then_the_name():
    points = [
        point(Scope(feature="wide"), 0.9, 0.1),
        point(Scope(feature="b"), 0.5, 0.4),
        point(Scope(feature="a"), 0.5, 0.4),
        point(Scope(feature="more"), 0.6, 0.4),
        point(Scope(feature="sure"), 0.45, 0.44),
    ]
    assert [c.feature for c in rank_causes(points)] == ["sure", "more", "a", "b", "wide"]


def test_noise_other_metrics_outputs_groups_and_unknowns_are_no_causes():
    unknown = Measurement.unknown(Reason.ALL_MISSING)
    points = [
        point(Scope(feature="noise"), 0.3, 0.0),
        point(Scope(feature="age"), 0.3, 0.2, metric="psi"),
        point(Scope(output="score"), 0.3, 0.2),
        point(Scope(feature="age", segment="state=MA"), 0.3, 0.2),
        point(Scope(feature="age", attribute="sex", group="1"), 0.3, 0.2),
        MetricPoint("jensen_shannon", Scope(feature="gone"), DAY, unknown),
        MetricPoint("jensen_shannon", Scope(feature="bare"), DAY, Measurement(0.3, 5)),
    ]
    assert rank_causes(points) == []


def test_a_cause_says_what_it_is():
    (cause,) = rank_causes([point(Scope(feature="RELP"), 0.897, 0.877, 0.915)])
    text = "RELP moved 0.90 (0.88 to 0.92) from may, in Jensen-Shannon distance"
    assert cause == Cause("RELP", "jensen_shannon", 0.897, (0.877, 0.915), None, text)
    assert cause.as_dict() == {
        "feature": "RELP", "metric": "jensen_shannon", "value": 0.897, "interval": [0.877, 0.915], "output": None,
        "text": text,
    }  # fmt: skip
