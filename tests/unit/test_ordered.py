"""The components along location and spread are the rank tests that they are named after, and find what X² does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.bins import Bins
from detectors.drift import measure_drift
from detectors.ordered import components, scores
from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary

SPACE = Space(
    "binary_classification",
    (
        Column("feature", "x", NumericGrid(0.0, 1.35)),
        Column("feature", "constant", NumericGrid(0.0, 1.0)),
        Column("feature", "category", CategoryGrid(("a", "b", "c"))),
        Column("output", "score", UniformGrid()),
    ),
)


def fold(z: np.ndarray) -> Summary:
    u = stats.norm.cdf(z)
    cells = [SPACE.columns[0].grid.cells(z), SPACE.columns[1].grid.cells(np.zeros(z.size)),
             1 + (u * 3).astype(np.int64), SPACE.columns[3].grid.cells(u)]  # fmt: skip
    return Summary.of(np.concatenate([c + o for c, o in zip(cells, SPACE.column_offsets, strict=False)]))


def compared(before: np.ndarray, now: np.ndarray) -> tuple[Bins, np.ndarray, list[np.ndarray]]:
    dense = [fold(z).dense(SPACE.prediction_size) for z in (before, now)]
    bins = Bins.fit(SPACE, dense[0])
    r, c = (bins.count(d)[1] for d in dense)
    shares = (r + c) / (before.size + now.size)
    n = np.full(len(SPACE.columns), float(now.size))
    factor = np.full(n.size, (before.size + now.size) / before.size)
    return bins, components(bins, scores(bins, shares), c, n, shares, factor), [r, c]


def test_location_is_wilcoxons_test_of_the_bins() -> None:
    rng = np.random.default_rng(1)
    before, now = rng.standard_normal(900), rng.standard_normal(300) + 0.3
    bins, (location, _), (r, c) = compared(before, now)
    for column in (0, 3):
        ranked = [np.repeat(np.arange(bins.of(column, x).size), bins.of(column, x)) for x in (c, r)]
        found = stats.mannwhitneyu(*ranked, use_continuity=False, method="asymptotic")
        total = before.size + now.size
        assert location[column] ** 2 * (total - 1) / total == pytest.approx(stats.norm.isf(found.pvalue / 2) ** 2)
        assert location[column] > 0


def test_the_scores_are_orthonormal_and_those_of_categories_and_constants_nothing() -> None:
    rng = np.random.default_rng(2)
    bins, (location, spread), (r, _) = compared(rng.standard_normal(5_000), 2 * rng.standard_normal(500))
    shares = r / 5_000
    along = scores(bins, shares)
    for column in (0, 3):
        part = np.stack([bins.of(column, a) for a in along])
        p = bins.of(column, shares)
        assert (part * p) @ part.T == pytest.approx(np.eye(2), abs=1e-12)
        assert (part @ p) == pytest.approx(np.zeros(2), abs=1e-12)
    assert spread[0] > 5 > abs(location[0]), "twice as wide, and in the same place"
    assert not location[[1, 2]].any()
    assert not spread[[1, 2]].any()


def test_the_components_have_mean_0_and_variance_1() -> None:
    rng = np.random.default_rng(3)
    found = np.array([compared(rng.standard_normal(600), rng.standard_normal(200))[1][:, [0, 3]] for _ in range(300)])
    assert found.mean(axis=0) == pytest.approx(np.zeros((2, 2)), abs=0.2)
    assert found.var(axis=0) == pytest.approx(np.ones((2, 2)), abs=0.3)


def test_a_shift_in_few_rows_is_seen_sooner_than_over_all_bins() -> None:
    rng = np.random.default_rng(4)
    reference = Reference.build("r", SPACE, [fold(rng.standard_normal(1_000)) for _ in range(64)])
    p, omnibus = [], []
    for _ in range(40):
        window = fold(rng.standard_normal(200) + 0.25)
        points = measure_drift(reference, window.dense(SPACE.prediction_size))
        p += [m.p_value for metric, scope, m in points if metric == "psi" and scope.feature == "x"]
        c = reference.bins.of(0, reference.bins.count(window.dense(SPACE.prediction_size))[1])
        omnibus.append(stats.chisquare(c, 200 * reference.bins.of(0, reference.counts) / 64_000).pvalue)
    assert np.mean(np.array(p) < 0.001) > 1.5 * np.mean(np.array(omnibus) < 0.001) > 0
