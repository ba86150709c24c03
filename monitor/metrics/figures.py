"""A snapshot of the state as samples. Unknown is absent, with its reason counted apart; never 0, never NaN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from detectors.scope import Scope
from incidents.incident import State
from incidents.verdict import Kind, Severity, VerdictKind
from monitor.judge.windows import Family
from monitor.log.waiting import Waiting
from monitor.metrics.names import Page
from monitor.metrics.snapshot import ShownWindow, Snapshot
from monitor.model import ModelSpec

_COUNTERS = {
    "predictions": "predictions_total",
    "outcomes": "outcomes_total",
    "joined": "outcomes_joined_total",
    "orphans": "outcomes_orphaned",
    "duplicates": "rows_duplicate_total",
    "conflicts": "rows_conflicting_total",
    "corrections": "outcomes_corrected_total",
    "superseded": "outcomes_superseded_total",
    "late": "predictions_late_total",
}
_OF_EVENTS = {"events": "events_total", "duplicate_events": "events_duplicate_total", "refused": "rows_refused_total"}
_BY_FEATURE = {
    "jensen_shannon": "feature_drift_jensen_shannon_distance",
    "missing_rate": "feature_missing_ratio",
    "unseen_category_rate": "feature_unseen_ratio",
    "out_of_range_rate": "feature_out_of_range_ratio",
}


def add_model(page: Page, spec: ModelSpec, event_clock: bool) -> None:
    clock = "event" if event_clock else "wall"
    page.add("model_info", 1, spec.model, spec.task, spec.risk_tier or "", spec.owner or "", clock)


def add_fold(page: Page, snapshot: Snapshot) -> None:
    """How far each model's data are folded: totals, and the instants of the newest things."""
    names = _names(snapshot)
    for m in snapshot.models:
        for counted, name in _COUNTERS.items():
            page.add(name, m.counts.get(counted, 0), m.name)
        if m.counts.get("events"):
            for counted, name in _OF_EVENTS.items():
                page.add(name, m.counts.get(counted, 0), m.name)
            for side in ("request", "response"):
                page.add("events_orphaned_total", m.counts.get(f"orphan_{side}s", 0), m.name, side)
        page.add("fold_position", m.cursor, m.name)
        if m.last_prediction:
            page.add("newest_prediction_timestamp_seconds", m.last_prediction / 1e6, m.name)
        if m.evaluated_at is not None:
            page.add("evaluated_timestamp_seconds", m.evaluated_at / 1e6, m.name)
    for model, stream, count in snapshot.signals:
        page.add("stream_signals_total", count, names[model], stream)


def add_worker(page: Page, snapshot: Snapshot) -> None:
    """What the worker last said of itself, in whichever process it runs: where that has ended, it only grows old."""
    beat = snapshot.heartbeat
    if beat is None:
        return
    page.add_histogram("fold_duration_seconds", [(str(bound), int(n)) for bound, n in beat.buckets], beat.seconds)
    if beat.last_round is not None:
        page.add("worker_last_round_timestamp_seconds", beat.last_round / 1e6)


def add_backlog(page: Page, backlog: Mapping[str, Waiting], now: int) -> None:
    """What is durable and waits for the fold."""
    for model, behind in backlog.items():
        lag = 0.0 if behind.oldest is None else max((now - behind.oldest) / 1e6, 0.0)
        page.add("rows_to_fold", behind.rows, model)
        page.add("fold_lag_seconds", lag, model)
        page.add("log_position", behind.head, model)


