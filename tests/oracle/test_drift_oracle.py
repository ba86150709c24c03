"""SciPy and the vectors as oracles of the drift metrics.

Not collected: the variants of other tools' own binning (``evidently_default``, ``nannyml_continuous``), Yates'
correction, and deciles of a constant reference, which have no edges.
"""

from __future__ import annotations

import json
import pathlib
from collections import Counter

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from detectors.drift import (
    chi_square,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    measure_drift,
    psi,
    total_variation,
)
from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "vectors.json"


def floats(values) -> np.ndarray:
    x = np.array([np.nan if v is None else v for v in values], float)
    return x[~np.isnan(x)]


def cases(*wanted):
    found = [c for c in json.loads(VECTORS.read_text())["cases"] if (c["metric"], c["variant"]) in wanted]
    return pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['id']}-{c['case']}") for c in found])


def histograms(case, inner) -> tuple[np.ndarray, np.ndarray]:
    edges = np.r_[-np.inf, inner, np.inf]
    return tuple(np.histogram(floats(case["inputs"][side]), edges)[0] for side in ("reference", "current"))


def decile_edges(case) -> np.ndarray | None:
    values = floats(case["inputs"]["reference"])
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 11)))
    return edges[1:-1] if edges.size > 1 else None


def check(case, value) -> None:
    if case["undefined"]:
        assert value is None
    else:
        assert value == pytest.approx(case["expected"], abs=case["tolerance_abs"])


@cases(("psi", "fixed_edges_floor1e-4"))
def test_psi_on_fixed_edges(case):
    check(case, psi(*histograms(case, case["inputs"]["inner_edges"])))


DECILES = [
    pytest.param(c, id=f"{c['id']}-{c['case']}")
    for c in json.loads(VECTORS.read_text())["cases"]
    if c["variant"] == "ref_deciles_floor1e-4" and decile_edges(c) is not None
]


@pytest.mark.parametrize("case", DECILES)
def test_psi_on_reference_deciles(case):
    check(case, psi(*histograms(case, decile_edges(case))))


@cases(("js_hellinger_tvd", "fixed_edges"))
def test_distances_on_fixed_edges(case):
    r, c = histograms(case, case["inputs"]["inner_edges"])
    expected = case["expected"]
    assert jensen_shannon(r, c) == pytest.approx(expected["js_distance_base2"], abs=1e-9)
    assert hellinger(r, c) == pytest.approx(expected["hellinger"], abs=1e-9)
    assert total_variation(r, c) == pytest.approx(expected["tvd"], abs=1e-9)


@cases(("ks", "exact_or_auto"))
def test_kolmogorov_smirnov_on_a_cell_for_each_value(case):
    r, c = floats(case["inputs"]["reference"]), floats(case["inputs"]["current"])
    values = np.unique(np.r_[r, c])
    counts = [np.array([(side == v).sum() for v in values]) for side in (r, c)]
    statistic = kolmogorov_smirnov(*counts)
    if case["undefined"]:
        assert statistic is None
    else:
        assert statistic == pytest.approx(case["expected"]["statistic"], abs=case["tolerance_abs"])


@cases(("ks", "exact_or_auto"))
def test_kolmogorov_smirnov_on_the_grid_is_within_its_bound(case):
    r, c = floats(case["inputs"]["reference"]), floats(case["inputs"]["current"])
    grid = NumericGrid.fit(r)
    counts = [np.bincount(grid.cells(side), minlength=grid.size) for side in (r, c)]
    statistic = kolmogorov_smirnov(*counts)
    if case["undefined"]:
        assert statistic is None
    else:
        bound = np.minimum(*(k / k.sum() for k in counts)).max()
        exact = case["expected"]["statistic"]
        assert statistic - 1e-12 <= exact <= statistic + bound + 1e-12


@cases(("categorical_distances", "union_of_categories"))
def test_distances_of_categories(case):
    sides = [[v for v in case["inputs"][side] if v is not None] for side in ("reference", "current")]
    union = sorted(set(sides[0]) | set(sides[1]))
    r, c = (np.array([side.count(v) for v in union]) for side in sides)
    expected = case["expected"]
    if case["undefined"]:
        assert [f(r, c) for f in (psi, jensen_shannon, hellinger, total_variation, chi_square)] == [None] * 5
        return
    test = chi_square(r, c)
    assert test.dof == expected["dof"]
    assert test.statistic == pytest.approx(expected["chi2"], abs=1e-9)
    assert test.p_value == pytest.approx(expected["chi2_p"], abs=1e-9)
    assert jensen_shannon(r, c) == pytest.approx(expected["js_distance_base2"], abs=1e-9)
    assert hellinger(r, c) == pytest.approx(expected["hellinger"], abs=1e-9)
    assert total_variation(r, c) == pytest.approx(expected["tvd"], abs=1e-9)
    assert psi(r, c) == pytest.approx(expected["psi_floor1e4"], abs=1e-9)


@cases(("chi2", "contingency_no_correction"))
def test_chi_square_of_tables(case):
    test = chi_square(*np.array(case["inputs"]["table"]))
    assert test == pytest.approx(tuple(case["expected"][k] for k in ("statistic", "p_value", "dof")), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_measured_by_segments_is_what_scipy_finds_on_the_raw_values(seed):
    rng = np.random.default_rng(seed)
    ages = rng.normal(40, 10, 5000).round(3), rng.normal(43, 12, 700).round(3)
    plans = rng.choice(list("abcde"), 5000), rng.choice(list("abcdez"), 700)
    scores = rng.beta(2, 5, 5000), rng.beta(2, 4, 700)
    columns = (
        Column("feature", "age", NumericGrid.fit(ages[0])),
        Column("feature", "plan", CategoryGrid.of(Counter(plans[0].tolist()))),
        Column("output", "score", UniformGrid()),
    )
    space = Space("binary_classification", columns)
    both = []
    for i in (0, 1):
        values = ages[i], plans[i].tolist(), scores[i]
        each = zip(columns, values, space.column_offsets, strict=False)
        both.append(Summary.of(np.concatenate([c.grid.cells(v) + o for c, v, o in each])))
    reference = Reference.build("r", space, both[:1], Summary.zero(2))
    found = {
        (m, s.feature or s.output): p.value
        for m, s, p in measure_drift(reference, both[1].dense(space.prediction_size))
    }

    for i, values in ((0, ages), (2, scores)):
        name = columns[i].name
        edges = np.r_[-np.inf, reference.bins.edges(i), np.inf]
        r, c = (np.histogram(side, edges)[0] for side in values)
        js = distance.jensenshannon(r, c, base=2)
        assert found["jensen_shannon", name] == pytest.approx(js, abs=1e-9)
        assert found["psi", name] == pytest.approx(psi(r, c), abs=1e-9)
        exact = stats.ks_2samp(*values).statistic
        assert found["kolmogorov_smirnov", name] <= exact + 1e-12
        assert found["kolmogorov_smirnov", name] == pytest.approx(exact, abs=0.02)
    table = np.array([[(side == v).sum() for v in "abcdez"] for side in plans])
    assert found["chi_square", "plan"] == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)
    assert found["jensen_shannon", "plan"] == pytest.approx(distance.jensenshannon(*table, base=2), abs=1e-9)
