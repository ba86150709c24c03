"""Law 2 for the models that are no classification of two: any split and order gives the same, and what is taken back
leaves nothing behind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.performance import measure_performance
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.projection import Projection
from detectors.summaries.space import ALL, RANKING_SUMS, Axis, Column, Space
from detectors.summaries.summary import Floats, Ints, Summary
from monitor.fold import rankings

N = 24
AXES = (ALL, Axis("attribute", "sex", CategoryGrid(("f", "m"))), Axis("segment", "state", CategoryGrid(("ma", "ny"))))
FEATURES = (Column("feature", "x", NumericGrid(0.0, 1.0)), Column("feature", "y", NumericGrid(0.0, 1.0)))
TOGETHER = Projection.fit(np.random.default_rng(5).normal(size=(50, 2)), ("x", "y"))
OUTPUTS = {
    "multiclass_classification": (
        Column("output", "label", CategoryGrid(("a", "b", "c"))),
        *(Column("output", f"score={c}", UniformGrid(10)) for c in "abc"),
    ),
    "regression": (Column("output", "value", NumericGrid(0.0, 3.0)),),
    "ranking": (Column("output", "value", NumericGrid(0.0, 1.0)),),
}


def space_of(task: str) -> Space:
    classes = ("a", "b", "c") if task == "multiclass_classification" else ()
    return Space(
        task,  # type: ignore[arg-type]  # a key of OUTPUTS
        (*FEATURES, *OUTPUTS[task]), AXES, classes, (TOGETHER,), (("x", "y"),), subjects=True, top=3,
    )  # fmt: skip


class Rows(NamedTuple):
    """Joined rows as arrays; ``truth``: labels, actual values, or what each list is worth."""

    space: Space
    x: Floats
    groups: Ints
    decisions: Ints | None
    predicted: Floats
    truth: Floats
    subjects: Ints

    def predictions(self, at: Ints) -> Summary:
        cells = [c.grid.cells(self.x[at, i]) for i, c in enumerate(FEATURES)]
        if self.decisions is not None:
            cells.append(self.decisions[at] + 1)
        cells += self.scores(at)
        decided = None if self.decisions is None else self.decisions[at]
        groups = list(self.groups[at].T)
        return fold_predictions(self.space, cells, groups, decided, self.subjects[at], [self.x[at]])

    def outcomes(self, at: Ints) -> Summary:
        decided = None if self.decisions is None else self.decisions[at]
        labels = None if self.decisions is None else self.truth[at].astype(np.int64)
        actual = None if self.decisions is not None else self.truth[at]
        groups = list(self.groups[at].T)
        return fold_outcomes(self.space, self.scores(at), groups, decided, labels, self.predicted[at], actual)

    def scores(self, at: Ints) -> list[Ints]:
        grids = [self.space.columns[c].grid for c in self.space.scores]
        return [g.cells(self.predicted[at, i]) for i, g in enumerate(grids)]  # type: ignore[arg-type]


def rows_of(task: str, seed: int, n: int = N, scale: float = 1.0) -> Rows:
    rng = np.random.default_rng(seed)
    space = space_of(task)
    predicted = rng.dirichlet([1, 1, 1], n) if task == "multiclass_classification" else rng.normal(size=(n, 1)) * scale
    predicted[rng.random(n) < 0.1] = np.nan
    groups = np.stack([np.ones(n, np.int64), rng.integers(0, 4, n), rng.integers(0, 4, n)], axis=1)
    decisions = rng.integers(0, 4, n) if task == "multiclass_classification" else None
    truth = {
        "multiclass_classification": lambda: rng.integers(0, 4, n).astype(float),
        "regression": lambda: rng.normal(size=n) * scale,
        "ranking": lambda: np.round(rng.random((n, len(RANKING_SUMS))), 3),
    }[task]()
    x = rng.normal(size=(n, 2)) * 10.0 ** rng.integers(-3, 4, (n, 1))
    x[rng.random((n, 2)) < 0.2] = np.nan
    return Rows(space, x, groups, decisions, predicted, truth, rng.integers(0, 9, n))


@given(st.sampled_from(sorted(OUTPUTS)), st.integers(0, 10**6), st.permutations(range(N)), st.integers(0, N))
def test_any_split_and_order_gives_the_same_and_a_part_can_be_taken_back(task, seed, order, at):
    rows, shuffled = rows_of(task, seed), np.array(order, np.int64)
    for fold in (rows.predictions, rows.outcomes):
        whole, a, b = fold(np.arange(N)), fold(shuffled[:at]), fold(shuffled[at:])
        assert a + b == whole
        assert whole - b == a
        assert whole - a - b == Summary.zero(whole.sums.size)


def figures(space: Space, folded: Summary) -> dict[str, tuple[float | None, object]]:
    found = measure_performance(space, folded.dense(space.outcome_size), folded.sums, 0.9)
    return {name: (m.value, m.interval) for name, _, m in found}


@pytest.mark.parametrize("wild", [1e3, -1e9, 1e16, -1e60, 1e300])
def test_a_value_that_was_wildly_wrong_and_is_corrected_leaves_the_figures_as_they_were(wild):
    rows = rows_of("regression", 3, 200)
    right, every = rows.outcomes(np.arange(200)), np.arange(200)
    wrong = rows._replace(truth=np.where(every == 0, wild, rows.truth))
    first = every[:1]
    corrected = wrong.outcomes(every) - wrong.outcomes(first) + rows.outcomes(first)
    expected = figures(rows.space, right)
    for name, (value, interval) in figures(rows.space, corrected).items():
        assert value == pytest.approx(expected[name][0], rel=1e-12), name
        assert interval == pytest.approx(expected[name][1], rel=1e-9), name


@pytest.mark.parametrize("scale", [1e-40, 1e-12, 1e-6, 1e-3, 1e6, 1e50])
def test_the_figures_of_a_regression_do_not_depend_on_its_unit(scale):
    one, other = rows_of("regression", 4, 300), rows_of("regression", 4, 300, scale)
    grid = NumericGrid(0.0, 3.0 * scale)
    other = other._replace(space=Space("regression", (*FEATURES, Column("output", "value", grid)), AXES))
    expected = figures(one.space, one.outcomes(np.arange(300)))
    powers = {"mae": 1, "rmse": 1, "bias": 1, "quantile_loss": 1, "mse": 2}
    for name, (value, interval) in figures(other.space, other.outcomes(np.arange(300))).items():
        size = scale ** powers.get(name, 0)
        assert value == pytest.approx(expected[name][0] * size, rel=1e-6, abs=0.0), name
        assert interval == pytest.approx(tuple(x * size for x in expected[name][1]), rel=1e-5, abs=0.0), name


def test_all_relevant_items_count_for_recall_however_many_they_are():
    items = [(f"item{j}", float(-j)) for j in range(400)]
    lists = rankings.pack(one_list(items), 1)
    relevant = rankings.pack(one_list([(name, 1.0) for name, _ in items]), 1, most=None)
    found = dict(zip(RANKING_SUMS, rankings.losses(lists, relevant, 10)[0].tolist(), strict=True))
    assert (found["precision_at_k"], found["recall_at_k"]) == (1.0, 10 / 400)


def test_relevances_beyond_all_measure_are_still_numbers():
    lists = rankings.pack(one_list([("a", 2.0), ("b", 1.0)]), 1)
    found = rankings.losses(lists, rankings.pack(one_list([("a", 1e308), ("b", 1e308)]), 1), 2)
    assert np.isfinite(found).all()
    assert found[0, RANKING_SUMS.index("ndcg")] == pytest.approx(1.0)


def one_list(pairs):
    return pa.array([pairs], rankings.packed_type())
