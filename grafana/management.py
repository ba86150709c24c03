"""The dashboard of management: the KPIs of the quarter, and how models, incidents and fairness stand."""

from __future__ import annotations

from grafana import panels as p

UID = "vigil-management"

_M = 'model=~"$model"'
_CLOCK = 'clock="$clock"'
_MAIN = f'part="",{_CLOCK}'
_KPI = {"kpi": "KPI", "part": "Figure"}


def build() -> p.Json:
    """
    >>> build()["uid"]
    'vigil-management'
    """
    return p.dashboard(
        UID,
        "Vigil: management",
        "The KPIs of the quarter, and how models, incidents and fairness stand. What counts is the quarterly export: "
        "Prometheus forgets, and Vigil's own records do not.",
        [
            p.query_variable("model", "Model", "label_values(vigil_model_info, model)", many=True),
            # From Z to A, so that wall comes first; event is what a replay runs on.
            p.query_variable("clock", "Clock", "label_values(vigil_kpi_records, clock)", many=False, sort=2),
        ],
        [*_overview(), *_kpis(), *_incidents(), *_models()],
        since="90d",
        refresh="15m",
        links=[p.link("On call", "vigil-on-call")],
    )


def _overview() -> list[p.Json]:
    return [
        p.row("At a glance"),
        p.stat("Models watched", "Models that are declared.", f"count(vigil_model_info{{{_M}}})", "short"),
        p.stat(
            "Live incidents", "Open or acknowledged: somebody is still to resolve them.",
            f'sum(vigil_incidents{{{_M},state=~"open|acknowledged"}})', "short", thresholds=p.steps((1, p.WARN)),
        ),
        p.stat(
            "Live bias incidents", "Open or acknowledged incidents of fairness.",
            f'sum(vigil_incidents_live{{{_M},kind="fairness"}})', "short", thresholds=p.steps((1, p.BAD)),
        ),
        p.stat(
            "Monitors in order", "Monitors that are ok, of all; unknown and inconclusive ones are not in order.",
            f'sum(vigil_monitors{{{_M},verdict="ok"}}) / sum(vigil_monitors{{{_M}}})', "percentunit",
            thresholds=p.steps((0.9, p.WARN), (0.95, p.GOOD), base=p.BAD), decimals=1,
        ),
        p.stat(
            "Predictions on record", "Predictions folded, each counted once.",
            f"sum(vigil_predictions_total{{{_M}}})", "short",
        ),
        p.stat(
            "Quarter of the KPIs", "Its first day; of a replay it is the quarter in which its data end.",
            f"max(vigil_kpi_period_start_timestamp_seconds{{{_CLOCK}}}) * 1000", "dateTimeAsIso",
        ),
    ]  # fmt: skip


def _kpis() -> list[p.Json]:
    return [
        p.row("KPIs of the quarter, over all models in scope"),
        p.table(
            "Shares", "KPIs that are shares; GET /v1/kpis has their definitions. One without data is not here.",
            f"vigil_kpi_ratio{{{_CLOCK}}}", _KPI, "Share", "percentunit", decimals=1,
        ),
        p.table(
            "Times", "KPIs that are times: to acknowledge, to resolve, to detect, to close.",
            f"vigil_kpi_seconds{{{_CLOCK}}}", _KPI, "Time", "s",
        ),
        p.table(
            "Rates", "Incidents by exposure: a model that is watched for the whole quarter is one model-quarter.",
            f"vigil_kpi_per_model_quarter{{{_CLOCK}}} or vigil_kpi_per_model_week{{{_CLOCK}}} "
            f"or vigil_kpi_per_million_predictions{{{_CLOCK}}}",
            _KPI, "Rate", "short", decimals=3,
        ),
        p.table(
            "Numbers", "How many of each there were in the quarter, or at its end.",
            f"vigil_kpi_number{{{_CLOCK}}}", _KPI, "Number", "short",
        ),
        p.table(
            "Not known, and why", "KPIs of the quarter without a value. Missing data is never shown as 0.",
            f"vigil_kpi_unknown{{{_CLOCK}}}", {"kpi": "KPI", "reason": "Reason"}, "Unknown", "short",
        ),
        p.timeseries(
            "Shares over time", "The quarter's figures as they stood; at a quarter's start they begin anew.",
            [p.target(f"vigil_kpi_ratio{{{_MAIN}}}", "{{kpi}}")], "percentunit",
        ),
    ]  # fmt: skip


def _incidents() -> list[p.Json]:
    return [
        p.row("Incidents"),
        p.timeseries(
            "Incidents on record", "All incidents by state.",
            [p.target(f"sum by (state) (vigil_incidents{{{_M}}})", "{{state}}")], "short",
        ),
        p.table(
            "By model and severity", "Incidents on record that are not closed.",
            f'sum by (model, severity, state) (vigil_incidents{{{_M},state!="closed"}}) > 0',
            {"model": "Model", "severity": "Severity", "state": "State"}, "Incidents", "short",
        ),
    ]  # fmt: skip


def _models() -> list[p.Json]:
    return [
        p.row("Models"),
        p.table(
            "Register", "Every model that is declared.",
            f"vigil_model_info{{{_M}}}",
            {"model": "Model", "task": "Task", "risk_tier": "Risk", "owner": "Owner", "clock": "Clock"},
            "Declared", "short",
        ),
        p.table(
            "Verdicts", "What the monitors of each family say of the latest judged window.",
            f"sum by (model, family, verdict) (vigil_monitors{{{_M}}}) > 0",
            {"model": "Model", "family": "Family", "verdict": "Verdict"}, "Monitors", "short",
        ),
        p.timeseries(
            "Disparity", "The largest difference between two groups, by protected attribute; 0 is parity.",
            [p.target(f'vigil_disparity_value{{{_M},metric=~".*_difference"}}', "{{model}} {{attribute}} {{metric}}")],
            "percentunit", thresholds=p.steps((0.1, p.BAD)),
        ),
        p.timeseries(
            "Largest drift", "The feature furthest from the reference, by model: Jensen-Shannon distance.",
            [p.target(f"max by (model) (vigil_feature_drift_jensen_shannon_distance{{{_M}}})", "{{model}}")], "none",
            thresholds=p.steps((0.1, p.BAD)), most=1,
        ),
    ]  # fmt: skip
