"""The part of a model's page on fairness: disparities over event time, and each group's rates in one window."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from api import charts
from api.pages import number_format
from detectors.fairness import Attribute
from detectors.scope import Scope
from monitor import views
from monitor.errors import NotFound
from monitor.judge.watch import Watch
from monitor.store.lists import Listed
from monitor.store.models import ModelState

CLASSIFIED = ("demographic_parity_ratio", "equal_opportunity_difference", "equalized_odds_difference")
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
MEASURED = ("mae_difference", "bias_difference")
MEANS = ("mae", "bias")


def attributes(watch: Watch) -> dict[str, Attribute]:
    """The protected attributes and their intersections, by name, as the reference knows their groups."""
    if watch.spec.task == "ranking":        # which says nothing of people: its rows are lists
        return {}
    return {a.name: watch.attribute(a) for a in watch.reference.space.axes if a.kind == "attribute"}


def by_group(watch: Watch) -> tuple[str, ...]:
    """What each group is shown with; what is known only with outcomes comes second."""
    return RATES if watch.spec.classifies else MEANS


def fairness(
    db: Connection,
    state: ModelState,
    watch: Watch,
    track: str,
    window: tuple[int, int],
    attribute: str | None,
    mine: list[Listed],
) -> dict[str, Any]:
    known = attributes(watch)
    attribute = attribute or next(iter(known))
    if attribute not in known:
        raise NotFound(f"'{attribute}' is not a protected attribute", f"There are {', '.join(known)}")
    scope = Scope(attribute=attribute)
    found = {
        j.point.metric: j for j in views.window_points(db, state.id, track, window[0]) if j.point.scope == scope
    }
    marks = charts.occasions([i for i in mine if i.fingerprint.attribute == attribute], [])
    lines = []
    for metric in CLASSIFIED if watch.spec.classifies else MEASURED:
        chart = charts.trend(
            views.series(db, state.id, metric, scope.text), metric, unit=number_format(metric),
            reference=watch.baseline.get((metric, scope.text)), marks=marks, selected=window[0] // 1000, height=140,
        )  # fmt: skip
        lines.append((metric, chart, found.get(metric)))
    return {
        "attribute": attribute,
        "attributes": list(known),
        "disparities": lines,
        **groups(db, state, watch, track, attribute, window[0]),
    }


def groups(
    db: Connection, state: ModelState, watch: Watch, track: str, attribute: str, start: int
) -> dict[str, Any]:
    """Rates or means by group in one window, as charts; the groups that are too small are named, and nothing else of
    them."""
    found = [j for j in views.window_points(db, state.id, track, start) if j.point.scope.attribute == attribute]
    declared, metrics = attributes(watch)[attribute], by_group(watch)
    rates = []
    for metric in metrics:
        of = [j for j in found if j.point.metric == metric and j.point.scope.group is not None]
        rates.append((metric, charts.whiskers(of, declared.reference, number_format(metric))))
    few = sorted({
        j.point.scope.group
        for j in found
        if j.point.scope.group is not None and j.point.metric == metrics[0] and not j.point.measurement.known
    })  # fmt: skip
    return {"rates": rates, "too_few": few, "min_group": declared.minimum, "reference_group": declared.reference}
