"""A model as it is watched: its declaration, its reference, and what follows from the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from math import ceil

import numpy as np

from detectors.catalogue import CATALOGUE
from detectors.clusters import design_effect
from detectors.estimation import Calibrator
from detectors.fairness import (
    DISPARITIES,
    RATES,
    Attribute,
    is_disparity,
    measure_attribute,
    measure_calibration,
    measure_errors,
    resolve,
)
from detectors.performance import measure_performance
from detectors.point import Measurement
from detectors.quality import measure_quality
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.space import Axis
from detectors.summaries.summary import Floats, Ints
from monitor.judge.defaults import Reading, monitors_for
from monitor.judge.windows import Track, tracks
from monitor.model import ModelSpec, MonitorSpec

Named = tuple[str, Scope, Measurement]

KEPT = frozenset(m.name for m in CATALOGUE.values() if m.kept)


@dataclass(frozen=True)
class Watch:
    """``spec`` and ``reference`` of one model."""

    spec: ModelSpec
    reference: Reference

    @cached_property
    def baseline(self) -> Reading:
        """The reference's own values, by metric and scope text."""
        ref = self.reference
        found = measure_quality(ref, ref.predictions)
        found += measure_performance(ref.space, ref.outcomes, ref.sums, self.spec.quantile, self.values)
        found += self.by_group(ref.predictions, ref.outcomes, ref.sums)
        return {(metric, scope.text): m.value for metric, scope, m in found if m.value is not None}

    @cached_property
    def monitors(self) -> tuple[MonitorSpec, ...]:
        return monitors_for(self.spec, self.reference, self.baseline)

    @cached_property
    def tracks(self) -> list[Track]:
        return tracks(self.spec, self.monitors)

    @cached_property
    def wanted(self) -> frozenset[str]:
        """The metrics of every window: those that are kept, and those that a monitor or a stream watches."""
        declared = [m.metric for m in self.spec.monitors or ()]
        streamed = [s.parts[1] for s in self.spec.streams if s.parts[0] == "metric"]
        return KEPT | set(declared) | set(streamed)

    @property
    def favourable(self) -> int | None:
        """The class that a person would want; ``None`` where none is declared."""
        spec = self.spec
        if spec.favourable is None:
            return None
        if not spec.classes:
            return 1 if spec.favourable == spec.positive_label else 0
        return spec.classes.index(spec.favourable) if spec.favourable in spec.classes else len(spec.classes)

    @cached_property
    def calibrators(self) -> tuple[Calibrator | None, ...]:
        """What each score of a classification means, as the reference's outcomes have it."""
        space, outcomes = self.reference.space, self.reference.outcomes
        return tuple(Calibrator.fit(*space.score_by_label(outcomes, i)) for i in range(len(space.scores)))

    @cached_property
    def values(self) -> Floats | None:
        """The cost matrix by (decision, label); ``None`` where none is declared. Of two classes, whatever is not the
        positive label is the other."""
        spec = self.spec
        if not spec.cost_matrix:
            return None
        other = len(spec.classes) or 0
        codes: Mapping[str, int] = {c: i for i, c in enumerate(spec.classes)} or {spec.positive_label: 1}
        out = np.zeros((self.reference.space.n_classes,) * 2)
        for (decision, label), value in spec.cost_matrix.items():
            out[codes.get(decision, other), codes.get(label, other)] = value
        return out

    def attribute(self, axis: Axis, heaviest: float = 1.0) -> Attribute:
        """How the groups of an axis are to be told; of an intersection by the stricter of its two attributes. No row
        counts for more than ``heaviest``, so that no group is told whose rows are fewer than its minimum."""
        parts = [self.spec.protected_attributes[name] for name in axis.of or (axis.name,)]
        references = [p.reference_group for p in parts if p.reference_group is not None]
        reference = "&".join(references) if len(references) == len(parts) else None
        least = ceil(max(p.min_group for p in parts) * heaviest)
        return Attribute(axis.name, axis.grid.categories, least, reference)

    def by_group(
        self, predictions: Ints, outcomes: Ints, sums: Floats, wanted: frozenset[str] = KEPT, heaviest: float = 1.0
    ) -> list[Named]:
        """Rates, errors and disparities by group, from a window's dense summaries; none where nothing is protected, or
        a classification has no label that is favourable. Beyond those that are kept, the disparities ``wanted``;
        ``heaviest`` is the most that a row counts for."""
        spec, space = self.spec, self.reference.space
        if not spec.protected_attributes or (self.favourable is None and spec.classifies):
            return []
        deff, out = self.design_effect(predictions), list[Named]()
        errors = ("mae_difference", "bias_difference", *_asked("mae", wanted), *_asked("bias", wanted))
        errors = tuple(dict.fromkeys(errors))
        for i, axis in enumerate(space.axes):
            if axis.kind != "attribute":
                continue
            attribute = self.attribute(axis, heaviest)
            tables, moments = space.confusion(outcomes, i), space.group_sums(sums, i)
            if spec.classifies:
                out += self._decisions_of(attribute, space.decisions(predictions, i), tables, moments, deff, wanted)
            elif space.task == "regression":
                out += measure_errors(attribute, tables.sum(axis=(1, 2)), moments, deff, errors)
        return out

    def _decisions_of(
        self,
        attribute: Attribute,
        decided: Ints,
        tables: Ints,
        moments: Floats,
        deff: float,
        wanted: frozenset[str],
    ) -> list[Named]:
        favourable = self.favourable
        assert favourable is not None, "without one there are no rates"
        observed = None if self.spec.outcomes_observed_for is None else favourable
        rates = (*DISPARITIES, *(m for rate in RATES for m in _asked(rate, wanted)))
        found = measure_attribute(attribute, decided, tables, favourable, deff, observed, tuple(dict.fromkeys(rates)))
        if self.spec.classes or observed is not None:
            return found
        gaps = tuple(dict.fromkeys(("calibration_difference", *_asked("calibration_gap", wanted))))
        return found + measure_calibration(attribute, moments, favourable, deff, gaps)

    def design_effect(self, predictions: Ints) -> float:
        """How many rows weigh as one, since people come again; 1 where rows name nobody."""
        space = self.reference.space
        if not space.subjects:
            return 1.0
        counters = space.predictions.view(predictions, "subjects")
        return design_effect(counters[:, 1] - counters[:, 0], space.rows(predictions))


@cache
def _asked(rate: str, wanted: frozenset[str]) -> list[str]:
    """The disparities of a rate or mean among the metrics that are wanted."""
    return sorted(m for m in wanted if is_disparity(m) and rate in resolve(m).rates)
