"""The dashboard of the person on call: what is wrong now, with which model, and whether Vigil itself is well."""

from __future__ import annotations

from grafana import panels as p

UID = "vigil-on-call"

_M = 'model=~"$model"'
_RATE = "[$__rate_interval]"
_DISTANCE = p.steps((0.1, p.BAD))


def build() -> p.Json:
    """
    >>> build()["uid"]
    'vigil-on-call'
    """
    return p.dashboard(
        UID,
        "Vigil: on call",
        "What is wrong now, with which model, and whether Vigil itself is well.",
        [p.query_variable("model", "Model", "label_values(vigil_model_info, model)", many=True)],
        [*_now(), *_models(), *_fairness(), *_data(), *_delivery(), *_service()],
        since="24h",
        refresh="1m",
        links=[p.link("Management", "vigil-management")],
    )


def _now() -> list[p.Json]:
    return [
        p.row("Now"),
        p.stat(
            "Live incidents", "Open or acknowledged: somebody is still to resolve them.",
            f'sum(vigil_incidents{{{_M},state=~"open|acknowledged"}})', "short",
            thresholds=p.steps((1, p.WARN)),
        ),
        p.stat(
            "Critical", "Live incidents of severity critical.",
            f'sum(vigil_incidents{{{_M},severity="critical",state=~"open|acknowledged"}})', "short",
            thresholds=p.steps((1, p.BAD)),
        ),
        p.stat(
            "Oldest unacknowledged", "Age of the oldest incident that nobody has acknowledged, on its own clock.",
            f"max(vigil_incident_unacknowledged_age_seconds{{{_M}}})", "s",
            thresholds=p.steps((3600, p.WARN), (86400, p.BAD)),
        ),
        p.stat(
            "Monitors breaching", "Monitors whose verdict on the latest judged window is breach.",
            f'sum(vigil_monitors{{{_M},verdict="breach"}})', "short", thresholds=p.steps((1, p.WARN)),
        ),
        p.stat(
            "Monitors unknown", "Monitors with too little to judge by. Unknown is not health.",
            f'sum(vigil_monitors{{{_M},verdict="unknown"}})', "short", thresholds=p.steps((1, p.WARN)),
        ),
        p.stat(
            "Worker silent for", "Time since the worker last went round without a fault.",
            "time() - max(vigil_worker_last_round_timestamp_seconds)", "s",
            thresholds=p.steps((60, p.WARN), (300, p.BAD)),
        ),
        p.timeseries(
            "Live incidents by kind", "Open or acknowledged incidents: drift, quality, performance, fairness, service.",
            [p.target(f"sum by (kind) (vigil_incidents_live{{{_M}}})", "{{kind}}")], "short",
        ),
        p.table(
            "Monitors in breach", "What breaches in the window shown, and how severe it is.",
            f"vigil_monitor_breaching{{{_M}}} == 1",
            {"model": "Model", "metric": "Metric", "scope": "Of", "window": "Window", "severity": "Severity"},
            "Breach", "short",
        ),
    ]  # fmt: skip


def _models() -> list[p.Json]:
    return [
        p.row("Drift and performance"),
        p.bars(
            "Drift by feature", "Jensen-Shannon distance (base 2, 0 to 1) of the latest window from the reference.",
            f"sort_desc(vigil_feature_drift_jensen_shannon_distance{{{_M}}})", "{{model}} {{feature}}", "none",
            thresholds=_DISTANCE, most=1,
        ),
        p.timeseries(
            "Drift of the output", "Jensen-Shannon distance of the score or value from the reference.",
            [p.target(f"vigil_output_drift_jensen_shannon_distance{{{_M}}}", "{{model}} {{output}}")], "none",
            thresholds=_DISTANCE, most=1,
        ),
        p.timeseries(
            "Performance", "Metrics of the newest window whose outcomes are in, each in its own unit.",
            [p.target(f"vigil_performance_value{{{_M}}}", "{{model}} {{metric}}")], "none", least=None,
        ),
        p.timeseries(
            "Limits of performance", "The limits that the monitors of performance judge by.",
            [p.target(f'vigil_monitor_limit{{{_M},scope="model",metric!="row_count"}}', "{{model}} {{metric}}")],
            "none", least=None,
        ),
    ]  # fmt: skip


