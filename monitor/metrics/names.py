"""The names of the figures that a scrape reads from the state: each with its type, its help and its labels.

Rules: prefix ``vigil_``, base units (seconds, ratio), ``_total`` for what only grows. A label's values are few and
known beforehand: models, features, protected attributes, metrics. Groups of people, ids and texts never are labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class Name:
    """One family of series; ``labels`` in the order in which values are given."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ("model",)


_WINDOW = ("model", "family", "window")
_MONITOR = ("model", "window", "metric", "scope", "severity")
_KPI = ("kpi", "part", "clock")


def _counter(name: str, help: str, *labels: str) -> Name:
    return Name(f"vigil_{name}_total", "counter", help, labels or ("model",))


def _gauge(name: str, help: str, *labels: str) -> Name:
    return Name(f"vigil_{name}", "gauge", help, labels or ("model",))


NAMES: tuple[Name, ...] = (
    _gauge(
        "model_info", "A declared model; clock is event for a replay, wall otherwise.",
        "model", "task", "risk_tier", "owner", "clock",
    ),
    _counter("predictions", "Predictions folded, each counted once."),
    _counter("outcomes", "Outcomes folded, one for each prediction_id."),
    _counter("outcomes_joined", "Predictions whose outcome was joined."),
    _gauge("outcomes_orphaned", "Outcomes that wait for their prediction."),
    _counter("rows_duplicate", "Rows that repeat what was there already."),
    _counter("rows_conflicting", "Rows refused in the fold: a known identity with other content."),
    _counter("outcomes_corrected", "Outcomes replaced by a later one."),
    _counter("outcomes_superseded", "Outcomes older than the one that holds."),
    _counter("predictions_late", "Predictions that came after their drift window had closed."),
    _counter("events", "Events of payload loggers folded."),
    _counter("events_duplicate", "Events that repeat a request or a response that was there already."),
    _counter("events_orphaned", "Requests and responses whose other half did not come in time.", "model", "side"),
    _counter("rows_refused", "Rows of exchanges refused in the fold: what a payload logger sent cannot be taken."),
    _counter("stream_signals", "Changes that a streaming detector found.", "model", "stream"),
    _gauge("rows_to_fold", "Rows that are durable in the log and not folded yet."),
    _gauge("fold_lag_seconds", "Age of the oldest row not folded yet; 0 where none waits."),
    _gauge("log_position", "Sequence number of the model's last batch in the log."),
    _gauge("fold_position", "Sequence number of the model's last folded batch."),
    _gauge("newest_prediction_timestamp_seconds", "Event time of the newest prediction."),
    _gauge("evaluated_timestamp_seconds", "The model's clock at its last evaluation: the dead-man's handle."),
    _counter("windows_evaluated", "Windows measured and judged.", *_WINDOW),
    _counter("window_revisions", "Measurements of windows, late data's new revisions included.", *_WINDOW),
    _gauge("window_length_seconds", "Length of the windows of a family.", *_WINDOW),
    _gauge(
        "window_end_timestamp_seconds",
        "End of the window shown: the newest whose outcomes are in, or the newest where none is.", *_WINDOW,
    ),
    _gauge("window_provisional", "1 while the window shown may still change, for outcomes are due.", *_WINDOW),
    _gauge("label_coverage_ratio", "Share of the predictions of the window shown whose outcome is known.", *_WINDOW),
    _gauge("points_unknown", "Points of the window shown that are unknown, by reason.", *_WINDOW, "reason"),
    _gauge(
        "feature_drift_jensen_shannon_distance",
        "Jensen-Shannon distance (base 2, 0 to 1) of a feature from the reference.", "model", "window", "feature",
    ),
    _gauge(
        "output_drift_jensen_shannon_distance",
        "Jensen-Shannon distance (base 2, 0 to 1) of the model's output from the reference.",
        "model", "window", "output",
    ),
    _gauge("feature_missing_ratio", "Share of rows without a value.", "model", "window", "feature"),
    _gauge("feature_unseen_ratio", "Share of rows whose category the reference has not.", "model", "window", "feature"),
    _gauge("feature_out_of_range_ratio", "Share of rows out of the reference's range.", "model", "window", "feature"),
    _gauge("window_rows", "Rows of the window shown.", "model", "window"),
    _gauge(
        "performance_value", "A performance metric of the window shown, in its own unit.", "model", "window", "metric"
    ),
    _gauge(
        "disparity_value", "A fairness metric between the groups of a protected attribute, in the window shown.",
        "model", "window", "metric", "attribute",
    ),
    _gauge("monitors", "Monitors by their verdict on the window shown.", *_WINDOW, "verdict"),
    _gauge("monitor_breaching", "1 where the monitor's verdict is breach, 0 where ok or inconclusive.", *_MONITOR),
    _gauge("monitor_limit", "The limit that the monitor judges by, in the metric's unit.", *_MONITOR),
    _gauge("incidents", "Incidents on record.", "model", "severity", "state"),
    _gauge("incidents_live", "Incidents that are open or acknowledged.", "model", "kind"),
    _gauge(
        "incident_unacknowledged_age_seconds",
        "Age of the oldest open incident that nobody has acknowledged, on its own clock.", "model", "severity", "clock",
    ),
    _gauge("kpi_ratio", "KPIs of the quarter that are shares, 0 to 1. The KPI itself has no part.", *_KPI),
    _gauge("kpi_seconds", "KPIs of the quarter that are times. The KPI itself has no part.", *_KPI),
    _gauge("kpi_number", "KPIs of the quarter that are numbers of things.", *_KPI),
    _gauge("kpi_per_model_quarter", "KPIs of the quarter by model-quarter of exposure.", *_KPI),
    _gauge("kpi_per_model_week", "KPIs of the quarter by model-week of exposure.", *_KPI),
    _gauge("kpi_per_million_predictions", "KPIs of the quarter by million predictions.", *_KPI),
    _gauge("kpi_unknown", "1 for a KPI of the quarter that has no value, by reason.", "kpi", "clock", "reason"),
    _gauge("kpi_records", "Records that a KPI of the quarter stands on.", "kpi", "clock"),
    _gauge("kpi_period_start_timestamp_seconds", "Start of the quarter that the KPIs are of.", "clock"),
    Name("vigil_notices_to_relay", "gauge", "Notices in the state that wait to be taken over into the log.", ()),
    _gauge("notifications", "Notifications, by what became of them.", "channel", "state"),
    _counter("notification_attempts", "Attempts to send a notification.", "channel"),
    _gauge(
        "notification_oldest_due_seconds", "Age of the oldest notification that is due and waits to be sent.", "channel"
    ),
    _gauge(
        "notifier_last_round_timestamp_seconds", "When relay and delivery last went round without a fault.", "part"
    ),
    _gauge("stalled", "1 where evaluation, relay or delivery stands still: the dead man's switch.", "part"),
    _gauge("silences_active", "Silences and maintenance windows that are on.", "kind"),
    Name(
        "vigil_worker_last_round_timestamp_seconds", "gauge",
        "When the worker last went round without a fault.", (),
    ),
    Name(
        "vigil_fold_duration_seconds", "histogram",
        "Time to fold a batch and to judge the windows that it closes.", (),
    ),
)  # fmt: skip


_FAMILIES: dict[str, Callable[..., Metric]] = {
    "counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily,
}  # fmt: skip


class Page:
    """The families of one scrape, filled by name; what is not filled has no samples."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {n.name: _family(n) for n in NAMES}

    def add(self, name: str, value: float, *labels: str) -> None:
        """A sample of ``vigil_<name>``; ``labels`` in the order of the family's."""
        family = self._families[f"vigil_{name}"]
        assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
        family.add_metric(labels, value)

    def add_histogram(self, name: str, buckets: Sequence[tuple[str, int]], total: float) -> None:
        """The one histogram of ``vigil_<name>``: its cumulative buckets, each by its upper bound, and the sum."""
        family = self._families[f"vigil_{name}"]
        assert isinstance(family, HistogramMetricFamily)
        family.add_metric((), buckets, total)

    def families(self) -> list[Metric]:
        return list(self._families.values())


def _family(n: Name) -> Metric:
    return _FAMILIES[n.type](n.name, n.help, labels=n.labels)
