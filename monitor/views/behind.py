"""What stands behind an incident: the numbers of its ranked causes, from the summaries as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from detectors.catalogue import CATALOGUE
from detectors.causes import METRIC, output_shift, rank_causes
from detectors.causes import Cause as Drifted
from detectors.decomposition import Part, carriers
from detectors.drift import measure_drift
from detectors.point import MetricPoint
from detectors.reference import Reference
from detectors.scope import Window
from incidents.verdict import Cause
from monitor.store import summaries
from monitor.store.models import ModelState
from monitor.times import from_micros

_PERFORMANCE = frozenset(name for name, m in CATALOGUE.items() if m.family == "performance")


@dataclass(frozen=True, slots=True)
class Behind:
    """``carried``: the segments and bins that carry the ``change`` of ``mean``; ``drifted``: the features that moved;
    both in the order of the causes that name them. ``told``: causes of which the summaries say nothing more."""

    mean: str
    change: float
    carried: tuple[Part, ...]
    drifted: tuple[Drifted, ...]
    told: tuple[Cause, ...]


def behind(
    db: Connection, state: ModelState, reference: Reference, causes: Sequence[Cause], start: int, end: int
) -> Behind:
    """The numbers of the ``causes`` of a breach over ``[start, end)``."""
    space = reference.space
    dense = summaries.window(db, state.id, "predictions", space, start, end)
    window = Window(from_micros(start), from_micros(end))
    moved = measure_drift(reference, dense.counts, frozenset({METRIC}))
    points = [MetricPoint(m, scope, window, value, reference=reference.name) for m, scope, value in moved]
    ranked = {c.feature: c for c in rank_causes(points, output_shift(reference, dense.counts))}
    mean, parts = "", list[Part]()
    # Of an incident of several fingerprints the causes may be those of a fault of quality, which nothing carries.
    metric = next((c.metric for c in causes if c.metric in _PERFORMANCE), None)
    if metric is not None:
        known = summaries.window(db, state.id, "outcomes", space, start, end)
        mean, parts = carriers(metric, reference, known.counts, known.sums)
    by_name = {f"{p.axis}={p.group}": p for p in parts}
    carried = {c: by_name[c.name] for c in causes if c.metric == mean and c.name in by_name}
    drifted = {c: ranked[c.name] for c in causes if c.metric == METRIC and c.name in ranked}
    return Behind(
        mean,
        sum(p.carried for p in parts if p.axis == parts[0].axis),
        tuple(carried.values()),
        tuple(drifted.values()),
        tuple(c for c in causes if c not in carried and c not in drifted),
    )
