"""The parts of a model's page: drift, performance, fairness and data quality, each read only as far as it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from api import charts
from api.pages import headline
from api.section_fairness import attributes, by_group, fairness
from api.section_performance import performance
from detectors.scope import Scope
from incidents.verdict import Kind
from monitor import views
from monitor.errors import InvalidInput, NotFound
from monitor.judge.watch import Watch
from monitor.store import lists, streams
from monitor.store.lists import Filter
from monitor.store.models import ModelState
from monitor.times import from_micros, to_micros

MOST_SIGNALS = 5_000
LATEST_SIGNALS = 8
MOST_MARKS = 200     # incidents on the axis, the live and the latest
DISTANCE = "jensen_shannon"
MOVED = (Kind.DRIFT, Kind.QUALITY, Kind.SERVICE)


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
    mine = lists.page(db, Filter(frozenset({state.name})), MOST_MARKS).items
    if "drift" not in tracks:
        return {"incidents": mine, "signals": []}
    at = _instant(window)
    signals = streams.list_signals(db, state.id, MOST_SIGNALS)
    spans = views.spans(db, state.id, tracks["drift"])
    page: dict[str, Any] = {"incidents": mine, "spans": [_iso(s) for s in spans]}
    chosen = _holding(spans, at) or spans[-1]
    page |= {"window": _iso(chosen), "latest": chosen == spans[-1], "at": spans.index(chosen)}

    def marks(kinds: tuple[Kind, ...], *of: str) -> list[dict[str, Any]]:
        of_kind = [i for i in mine if i.fingerprint.kind in kinds]
        every = (chosen[1] - chosen[0]) // 1000
        return charts.occasions(of_kind, [s for s in signals if s["stream"] in of], every)

    page["signals"] = [s | {"instant": from_micros(s["at"])} for s in signals[:LATEST_SIGNALS]]
    page["more_signals"] = len(signals[LATEST_SIGNALS:])
    page["alarms"] = views.false_alarms(db, state, watch.tracks)
    page |= _drift(db, state, watch, tracks["drift"], chosen, feature, partial(marks, MOVED))
    if "performance" in tracks:
        headed = headline(watch.spec)
        span = _measured(db, state, tracks["performance"], at, headed)
        found = marks((Kind.PERFORMANCE,), "error", f"metric:{metric or headed}")
        page["performance_window"] = _iso(span)
        page |= performance(db, state, watch, tracks["performance"], span, metric, found)
    if "fairness" in tracks and attributes(watch):
        span = _measured(db, state, tracks["fairness"], at, by_group(watch)[1])
        page["fairness_window"] = _iso(span)
        page |= fairness(db, state, watch, tracks["fairness"], span, attribute, mine)
    return page


def _drift(
    db: Connection,
    state: ModelState,
    watch: Watch,
    track: str,
    window: tuple[int, int],
    feature: str | None,
    marks: Callable[..., list[dict[str, Any]]],
) -> dict[str, Any]:
    space = watch.reference.space
    now = views.window_points(db, state.id, track, window[0])
    distance = {j.point.scope: j for j in now if j.point.metric == DISTANCE}
    order = sorted((c.name for c in space.features), key=lambda name: _worst_first(distance.get(Scope(feature=name))))
    feature = feature or next(iter(order), None)
    embeddings = [names[0] for names in space.projected if len(names) == 1 and names[0] not in order]
    if feature is not None and feature not in order:
        raise NotFound(f"the model has no feature '{feature}' with a distribution", f"It has {', '.join(order)}")
    of_feature = {Scope(feature=name).text: name for name in order}
    strip = views.strip(db, state.id, DISTANCE)
    cells = [c._replace(scope=of_feature[c.scope]) for c in strip if c.scope in of_feature]
    limit = next((m.breach.high for m in watch.monitors if m.metric == DISTANCE), None)

    def picture(name: str, scope: Scope, stream: str) -> dict[str, Any]:
        shape = views.distribution(db, state, watch.reference, name, *window)
        rows = views.series(db, state.id, DISTANCE, scope.text)
        found = marks(stream, f"metric:{DISTANCE}@{scope.text}")
        height = max(170, charts.BAR * len(shape.labels))
        line = charts.trend(rows, "distance", marks=found, selected=window[0] // 1000, height=height)
        return {"line": line, "bars": charts.bars(shape), "shape": shape}

    return {
        "feature": feature,
        "features": [(name, distance.get(Scope(feature=name))) for name in order],
        "embeddings": embeddings,
        "heat": charts.heat(cells, order, limit),
        "of_feature": None if feature is None else picture(feature, Scope(feature=feature), f"feature:{feature}"),
        "output": space.output.name,
        "of_output": picture(space.output.name, Scope(output=space.output.name), "score"),
        "quality": _quality(now, [*order, space.output.name]),
    }


def _measured(db: Connection, state: ModelState, track: str, at: int | None, metric: str) -> tuple[int, int]:
    """The window of a track that holds an instant, else the latest in which a metric is known, else the latest."""
    spans = views.spans(db, state.id, track)
    return _holding(spans, at) or views.last_known(db, state.id, track, metric) or spans[-1]


def _quality(now: list[views.Judged], columns: list[str]) -> dict[str, Any]:
    """The window's data quality by column: what is missing, unseen and out of range."""
    metrics = ("missing_rate", "unseen_category_rate", "out_of_range_rate")
    of = {(j.point.scope.feature or j.point.scope.output, j.point.metric): j for j in now}
    rows = of.get((None, "row_count"))
    return {"metrics": metrics, "rows": rows, "table": [(c, [of.get((c, m)) for m in metrics]) for c in columns]}


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
