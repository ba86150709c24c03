"""A model as it is declared: frozen values, every default filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from monitor.model.monitors import MonitorSpec
from monitor.model.sources import Source
from monitor.model.streams import DEFAULT_STREAMS, StreamSpec
from monitor.model.words import format_duration

Task = Literal["binary_classification", "multiclass_classification", "regression", "ranking"]
FeatureType = str
"""``numeric``, ``categorical``, or ``embedding[384]``: a list of so many numbers."""

_EMBEDDING = re.compile(r"embedding\[([1-9][0-9]{0,8})\]")
MAX_DIMENSIONS = 4_096


def dimensions(kind: FeatureType) -> int | None:
    """How long the lists of an embedding are; ``None`` for a feature that is none.

    >>> dimensions("embedding[384]"), dimensions("numeric")
    (384, None)
    """
    found = _EMBEDDING.fullmatch(kind)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class ProtectedAttribute:
    """``reference_group`` is the group that the others are compared with (``None``: all are compared with each other);
    groups with fewer than ``min_group`` rows are suppressed."""

    reference_group: str | None = None
    min_group: int = 100


@dataclass(frozen=True, slots=True)
class Windows:
    """The default window of each family of metrics."""

    drift: timedelta = timedelta(days=1)
    performance: timedelta = timedelta(days=7)
    fairness: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model. docs/models.md says what each key means.

    ``features`` empty: inferred from the reference. ``classes``: those of a multiclass model. ``intersections``: pairs
    of protected attributes, compared together. ``cost_matrix``: the value of each (decision, label). ``quantile``: that
    of a regression's quantile loss. ``top``: how many items of a ranked list are judged. ``outcomes_observed_for``:
    ``None`` for all, else the ``model_decision`` whose outcomes become known. ``monitors`` ``None``: the task's
    defaults. ``sources``: how what a service already sends is read. ``sla`` and ``notify`` are kept as plain maps,
    checked in their keys.
    """

    model: str
    task: Task
    owner: str | None = None
    in_scope: bool = True
    purpose: str | None = None
    risk_tier: str | None = None
    location: str | None = None
    products: tuple[str, ...] = ()
    features: Mapping[str, FeatureType] = field(default_factory=dict)
    positive_label: str = "1"
    favourable: str | None = None
    decision_threshold: float = 0.5
    classes: tuple[str, ...] = ()
    cost_matrix: Mapping[tuple[str, str], float] = field(default_factory=dict)
    quantile: float | None = None
    top: int = 10
    protected_attributes: Mapping[str, ProtectedAttribute] = field(default_factory=dict)
    intersections: tuple[tuple[str, str], ...] = ()
    outcomes_observed_for: str | None = None
    segments: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    grain: timedelta = timedelta(hours=1)
    label_delay: timedelta = timedelta(0)
    windows: Windows = Windows()
    reference: str = "reference"
    monitors: tuple[MonitorSpec, ...] | None = None
    streams: tuple[StreamSpec, ...] = DEFAULT_STREAMS
    sla: Mapping[str, Any] | None = None
    review_every: timedelta | None = None
    notify: tuple[Mapping[str, Any], ...] = ()

    @property
    def classifies(self) -> bool:
        return self.task in ("binary_classification", "multiclass_classification")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelSpec:
        """A declaration as plain values (what ``to_dict`` wrote, or JSON already read); faults carry no line."""
        from monitor.model.parse import parse_values  # parse builds this class, so it is imported when it is needed

        return parse_values(data, {})

    def to_dict(self) -> dict[str, Any]:
        """The declaration in its full form, as JSON's values; ``from_dict`` reads it back to an equal one.

        >>> spec = ModelSpec("churn", "binary_classification", features={"age": "numeric"})
        >>> ModelSpec.from_dict(spec.to_dict()) == spec
        True
        """
        out: dict[str, Any] = {"model": self.model, "task": self.task, "in_scope": self.in_scope}
        for key in ("owner", "purpose", "risk_tier", "location"):
            if getattr(self, key) is not None:
                out[key] = getattr(self, key)
        out |= {"products": list(self.products), "features": dict(self.features)}
        if self.task == "binary_classification":
            out |= {"positive_label": self.positive_label, "decision_threshold": self.decision_threshold}
        if self.classes:
            out["classes"] = list(self.classes)
        if self.favourable is not None:
            out["favourable"] = self.favourable
        if self.cost_matrix:
            table: dict[str, dict[str, float]] = {}
            for (decision, truth), value in self.cost_matrix.items():
                table.setdefault(decision, {})[truth] = value
            out["cost_matrix"] = table
        if self.quantile is not None:
            out["quantile"] = self.quantile
        if self.task == "ranking":
            out["top"] = self.top
        out["protected_attributes"] = {
            name: {"min_group": a.min_group} | ({"reference_group": a.reference_group} if a.reference_group else {})
            for name, a in self.protected_attributes.items()
        }
        if self.intersections:
            out["intersections"] = [list(pair) for pair in self.intersections]
        seen = self.outcomes_observed_for
        out |= {
            "outcomes_observed_for": "all" if seen is None else {"model_decision": seen},
            "segments": list(self.segments),
            "sources": [source.to_dict() for source in self.sources],
            "grain": format_duration(self.grain),
            "windows": {f: format_duration(getattr(self.windows, f)) for f in ("drift", "performance", "fairness")},
            "reference": {"dataset": self.reference},
            "notify": [dict(channel) for channel in self.notify],
        }
        if self.label_delay:
            out["label_delay"] = format_duration(self.label_delay)
        if self.monitors is not None:
            out["monitors"] = [monitor.to_dict() for monitor in self.monitors]
        if self.streams != DEFAULT_STREAMS:
            out["streams"] = [stream.to_dict() for stream in self.streams]
        if self.sla is not None:
            out["sla"] = dict(self.sla)
        if self.review_every is not None:
            out["reviews"] = {"every": format_duration(self.review_every)}
        return out


@dataclass(frozen=True, slots=True)
class Schema:
    """What the rows of a model are typed by. ``features`` come from the declaration, or from the reference where it
    names none; their order is the order of the columns."""

    spec: ModelSpec
    features: Mapping[str, FeatureType]
