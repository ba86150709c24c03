"""The parts of a model's page: drift, performance, fairness and data quality, each read only as far as it is drawn."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from api import charts
from api.pages import headline, number_format
from detectors.scope import Scope
from incidents.verdict import Kind
from monitor import views
from monitor.errors import InvalidInput, NotFound
from monitor.judge.measure import Watch
from monitor.store import streams
from monitor.store.models import ModelState
from monitor.times import from_micros, to_micros

MOST_SIGNALS = 5_000
DISPARITIES = ("demographic_parity_ratio", "equal_opportunity_difference", "equalized_odds_difference")
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


def sections(
    db: Connection,
    state: ModelState,
    watch: Watch,
    window: str | None,
    feature: str | None,
    metric: str | None,
    attribute: str | None,
) -> dict[str, Any]:
    """All parts of a model's page, from one consistent view."""
    tracks = {family: name for name in views.track_names(db, state.id) for family in (name.partition("/")[0],)}
    mine = views.listed(db, state.id)
    if "drift" not in tracks:
        return {"incidents": mine}
    at = _instant(window)
    signals = streams.list_signals(db, state.id, MOST_SIGNALS)
    spans = views.spans(db, state.id, tracks["drift"])
    page: dict[str, Any] = {"incidents": mine, "spans": [_iso(s) for s in spans]}
    chosen = _holding(spans, at) or spans[-1]
    page |= {"window": _iso(chosen), "latest": chosen == spans[-1], "at": spans.index(chosen)}

    def marks(kinds: tuple[Kind, ...], stream: str) -> list[dict[str, Any]]:
        of_kind = [i for i in mine if i.fingerprint.kind in kinds]
        every = (chosen[1] - chosen[0]) // 1000
        return charts.occasions(of_kind, [s for s in signals if s["stream"] == stream], every)

    drift_marks = marks((Kind.DRIFT, Kind.QUALITY, Kind.SERVICE), "score")
    page |= _drift(db, state, watch, tracks["drift"], chosen, feature, drift_marks)
    if "performance" in tracks:
        error_marks = marks((Kind.PERFORMANCE,), "error")
        page |= _performance(db, state, watch, tracks["performance"], at, metric, error_marks)
    if "fairness" in tracks and watch.spec.protected_attributes:
        page |= _fairness(db, state, watch, tracks["fairness"], at, attribute, mine)
    return page


