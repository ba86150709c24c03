"""From a declaration's text to a ``ModelSpec``: every key checked, every fault named with its line and the mend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal

from monitor.model.checks import (
    Faults,
    Section,
    boolean,
    choice,
    each,
    label,
    multiple_of,
    name,
    number,
    text,
    whole,
)
from monitor.model.declaration import (
    MAX_DIMENSIONS,
    FeatureType,
    ModelSpec,
    ProtectedAttribute,
    Windows,
    dimensions,
)
from monitor.model.monitors import KEYS as MONITOR_KEYS
from monitor.model.monitors import MonitorSpec, read_monitor
from monitor.model.reading import Lines, read
from monitor.model.routes import check_routes
from monitor.model.sources import read_sources
from monitor.model.streams import read_streams
from monitor.model.words import TASKS, nearest, parse_duration, shown

KEYS = (
    "model", "task", "owner", "in_scope", "purpose", "risk_tier", "location", "products", "features", "positive_label",
    "favourable", "decision_threshold", "classes", "cost_matrix", "quantile", "top", "protected_attributes",
    "intersections", "min_group", "outcomes_observed_for", "segments", "sources", "grain", "label_delay", "windows",
    "reference", "monitors", "streams", "sla", "reviews", "notify",
)
KEYS_OF = {       # keys that belong to some tasks only
    "positive_label": ("binary_classification",),
    "decision_threshold": ("binary_classification",),
    "classes": ("multiclass_classification",),
    "favourable": ("binary_classification", "multiclass_classification"),
    "cost_matrix": ("binary_classification", "multiclass_classification"),
    "quantile": ("regression",),
    "top": ("ranking",),
}
SLA_KEYS = ("objective", "kind", "window", "probe", "service_hours", "time_zone")
MAX_FEATURES = 2000
MAX_CLASSES = 50
MAX_TOP = 100
DAY = timedelta(days=1)


def parse_declaration(source: str | bytes, media: Literal["yaml", "json"]) -> ModelSpec:
    """A model from the text of its declaration; ``InvalidDeclaration`` lists every fault at once.

    >>> parse_declaration("model: churn\\ntask: regression\\ngrain: 1d", "yaml").grain
    datetime.timedelta(days=1)
    >>> parse_declaration("model: churn\\ntask: regression\\nlabel_dealy: 7d", "yaml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    monitor.errors.InvalidDeclaration: label_dealy (line 3): is no key here; the nearest known is 'label_delay'. See ...
    """
    return parse_values(*read(source, media))


def parse_values(values: Any, lines: Lines) -> ModelSpec:
    """A model from plain values, with the lines that they stood on."""
    faults = Faults(lines)
    spec = _spec(Section.of(faults, (), values, KEYS))
    faults.raise_any()
    return spec


def _spec(top: Section) -> ModelSpec:
    task = top.need("task", choice(TASKS), "binary_classification", f"write one of {', '.join(TASKS)}")
    for key in filter(top.has, KEYS_OF):
        if task not in KEYS_OF[key]:
            top.fault(key, f"is for a {' or '.join(KEYS_OF[key])}, and the task is {task}; leave it out")
    protected = _protected(top)
    if protected and task in KEYS_OF["favourable"] and not top.has("favourable"):
        top.fault("favourable", "is missing; with protected_attributes, name the label or decision a person would want")
    grain = top.get("grain", _grain, timedelta(hours=1))
    windows = _windows(top, grain)
    features, classes = _features(top), _classes(top, task)
    favourable, costs = top.get("favourable", label, None), _cost_matrix(top)
    _fit(top, classes, "favourable", [favourable])
    _fit(top, classes, "cost_matrix", dict.fromkeys(one for pair in costs for one in pair))
    return ModelSpec(
        model=top.need("model", _model, "unnamed", "name the model, such as census-employment"),
        task=task,  # type: ignore[arg-type]
        owner=top.get("owner", text, None),
        in_scope=top.get("in_scope", boolean, True),
        purpose=top.get("purpose", text, None),
        risk_tier=top.get("risk_tier", text, None),
        location=top.get("location", text, None),
        products=top.get("products", each(text), ()),
        features=features,
        positive_label=top.get("positive_label", label, "1"),
        favourable=favourable,
        decision_threshold=top.get("decision_threshold", number(0, 1), 0.5),
        classes=classes,
        cost_matrix=costs,
        quantile=top.get("quantile", number(0.001, 0.999), None),
        top=top.get("top", whole(1, MAX_TOP), 10),
        protected_attributes=protected,
        intersections=_intersections(top, protected),
        outcomes_observed_for=_observed(top),
        segments=top.get("segments", each(name), ()),
        sources=read_sources(top, task, protected, classes),
        grain=grain,
        label_delay=top.get("label_delay", parse_duration, timedelta(0)),
        windows=windows,
        reference=_reference(top),
        monitors=_monitors(top, task, grain, windows),
        streams=read_streams(top, task, features),
        sla=_sla(top),
        review_every=top.inner("reviews", ("every",)).get("every", parse_duration, None),
        notify=check_routes(top),
    )


def _model(found: Any) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", found):
        raise ValueError(f"found {shown(found)}; write up to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first")
    return found


def _features(top: Section) -> dict[str, FeatureType]:
    inner = top.inner("features")
    if len(inner.values) > MAX_FEATURES:
        top.fault("features", f"are {len(inner.values)}; at most {MAX_FEATURES} are watched")
        return {}
    for key in inner.values:
        _named(inner, key)
    return {key: inner.need(key, _feature, "numeric", "write numeric or categorical") for key in inner.values}


def _feature(found: Any) -> FeatureType:
    size = dimensions(found) if isinstance(found, str) else None
    if size is None:
        return choice(("numeric", "categorical", "embedding[384]"))(found)
    if size > MAX_DIMENSIONS:
        raise ValueError(f"found {shown(found)}; an embedding has at most {MAX_DIMENSIONS} dimensions")
    return str(found)


def _classes(top: Section, task: str) -> tuple[str, ...]:
    if task != "multiclass_classification":
        return ()
    none: tuple[str, ...] = ()
    found = top.need("classes", each(label), none, "list the labels, such as [cat, dog, bird]")
    if top.has("classes") and not 2 <= len(found) <= MAX_CLASSES:
        top.fault("classes", f"are {len(found)}; list 2 to {MAX_CLASSES}, and the rest counts as other")
    return found


def _fit(top: Section, classes: tuple[str, ...], key: str, labels: Iterable[str | None]) -> None:
    """Labels that are named beside the classes must be among them; of two classes any label is one."""
    for one in labels:
        if classes and one is not None and one not in classes:
            top.fault(key, f"'{one}' is none of the classes; {nearest(one, classes)}")


def _cost_matrix(top: Section) -> dict[tuple[str, str], float]:
    """``{decision: {label: value}}``: what a prediction is worth, in whatever unit; a pair left out is worth 0."""
    inner = top.inner("cost_matrix")
    found = {}
    for decision in inner.values:
        row = inner.inner(decision)
        for truth in row.values:
            found[decision, truth] = row.need(truth, number(), 0.0, "write what that case is worth, such as -5")
    return found


def _intersections(top: Section, protected: Mapping[str, ProtectedAttribute]) -> tuple[tuple[str, str], ...]:
    """Pairs of protected attributes, each a list of two names."""

    def pair(found: Any) -> tuple[str, str]:
        names = each(name)(found)
        if len(names) != 2:
            raise ValueError("is no pair; write two protected attributes: [[SEX, RAC1P]]")
        for one in names:
            if one not in protected:
                raise ValueError(f"'{one}' is no protected attribute; {nearest(one, tuple(protected))}")
        return names[0], names[1]

    return top.get("intersections", each(pair), ())


def _protected(top: Section) -> dict[str, ProtectedAttribute]:
    least = top.get("min_group", whole(1), 100)
    inner = top.inner("protected_attributes")
    out: dict[str, ProtectedAttribute] = {}
    for key in inner.values:
        _named(inner, key)
        one = inner.inner(key, ("reference_group", "min_group"))
        out[key] = ProtectedAttribute(one.get("reference_group", label, None), one.get("min_group", whole(1), least))
    return out


def _named(section: Section, key: str) -> None:
    """A key that is itself a name must be one."""
    try:
        name(key)
    except ValueError as error:
        section.fault(key, str(error))


def _observed(top: Section) -> str | None:
    if not top.has("outcomes_observed_for") or top.values["outcomes_observed_for"] == "all":
        return None
    inner = top.inner("outcomes_observed_for", ("model_decision",))
    return inner.need("model_decision", label, None, "write all, or {model_decision: approve}")


def _grain(found: Any) -> timedelta:
    grain = parse_duration(found)
    if grain > DAY or DAY % grain:
        raise ValueError(f"found {shown(found)}, which does not divide a day; write 15m, 1h, 6h or 1d, for some")
    return grain


def _windows(top: Section, grain: timedelta) -> Windows:
    inner = top.inner("windows", ("drift", "performance", "fairness"))
    length, default = multiple_of(grain), Windows()
    return Windows(
        inner.get("drift", length, default.drift),
        inner.get("performance", length, default.performance),
        inner.get("fairness", length, default.fairness),
    )


def _reference(top: Section) -> str:
    if not top.has("reference"):
        return "reference"
    inner = top.inner("reference", ("dataset", "window"))
    if inner.has("window"):
        inner.fault("window", "is not supported by this version; load the rows, and write {dataset: reference}")
        return "reference"
    return inner.need("dataset", _model, "reference", "name the dataset, such as reference")


def _monitors(top: Section, task: str, grain: timedelta, windows: Windows) -> tuple[MonitorSpec, ...] | None:
    if not top.has("monitors"):
        return None
    lengths = {"drift": windows.drift, "performance": windows.performance, "fairness": windows.fairness}
    found: dict[str, MonitorSpec] = {}
    for section in top.items("monitors", MONITOR_KEYS):
        before = len(top.faults.found)
        monitor = read_monitor(section, task, grain, lengths)
        if monitor.id in found and len(top.faults.found) == before:
            section.fault("id", f"'{monitor.id}' stands twice; give this monitor an id of its own")
        found[monitor.id] = monitor
    return tuple(found.values())


def _sla(top: Section) -> dict[str, Any] | None:
    if not top.has("sla"):
        return None
    inner = top.inner("sla", SLA_KEYS)
    inner.need("objective", number(0, 1), 0.0, "write the share of time or requests, such as 0.999")
    inner.get("kind", choice(("time", "requests")), "time")
    for key in ("window", "service_hours", "time_zone"):
        inner.get(key, text, "")
    probe = inner.inner("probe", ("url", "every"))
    if probe.values:
        probe.need("url", text, "", "write the address to ask")
        probe.get("every", parse_duration, DAY)
    return dict(inner.values)
