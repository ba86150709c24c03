"""The catalogue names what is measured, and what it names is measured."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.catalogue import CATALOGUE
from detectors.drift import measure_drift
from detectors.fairness import measure_fairness
from detectors.performance import measure_performance
from detectors.point import Measurement
from detectors.quality import measure_quality
from detectors.reference import Reference
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import NumericGrid
from detectors.summaries.space import Column, Space, example_space


def measured() -> dict[str, Measurement]:
    """Every metric of a classifier and of a regression, with one measurement of each."""
    rng = np.random.default_rng(5)
    score, plan, sex, one = rng.random(300), rng.integers(1, 3, 300), rng.integers(1, 3, 300), np.ones(300, np.int64)
    label, decision = (rng.random(300) < score).astype(int), (score > 0.5).astype(int)
    space = example_space()
    cells = [space.columns[0].grid.cells(60 * score), plan, space.output.grid.cells(score)]
    seen = fold_predictions(space, cells, [one, sex], decision)
    folded = fold_outcomes(space, cells[2], [one, sex], decision, label, score)
    predictions, outcomes = seen.dense(space.prediction_size), folded.dense(space.outcome_size)
    reference = Reference.build("reference", space, [seen], folded)
    regression = Space("regression", (Column("output", "value", NumericGrid(0.5, 0.5)),))
    output = regression.output.grid.cells(score)
    errors = fold_outcomes(regression, output, [one], None, None, score, score + rng.normal(0, 0.1, 300))
    points = [
        *measure_drift(reference, predictions),
        *measure_quality(reference, predictions),
        *measure_performance(space, outcomes, folded.sums),
        *measure_performance(regression, errors.dense(regression.outcome_size), errors.sums),
        *measure_fairness(space, predictions, outcomes, 1, 10),
    ]
    return {metric: m for metric, _, m in points}


def test_every_metric_measured_is_in_the_catalogue_and_the_reverse() -> None:
    assert {*measured(), "label_coverage"} == set(CATALOGUE)     # coverage belongs to the join, not to a summary


def test_a_metric_has_an_interval_exactly_where_the_catalogue_names_its_method() -> None:
    for name, m in measured().items():
        assert m.known, name
        assert (m.interval is not None) == (CATALOGUE[name].interval is not None), name
        if m.interval is not None and CATALOGUE[name].family != "drift":
            assert m.interval[0] <= m.value <= m.interval[1], name


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_entry_is_whole(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.name == name
    assert entry.needs
    assert entry.description.endswith(".")
    assert all(word.strip() == word != "" for word in (entry.unit, entry.source, *entry.needs))