def _drift(
    db: Connection,
    state: ModelState,
    watch: Watch,
    track: str,
    window: tuple[int, int],
    feature: str | None,
    marks: list[dict[str, Any]],
) -> dict[str, Any]:
    columns, output = watch.reference.space.features, watch.reference.space.output
    now = views.window_points(db, state.id, track, window[0])
    distance = {j.point.scope: j for j in now if j.point.metric == "jensen_shannon"}
    order = sorted((c.name for c in columns), key=lambda name: _worst_first(distance.get(Scope(feature=name))))
    feature = feature or order[0]
    if feature not in order:
        raise NotFound(f"the model has no feature '{feature}'", f"It has {', '.join(order)}")
    of_feature = {Scope(feature=name).text: name for name in order}
    cells = [
        (of_feature[scope], start, end, value, verdict)
        for scope, start, end, value, verdict in views.strip(db, state.id, "jensen_shannon")
        if scope in of_feature
    ]
    limit = next((m.breach.high for m in watch.monitors if m.metric == "jensen_shannon"), None)
    shape = views.distribution(db, state, watch.reference, feature, *window)

    def line(scope: Scope, height: int) -> charts.Spec:
        rows = views.series(db, state.id, "jensen_shannon", scope.text)
        return charts.trend(rows, "distance", marks=marks, selected=window[0] // 1000, height=height)

    output_shape = views.distribution(db, state, watch.reference, output.name, *window)
    return {
        "feature": feature,
        "features": [(name, distance.get(Scope(feature=name))) for name in order],
        "heat": charts.heat(cells, order, limit),
        "feature_line": line(Scope(feature=feature), max(170, charts.BAR * len(shape.labels))),
        "feature_bars": (charts.bars(shape), shape),
        "output": output.name,
        "output_line": line(Scope(output=output.name), max(170, charts.BAR * len(output_shape.labels))),
        "output_bars": (charts.bars(output_shape), output_shape),
        "quality": _quality(now, [*order, output.name]),
    }


def _quality(now: list[views.Judged], columns: list[str]) -> dict[str, Any]:
    """The window's data quality by column: what is missing, unseen and out of range."""
    metrics = ("missing_rate", "unseen_category_rate", "out_of_range_rate")
    of = {(j.point.scope.feature or j.point.scope.output, j.point.metric): j for j in now}
    rows = of.get((None, "row_count"))
    return {"metrics": metrics, "rows": rows, "table": [(c, [of.get((c, m)) for m in metrics]) for c in columns]}


def _performance(
    db: Connection,
    state: ModelState,
    watch: Watch,
    track: str,
    at: int | None,
    metric: str | None,
    marks: list[dict[str, Any]],
) -> dict[str, Any]:
    metric = metric or headline(watch.spec)
    spans = views.spans(db, state.id, track)
    window = _holding(spans, at) or views.last_known(db, state.id, track, metric) or spans[-1]
    found = [j for j in views.window_points(db, state.id, track, window[0]) if j.point.scope == Scope()]
    measured = [j.point.metric for j in found if j.point.metric != "label_coverage"]
    if metric not in measured:
        raise NotFound(f"'{metric}' is not measured here", f"Measured are {', '.join(measured)}")
    rows = views.series(db, state.id, metric, Scope().text)
    coverage = views.series(db, state.id, "label_coverage", Scope().text)
    unit, known, start = number_format(metric), watch.baseline.get((metric, "model")), window[0] // 1000
    line = charts.trend(rows, metric, unit=unit, reference=known, marks=marks, selected=start, height=240)
    return {
        "metric": metric,
        "metric_line": line,
        "coverage_line": charts.trend(coverage, "coverage", unit="~%", selected=start, height=70),
        "performance": [(j, watch.baseline.get((j.point.metric, "model"))) for j in found],
        "performance_window": _iso(window),
    }


def _fairness(
    db: Connection,
    state: ModelState,
    watch: Watch,
    track: str,
    at: int | None,
    attribute: str | None,
    mine: list[views.Listed],
) -> dict[str, Any]:
    attributes = list(watch.spec.protected_attributes)
    attribute = attribute or attributes[0]
    if attribute not in attributes:
        raise NotFound(f"'{attribute}' is not a protected attribute", f"Declared are {', '.join(attributes)}")
    spans = views.spans(db, state.id, track)
    window = _holding(spans, at) or views.last_known(db, state.id, track, RATES[1]) or spans[-1]
    start = window[0] // 1000
    marks = charts.occasions([i for i in mine if i.fingerprint.attribute == attribute], [])
    lines = []
    for metric in DISPARITIES:
        rows = views.series(db, state.id, metric, Scope(attribute=attribute).text)
        known = watch.baseline.get((metric, Scope(attribute=attribute).text))
        chart = charts.trend(
            rows, metric, unit=number_format(metric), reference=known, marks=marks, selected=start, height=140
        )
        lines.append((metric, chart))
    return {
        "attribute": attribute,
        "attributes": attributes,
        "disparities": lines,
        "fairness_window": _iso(window),
        **groups(db, state, watch, track, attribute, window[0]),
    }


def groups(
    db: Connection, state: ModelState, watch: Watch, track: str, attribute: str, start: int
) -> dict[str, Any]:
    """Rates by group in one window, as charts; the groups that are too small are named, and nothing else of them."""
    found = [j for j in views.window_points(db, state.id, track, start) if j.point.scope.attribute == attribute]
    declared = watch.spec.protected_attributes[attribute]
    rates = []
    for metric in RATES:
        of = [j for j in found if j.point.metric == metric and j.point.scope.group is not None]
        rates.append((metric, charts.whiskers(of, declared.reference_group)))
    few = sorted({
        j.point.scope.group
        for j in found
        if j.point.scope.group is not None and j.point.metric == RATES[0] and not j.point.measurement.known
    })  # fmt: skip
    return {"rates": rates, "too_few": few, "min_group": declared.min_group}


def _worst_first(judged: views.Judged | None) -> tuple[bool, float]:
    """Sorts what is in breach first, then by value, and what is unknown last."""
    if judged is None or judged.point.measurement.value is None:
        return True, 1.0
    return judged.verdict != "breach", -judged.point.measurement.value


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"'{text[:40]}' is no instant", "Write one as 2026-01-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise InvalidInput(f"'{text[:40]}' has no time zone", "Write one as 2026-01-01T00:00:00Z")
    return to_micros(found)


def _holding(spans: list[tuple[int, int]], at: int | None) -> tuple[int, int] | None:
    """The window that holds an instant; ``None`` where none was asked for, or none holds it."""
    return None if at is None else next((s for s in spans if s[0] <= at < s[1]), None)


def _iso(span: tuple[int, int]) -> tuple[datetime, datetime]:
    return from_micros(span[0]), from_micros(span[1])