def _fairness() -> list[p.Json]:
    return [
        p.row("Fairness"),
        p.bars(
            "Differences by protected attribute", "The largest difference between two groups; 0 is parity.",
            f'sort_desc(vigil_disparity_value{{{_M},metric=~".*_difference"}})', "{{model}} {{attribute}} {{metric}}",
            "percentunit", thresholds=p.steps((0.1, p.BAD)), most=1,
        ),
        p.bars(
            "Ratios by protected attribute", "The least ratio of two groups' rates; 1 is parity, 0.8 four fifths.",
            f'sort(vigil_disparity_value{{{_M},metric=~".*_ratio"}})', "{{model}} {{attribute}} {{metric}}",
            "percentunit", thresholds=p.steps((0.8, p.GOOD), base=p.BAD), most=1,
        ),
        p.timeseries(
            "Outcomes known", "Share of the predictions of the window shown whose outcome is known.",
            [p.target(f"vigil_label_coverage_ratio{{{_M}}}", "{{model}} {{family}} {{window}}")], "percentunit",
            thresholds=p.steps((0.8, p.GOOD), base=p.BAD), most=1,
        ),
        p.table(
            "Points unknown", "Measurements without a value in the window shown, and the reason.",
            f"vigil_points_unknown{{{_M}}}",
            {"model": "Model", "family": "Family", "window": "Window", "reason": "Reason"}, "Points", "short",
        ),
    ]  # fmt: skip


def _data() -> list[p.Json]:
    return [
        p.row("Data"),
        p.timeseries(
            "Rows taken", "Rows a second of answered batches, by model and kind.",
            [p.target(f'sum by (model, kind) (rate(vigil_ingest_rows_total{{{_M},result="accepted"}}{_RATE}))',
                      "{{model}} {{kind}}")], "rowsps",
        ),
        p.timeseries(
            "Rows not counted", "Rows a second that were rejected, repeated, in conflict or late.",
            [
                p.target(f'sum by (model) (rate(vigil_ingest_rows_total{{{_M},result="rejected"}}{_RATE}))',
                         "{{model}} rejected"),
                p.target(f"rate(vigil_rows_duplicate_total{{{_M}}}{_RATE})", "{{model}} duplicate"),
                p.target(f"rate(vigil_rows_conflicting_total{{{_M}}}{_RATE})", "{{model}} conflict"),
                p.target(f"rate(vigil_predictions_late_total{{{_M}}}{_RATE})", "{{model}} late"),
            ], "rowsps",
        ),
        p.bars(
            "Data quality", "The ten highest shares of missing values, unseen categories and values out of range.",
            f'topk(10, {{__name__=~"vigil_feature_(missing|unseen|out_of_range)_ratio",{_M}}})',
            "{{model}} {{feature}} {{__name__}}", "percentunit", thresholds=p.steps((0.01, p.WARN), (0.05, p.BAD)),
            most=1,
        ),
        p.table(
            "Windows shown", "Where the figures of this page come from: the end of each family's window.",
            f"vigil_window_end_timestamp_seconds{{{_M}}} * 1000",
            {"model": "Model", "family": "Family", "window": "Length"}, "Window ended", "dateTimeAsIso",
        ),
        p.stat(
            "Outcomes without prediction", "Outcomes that wait for their prediction.",
            f"sum(vigil_outcomes_orphaned{{{_M}}})", "short", 6, thresholds=p.steps((1, p.WARN)),
        ),
        p.stat(
            "Newest prediction", "Event time of the newest prediction of any model chosen.",
            f"max(vigil_newest_prediction_timestamp_seconds{{{_M}}}) * 1000", "dateTimeAsIso", 6,
        ),
    ]  # fmt: skip


