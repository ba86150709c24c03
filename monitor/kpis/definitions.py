"""What each KPI means, in the order in which a management review reads them. The text goes out with every figure."""

from __future__ import annotations

from typing import NamedTuple

VERSION = 2     # raised when what a figure means changes


class Definition(NamedTuple):
    title: str
    unit: str
    text: str


def _define(title: str, unit: str, *text: str) -> Definition:
    return Definition(title, unit, " ".join(text))


DEFINITIONS = {
    "bias_findings_closed": _define(
        "Bias findings closed", "ratio",
        "Bias findings closed in the period, out of those open at its start, opened in it, or open again in it. A",
        "finding is a fairness incident that was neither a drill nor a false positive. It is closed when its incident",
        "is closed with a passing re-test (the whole interval within the limit in force when it opened), or with a",
        "risk acceptance signed by a second person, counted apart; once that expires it is open again.",
    ),
    "bias_closure_time": _define(
        "Bias closure time", "seconds",
        "Median of closing minus first opening, of the bias findings closed in the period; beside it the ages of",
        "those open at its end.",
    ),
    "bias_incident_rate": _define(
        "Bias incident rate", "per_model_quarter",
        "Fairness incidents opened in the period per model-quarter: each model counts for the part of the quarter",
        "in which it was live. Drills are left out; false positives are shown apart.",
    ),
    "bias_testing_frequency": _define(
        "Bias testing frequency", "ratio",
        "Bias tests finished with enough data out of those due in the period: one for each protected attribute",
        "and fairness window, due when the window and the wait for its outcomes are over. Skipped or insufficient",
        "is not done; a window in which the model was not live throughout is not due.",
    ),
    "model_review_cadence": _define(
        "Model review cadence", "ratio", "Reviews done on time out of those due in the period.",
    ),
    "incident_response_time": _define(
        "Incident response time", "seconds",
        "Time to acknowledge (TTA): median of the first acknowledgement by a person minus opening, of the",
        "incidents opened in the period. One never acknowledged is missing and counted, whatever became of it.",
    ),
    "mttr": _define(
        "Mean time to resolve (MTTR)", "seconds",
        "Mean of the final resolution minus the first opening (the customer's view), of the incidents resolved in",
        "the period; beside it the sum of the stretches in which they were open (the work's view), and the cohort",
        "opened in the period. Drills, false positives and incidents merged into another are shown apart.",
    ),
    "mttd": _define(
        "Mean time to detect (MTTD)", "seconds",
        "Mean of opening minus start (the end of the first breached window), of the incidents opened in the",
        "period: how long the fault ran unseen.",
    ),
    "time_to_recover": _define(
        "Time to recover", "seconds",
        "Mean of the signal's recovery (the end of its first clean window) minus the start, of the incidents",
        "resolved in the period.",
    ),
    "mtbf": _define(
        "Mean time between failures (MTBF)", "seconds",
        "Uptime over failures; a failure is an incident of severity critical, once where incidents were merged. Null",
        "with fewer than two failures,",
        "and while no probe tells the uptime.",
    ),
    "sla_uptime": _define(
        "SLA uptime", "ratio",
        "Time up out of time counted: the period less approved maintenance; unknown time counts as down.",
    ),
    "drift_alerts_handled": _define(
        "Drift alerts handled", "ratio",
        "Drift incidents to which a person gave a disposition in the period (true drift, accepted, false",
        "positive), over those opened in it: above 1 where a backlog was worked off. Resolved by itself without a",
        "person is not handled, nor is a disposition that awaits a second person. Drills, and incidents merged into",
        "another, are left out.",
    ),
    "audit_closure_time": _define(
        "Audit closure time", "seconds", "Median of closed minus raised, of the audit findings closed in the period.",
    ),
    "model_rollback_rate": _define(
        "Model rollback rate", "ratio", "Rollbacks out of deployments in the period.",
    ),
    "model_update_cadence": _define(
        "Model update cadence", "seconds", "Time between deployments, against what the supplier promised.",
    ),
    "monitoring_coverage": _define(
        "Monitoring coverage", "ratio",
        "Live models in scope that were measured, with predictions, in one of the last two windows before the",
        "period's end, out of all live models in scope.",
    ),
    "corrective_actions_effective": _define(
        "Corrective actions effective", "ratio",
        "Effectiveness checks passed out of those due in the period; beside it the actions overdue at its end, and the",
        "incidents opened in it that came back within 90 days.",
    ),
    "capture_ratio": _define(
        "Capture ratio", "ratio",
        "Predictions recorded out of predictions served, by the gateway's or the service's own counter.",
    ),
    "noise": _define(
        "Noise", "ratio",
        "False positives out of the incidents closed in the period, without drills and those merged into another;",
        "beside it incidents opened per model-week, by kind of monitor. The reader of this one is the person who is",
        "paged.",
    ),
}  # fmt: skip

# Those of which no record can be kept yet: the reason that goes out, and what a reader should know.
LATER = {
    "model_review_cadence": ("no_records", "The reviews register comes with a later release."),
    "sla_uptime": ("no_probe", "Nothing probes the models' endpoints yet, so their uptime is unknown."),
    "audit_closure_time": ("no_records", "The register of audit findings comes with a later release."),
    "model_rollback_rate": ("no_deployments", "The register of deployments comes with a later release."),
    "model_update_cadence": ("no_deployments", "The register of deployments comes with a later release."),
    "capture_ratio": ("no_counter", "No gateway's or service's own counter of predictions is given."),
}