def add_windows(page: Page, snapshot: Snapshot) -> None:
    """The window shown of each track: its figures, and what its monitors say."""
    names = _names(snapshot)
    for w in snapshot.windows:
        where = (names[w.model], w.family, w.window)
        page.add("windows_evaluated_total", w.count, *where)
        page.add("window_revisions_total", w.revisions, *where)
        page.add("window_length_seconds", w.seconds, *where)
        page.add("window_end_timestamp_seconds", w.end / 1e6, *where)
        page.add("window_provisional", not w.settled, *where)
        if w.family != _DRIFT and w.coverage is not None:
            page.add("label_coverage_ratio", w.coverage, *where)
    reasons: Counter[tuple[str, ...]] = Counter()
    seen: set[tuple[ShownWindow, int]] = set()
    for w, p in snapshot.points:
        if (w, p.id) in seen:       # a point comes once for each of its verdicts
            continue
        seen.add((w, p.id))
        if p.value is None:
            reasons[names[w.model], w.family, w.window, p.reason] += 1
        else:
            _add_point(page, names[w.model], w, p.metric, Scope.parse(p.scope), p.value)
    for reason, count in reasons.items():
        page.add("points_unknown", count, *reason)
    _add_verdicts(page, snapshot, names)


_DRIFT: Family = "drift"


def _add_point(page: Page, model: str, w: ShownWindow, metric: str, scope: Scope, value: float) -> None:
    """A known point under the name that its metric and scope have; points of groups and segments have none."""
    if scope.feature is not None and metric in _BY_FEATURE:
        page.add(_BY_FEATURE[metric], value, model, w.window, scope.feature)
    elif scope.output is not None and metric == "jensen_shannon":
        page.add("output_drift_jensen_shannon_distance", value, model, w.window, scope.output)
    elif scope == Scope() and w.family == "performance" and metric != "label_coverage":
        page.add("performance_value", value, model, w.window, metric)
    elif scope == Scope() and metric == "row_count":
        page.add("window_rows", value, model, w.window)
    elif scope == Scope(attribute=scope.attribute) and scope.attribute is not None:
        page.add("disparity_value", value, model, w.window, metric, scope.attribute)


def _add_verdicts(page: Page, snapshot: Snapshot, names: Mapping[int, str]) -> None:
    """How many monitors say what, and each one's limit; two monitors of one severity are told as one, the worse."""
    said: dict[tuple[str, ...], int] = {
        (names[w.model], w.family, w.window, v.value): 0 for w in snapshot.windows for v in VerdictKind
    }
    breaching: dict[tuple[str, ...], int] = {}
    limits: dict[tuple[str, ...], float] = {}
    for w, p in snapshot.points:
        if p.monitor is None:
            continue
        said[names[w.model], w.family, w.window, p.verdict] += 1
        scope = Scope.parse(p.scope)
        if scope.group is not None or scope.segment is not None or scope.version is not None:
            continue
        labels: tuple[str, ...] = (names[w.model], w.window, p.metric, p.scope, p.severity)
        if p.verdict != VerdictKind.UNKNOWN.value:
            breaching[labels] = max(breaching.get(labels, 0), p.verdict == VerdictKind.BREACH.value)
        if p.limit is not None:
            limits.setdefault(labels, p.limit)
    for name, found in (("monitors", said), ("monitor_breaching", breaching), ("monitor_limit", limits)):
        for labels, value in found.items():
            page.add(name, value, *labels)


def add_incidents(page: Page, snapshot: Snapshot, now: int) -> None:
    """Incidents of every model; none is a true 0. An age runs on the incident's own clock."""
    names = _names(snapshot)
    clocks = {m.id: m.clock for m in snapshot.models}
    on_record: Counter[tuple[int, str, str]] = Counter()
    live: Counter[tuple[int, str]] = Counter()
    for model, kind, severity, state, count in snapshot.incidents:
        on_record[model, severity, state] += count
        if state in (State.OPEN.value, State.ACKNOWLEDGED.value):
            live[model, kind] += count
    for model, name in names.items():
        for severity in Severity:
            for state in State:
                page.add("incidents", on_record[model, severity.value, state.value], name, severity.value, state.value)
        for kind in Kind:
            page.add("incidents_live", live[model, kind.value], name, kind.value)
    for u in snapshot.unacknowledged:
        at = clocks[u.model] if u.clock == "event" else now
        age = max((at - u.at) / 1e6, 0.0)
        page.add("incident_unacknowledged_age_seconds", age, names[u.model], u.severity, u.clock)


def _names(snapshot: Snapshot) -> dict[int, str]:
    return {m.id: m.name for m in snapshot.models}