def _delivery() -> list[p.Json]:
    return [
        p.row("Notifications"),
        p.stat(
            "Stalled", "Whether evaluation, relay or delivery stands still.", "max(vigil_stalled)", "short", 6,
            thresholds=p.steps((1, p.BAD)),
        ),
        p.stat(
            "Dead letters", "Notifications that a receiver refused, or that were given up after a day.",
            'sum(vigil_notifications{state="dead"}) or vector(0)', "short", 6, thresholds=p.steps((1, p.BAD)),
        ),
        p.stat(
            "Oldest due", "Age of the oldest notification that is due and waits to be sent.",
            "max(vigil_notification_oldest_due_seconds) or vector(0)", "s", 6,
            thresholds=p.steps((60, p.WARN), (600, p.BAD)),
        ),
        p.stat("Silences", "Silences and maintenance windows that are on.", "sum(vigil_silences_active)", "short", 6),
        p.timeseries(
            "Attempts", "Attempts a second to send a notification, by channel.",
            [p.target(f"sum by (channel) (rate(vigil_notification_attempts_total{_RATE})) or vector(0)",
                      "{{channel}}")], "short",
        ),
        p.timeseries(
            "Waiting", "Notifications that wait, steps and reminders to come among them, by channel.",
            [p.target('sum by (channel) (vigil_notifications{state="waiting"}) or vector(0)', "{{channel}}")], "short",
        ),
    ]  # fmt: skip


def _service() -> list[p.Json]:
    return [
        p.row("Vigil itself"),
        p.timeseries(
            "Backlog", "Rows that are durable and not folded yet, and the age of the oldest.",
            [p.target(f"sum by (model) (vigil_rows_to_fold{{{_M}}})", "{{model}} rows")], "short",
        ),
        p.timeseries(
            "Age of the backlog", "Age of the oldest row not folded yet.",
            [p.target(f"vigil_fold_lag_seconds{{{_M}}}", "{{model}}")], "s", thresholds=p.steps((300, p.BAD)),
        ),
        p.timeseries(
            "Requests", "HTTP requests a second by route and status.",
            [p.target(f"sum by (route, status) (rate(vigil_http_requests_total{_RATE}))", "{{route}} {{status}}")],
            "reqps",
        ),
        p.timeseries(
            "Time to answer, p95", "95th percentile of the time to answer, by route.",
            [p.target("histogram_quantile(0.95, sum by (route, le) "
                      f"(rate(vigil_http_request_duration_seconds_bucket{_RATE})))", "{{route}}")], "s",
        ),
        p.timeseries(
            "Time to make durable", "A group of batches into the log: median and 99th percentile.",
            _quantiles("vigil_log_append_duration_seconds"), "s",
        ),
        p.timeseries(
            "Time to fold a batch", "Fold and judgement of one batch: median and 99th percentile.",
            _quantiles("vigil_fold_duration_seconds"), "s",
        ),
        p.stat(
            "Appends that failed", "Groups of batches refused with 503 in the last hour: the log could not be written.",
            "sum(increase(vigil_log_append_failures_total[1h]))", "short", 6, thresholds=p.steps((1, p.BAD)),
        ),
        p.stat(
            "Memory", "Resident memory of the process.", 'sum(process_resident_memory_bytes{job="vigil"})',
            "bytes", 6, thresholds=p.steps((500e6, p.WARN)),
        ),
        p.stat(
            "Processor", "Cores in use.", 'sum(rate(process_cpu_seconds_total{job="vigil"}[5m]))', "short", 6,
            decimals=2,
        ),
        p.stat("Version", "What runs.", "vigil_build_info", "short", 6, legend="{{version}}"),
    ]  # fmt: skip


def _quantiles(histogram: str) -> list[p.Json]:
    return [
        p.target(f"histogram_quantile({q}, sum by (le) (rate({histogram}_bucket{_RATE})))", f"p{q * 100:g}")
        for q in (0.5, 0.99)
    ]
