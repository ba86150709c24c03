"""Drift of a window: what is unknown and why, constants that move, intervals that give noise its due, and speed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from detectors.drift import ANY_COLUMN, CATEGORICAL, METRICS, NUMERIC, cumulative, distances, measure_drift
from detectors.drift.samples import compare_categories, compare_numbers, kolmogorov_smirnov_p_value
from detectors.point import Reason
from detectors.reference import Reference
from detectors.scope import Scope
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary

AGE, PLAN, SCORE = Scope(feature="age"), Scope(feature="plan"), Scope(output="score")
SPACE = Space(
    "binary_classification",
    (
        Column("feature", "age", NumericGrid(40.0, 20.0)),
        Column("feature", "plan", CategoryGrid(("basic", "plus"))),
        Column("output", "score", UniformGrid()),
    ),
)


def rows(age, plan, score) -> Summary:
    values = np.asarray(age, float), plan, np.asarray(score, float)
    each = zip(SPACE.columns, values, SPACE.column_offsets, strict=False)
    return Summary.of(np.concatenate([c.grid.cells(v) + o for c, v, o in each]))


def random_rows(rng, n, age=0.0, plus=0.3) -> Summary:
    plan = np.where(rng.random(n) < plus, "plus", "basic").tolist()
    return rows(rng.normal(40 + age, 15, n), plan, rng.beta(2, 5, n))


def points_of(reference, window, metrics=METRICS) -> dict:
    return {(m, s): p for m, s, p in measure_drift(reference, window.dense(SPACE.prediction_size), metrics)}


@pytest.fixture(scope="module")
def reference() -> Reference:
    rng = np.random.default_rng(0)
    return Reference.build("r", SPACE, [random_rows(rng, 1000) for _ in range(64)])


def test_which_metrics_each_column_has(reference):
    names = {(m, s.text) for m, s, _ in measure_drift(reference, reference.predictions)}         # the headline
    assert names == {
        ("psi", "feature:age"), ("jensen_shannon", "feature:age"), ("kolmogorov_smirnov", "feature:age"),
        ("psi", "feature:plan"), ("jensen_shannon", "feature:plan"), ("chi_square", "feature:plan"),
        ("psi", "output:score"), ("jensen_shannon", "output:score"), ("kolmogorov_smirnov", "output:score"),
    }  # fmt: skip


def test_metrics_are_measured_on_demand_and_those_of_the_other_kind_of_column_left_out(reference):
    wanted = points_of(reference, Summary.zero(), {"l_infinity", "energy", "no such metric"})
    assert set(wanted) == {("l_infinity", PLAN), ("energy", AGE), ("energy", SCORE)}
    every = points_of(reference, Summary.zero())
    assert {m for m, s in every if s == PLAN} == {*ANY_COLUMN, *CATEGORICAL}
    assert {m for m, s in every if s == AGE} == {m for m, s in every if s == SCORE} == {*ANY_COLUMN, *NUMERIC}


def test_an_empty_window_and_an_all_missing_column_are_unknown_and_say_why(reference):
    for (_, scope), m in points_of(reference, Summary.zero()).items():
        assert (m.value, m.reason, m.n) == (None, Reason.EMPTY_WINDOW, 0), scope
    points = points_of(reference, rows([np.nan] * 9, ["plus"] * 9, [0.5] * 9))
    assert points["psi", AGE].reason is Reason.ALL_MISSING
    assert points["psi", PLAN].known
    assert points["psi", PLAN].n == 9


@pytest.mark.parametrize("lone", ["window", "reference"])
def test_a_column_that_a_side_lacks_leaves_the_next_ones_alone(lone):
    whole, without = (rows(age, ["plus"] * 9, [0.5] * 9) for age in ([30.0] * 9, [np.nan] * 9))
    before, now = (whole, without) if lone == "window" else (without, whole)
    points = points_of(Reference.build("r", SPACE, [before]), now)
    for metric in (*ANY_COLUMN, *NUMERIC):
        assert points[metric, AGE].value is None
        if metric != "normed_wasserstein":
            assert points[metric, SCORE].value == 0, metric


def test_a_column_that_the_reference_does_not_have_is_unknown():
    reference = Reference.build("r", SPACE, [rows([np.nan] * 9, ["plus"] * 9, [0.5] * 9)])
    points = points_of(reference, rows([3.0] * 5, ["plus"] * 5, [0.5] * 5))
    assert points["kolmogorov_smirnov", AGE].reason is Reason.NO_REFERENCE
    assert points["psi", SCORE].value == 0


@pytest.mark.parametrize("age", [3.0, 90.0])
def test_a_constant_that_moves_either_way_is_seen_and_one_that_stays_is_not(age):
    constant = [rows([41.0] * 200, ["plus"] * 200, [0.5] * 200) for _ in range(8)]
    reference = Reference.build("r", SPACE, constant)
    moved = points_of(reference, rows([41.0] * 100 + [age] * 100, ["plus", "gold"] * 100, [0.5, 0.9] * 100))
    for scope in (AGE, PLAN, SCORE):
        m = moved["jensen_shannon", scope]
        assert m.value == pytest.approx(0.558, abs=0.001)
        assert m.interval[0] > 0.4
        assert m.p_value < 1e-6
    assert moved["kolmogorov_smirnov", AGE].value == 0.5
    for scope in (AGE, SCORE):
        assert moved["normed_wasserstein", scope].reason is Reason.CONSTANT_REFERENCE
    assert moved["wasserstein", AGE].value == pytest.approx(abs(age - 41) / 2, rel=0.02)
    stayed = points_of(reference, constant[0])
    for (metric, _), m in stayed.items():
        if metric != "normed_wasserstein":
            assert (m.value, m.p_value) == (0, 1)
            assert m.interval is None or m.interval[0] == 0 < m.interval[1]


def test_the_value_is_that_of_the_plain_functions(reference):
    window = random_rows(np.random.default_rng(1), 800, age=8, plus=0.5)
    points, dense = points_of(reference, window), window.dense(SPACE.prediction_size)
    _, current = reference.bins.count(dense)
    places = reference.bins.places
    for i, scope in enumerate((AGE, PLAN, SCORE)):
        sides = reference.bins.of(i, reference.counts), reference.bins.of(i, current)
        for metric in (*ANY_COLUMN, *(CATEGORICAL if scope is PLAN else ())):
            plain = getattr(distances, metric)(*sides)
            plain = plain.statistic if metric in ("chi_square", "g_test") else plain
            assert points[metric, scope].value == pytest.approx(plain, abs=1e-12), metric
        if scope is PLAN:
            continue
        cells = slice(SPACE.column_offsets[i] + 1, SPACE.column_offsets[i + 1])
        sides, positions = (reference.predictions[cells], dense[cells]), places.positions[cells] * places.unit[i]
        for metric in NUMERIC:
            given = (positions,) if metric in NUMERIC[3:] else ()
            plain = getattr(cumulative, metric)(*sides, *given)
            assert points[metric, scope].value == pytest.approx(plain, rel=1e-9), metric


def test_values_beyond_the_grid_count_as_at_its_end():
    reference = Reference.build("r", SPACE, [rows([20.0, 40.0, 60.0], ["plus"] * 3, [0.5] * 3)])
    far = [points_of(reference, rows([x] * 3, ["plus"] * 3, [0.5] * 3))["wasserstein", AGE] for x in (1e9, np.inf)]
    assert far[0].value == far[1].value == pytest.approx(256 * 20, rel=1e-6)


def test_a_grid_of_any_scale_gives_numbers():
    grid = NumericGrid(0.0, 1.5e308)
    space = Space("binary_classification", (Column("feature", "x", grid), Column("output", "score", UniformGrid())))
    before, now = (Summary.of(grid.cells(np.array(v))) for v in ([0.0, 1e308], [1e308, 1.7e308]))
    reference = Reference.build("r", space, [before])
    found = {m: p for m, s, p in measure_drift(reference, now.dense(space.prediction_size), METRICS) if s.feature}
    assert found["wasserstein"].value == pytest.approx(8.5e307, rel=0.03)
    assert found["normed_wasserstein"].value == pytest.approx(1.7, rel=0.03)


@pytest.mark.parametrize("n", [20, 100, 1000, 20_000])
def test_noise_alone_has_an_interval_from_zero(reference, n):
    rng = np.random.default_rng(n)
    lows = [
        m.interval[0] for _ in range(20) for m in points_of(reference, random_rows(rng, n)).values() if m.interval
    ]
    assert np.mean(np.array(lows) > 0) <= 0.06                   # 2.5 % is meant; metrics of a column go together


@pytest.mark.parametrize("n", [500, 5000])
def test_the_interval_covers_the_effect_of_a_shift(reference, n):
    rng = np.random.default_rng(11)
    truth = points_of(reference, random_rows(rng, 400_000, age=8, plus=0.5))
    covered: dict[str, list[bool]] = {}
    for _ in range(60):
        for (metric, scope), m in points_of(reference, random_rows(rng, n, age=8, plus=0.5)).items():
            if m.interval and scope is not SCORE:
                low, high = m.interval
                covered.setdefault(metric, []).append(low <= truth[metric, scope].value <= high)
    assert set(covered) == METRICS - {"chi_square", "g_test"}
    for metric, inside in covered.items():
        assert np.mean(inside) >= 0.88, metric


def test_plain_functions_of_an_empty_side_are_none():
    x = np.array([1.0, 2.0])
    for metric in METRICS:
        module, given = (cumulative, (x,) if metric in NUMERIC[3:] else ()) if metric in NUMERIC else (distances, ())
        for sides in ((np.array([0, 0]), np.array([1, 2])), (np.array([1, 2]), np.array([0, 0]))):
            assert getattr(module, metric)(*sides, *given) is None, metric
            bound = getattr(module, f"{metric}_bound", None)
            both = (x, x) if metric == "normed_wasserstein" else given
            assert bound is None or bound(*sides, *both) is None, metric


def test_where_all_rows_share_a_cell_nothing_bounds_what_binning_loses():
    one = np.array([4])
    assert cumulative.kolmogorov_smirnov_bound(one, one) == 1
    assert cumulative.anderson_darling_bound(one, one) == np.inf
    assert cumulative.normed_wasserstein_bound(one, one, np.zeros(1), np.ones(1)) == np.inf


def test_samples_say_why_they_cannot_be_compared():
    some, none, missing = np.array([1.0, 2.0]), np.array([]), np.array([np.nan])
    assert compare_numbers("energy", some, none).reason is Reason.EMPTY_WINDOW
    assert compare_numbers("energy", some, missing).reason is Reason.ALL_MISSING
    assert compare_numbers("energy", missing, some).reason is Reason.NO_REFERENCE
    assert compare_numbers("normed_wasserstein", np.array([3.0, 3.0]), some).reason is Reason.CONSTANT_REFERENCE
    assert compare_categories("g_test", ["a"], [None]).reason is Reason.ALL_MISSING
    assert compare_numbers("psi", some, some, np.array([1.5])).value == 0


def test_the_p_value_of_large_samples_is_near_the_exact_one():
    exact, near = (kolmogorov_smirnov_p_value(0.05, 1500, 1500, exact=e) for e in (True, False))
    assert near == pytest.approx(exact, rel=0.05)
    rng = np.random.default_rng(2)
    assert compare_numbers("kolmogorov_smirnov", rng.random(3000), rng.random(3000)).p_value > 0.001


@pytest.mark.parametrize(("metrics", "limit"), [(None, 0.003), (METRICS, 0.012)])
def test_a_window_of_17_columns_takes_far_less(metrics, limit):
    columns = [Column("feature", f"x{i}", NumericGrid(0.0, 1.0)) for i in range(8)]
    columns += [Column("feature", f"c{i}", CategoryGrid(tuple("abcdefgh"))) for i in range(8)]
    space = Space("binary_classification", (*columns, Column("output", "score", UniformGrid())))
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, c.grid.size, 5000) + o for c, o in zip(space.columns, space.column_offsets, strict=False)]
    whole = Summary.of(np.concatenate(cells))
    reference = Reference.build("r", space, [whole] * 16)
    dense = whole.dense(space.prediction_size)
    best = 1.0
    for _ in range(20):
        start = time.process_time()
        measure_drift(reference, dense, *([metrics] if metrics else []))
        best = min(best, time.process_time() - start)
    assert best < limit
