"""Law 2: summaries are a commutative group, and counting does not care how the rows were split, ordered or merged."""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid, grid_from_json
from detectors.summaries.space import example_space
from detectors.summaries.summary import Summary, dense_sum, quantise

SIZE = 40
finite = st.floats(-1e3, 1e3)
sums = st.lists(finite, min_size=2, max_size=2).map(lambda x: quantise(np.array(x)))


@st.composite
def summaries(draw) -> Summary:
    counts = draw(st.dictionaries(st.integers(0, SIZE - 1), st.integers(-(2**40), 2**40).filter(bool), max_size=12))
    cells = np.array(sorted(counts), np.int64)
    return Summary(cells, np.array([counts[c] for c in cells.tolist()], np.int64), draw(sums))


@given(summaries(), summaries(), summaries())
def test_merge_is_associative_and_commutative(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a


@given(summaries())
def test_zero_is_neutral_and_every_summary_has_an_inverse(a):
    zero = Summary.zero(2)
    assert a + zero == a == zero + a
    assert a - a == zero == -a + a


@given(summaries(), summaries())
def test_merge_changes_neither_side(a, b):
    before = a.to_bytes(), b.to_bytes()
    _ = a + b, a - b, -a
    assert (a.to_bytes(), b.to_bytes()) == before


@given(summaries())
def test_bytes_bring_the_same_summary_back(a):
    assert Summary.from_bytes(a.to_bytes()) == a


@given(st.lists(summaries(), max_size=5))
def test_the_dense_sum_is_the_merge(parts):
    counts, total = dense_sum(parts, SIZE, 2)
    merged = Summary.merge(parts, 2)
    assert np.array_equal(counts, merged.dense(SIZE))
    assert np.array_equal(total, merged.sums)


def test_foreign_bytes_are_no_summary():
    with pytest.raises(ValueError, match="no summary"):
        Summary.from_bytes(b"XX1" + bytes(20))


rows = st.lists(
    st.tuples(
        st.one_of(st.floats(), st.integers(0, 100).map(float)),
        st.one_of(st.none(), st.sampled_from(["basic", "plus", "never seen", ""])),
        st.one_of(st.just(float("nan")), st.floats(0, 1)),
        st.floats(-100, 100),
    ),
    max_size=40,
)


def count(rows) -> Summary:
    """Rows through the grids of a space, with one quantised sum."""
    space = example_space()
    if not rows:
        return Summary.zero(1)
    age, plan, score, loss = zip(*rows, strict=True)
    columns = np.array(age), list(plan), np.array(score)
    cells = [c.grid.cells(v) + o for c, v, o in zip(space.columns, columns, space.column_offsets, strict=False)]
    return Summary.of(np.concatenate(cells), quantise(np.array(loss)).sum(keepdims=True))


@given(rows, st.data())
def test_counting_is_the_same_for_every_split_order_and_tree(rows, data):
    whole = count(rows)
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=6)))
    parts = [count(shuffled[a:b]) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    assert Summary.merge(parts, 1) == whole
    assert functools.reduce(lambda a, b: b + a, parts) == whole
    while len(parts) > 1:                                # any tree: merge two that are drawn, until one is left
        i = data.draw(st.integers(0, len(parts) - 2))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    assert parts[0] == whole


@given(rows, rows)
def test_taking_rows_back_leaves_the_others(kept, late):
    assert count(kept + late) - count(late) == count(kept)


numeric_grids = st.builds(NumericGrid, st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
grids = st.one_of(numeric_grids, st.builds(UniformGrid, st.integers(1, 3000)))


@given(numeric_grids, st.lists(st.floats(allow_nan=False), min_size=2, max_size=30))
def test_cells_follow_the_order_of_the_values(grid, values):
    cells = grid.cells(np.sort(np.array(values)))
    assert (np.diff(cells) >= 0).all()
    assert cells.min() >= 1
    assert cells.max() < grid.size


@given(numeric_grids, st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_the_edges_enclose_their_cells(grid, values):
    x = np.array(values)
    cells, edges = grid.cells(x), grid.edges()
    assert edges.shape == (grid.size,)
    assert (np.diff(edges) >= 0).all()
    slack = 2.0**-22 * (np.abs(x - grid.centre) + np.abs(grid.centre) + grid.scale)
    slack = np.where(np.isfinite(slack), slack, np.inf)
    assert (edges[cells - 1] - slack <= x).all()
    assert (x <= edges[cells] + slack).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 3000))
def test_uniform_cells_follow_the_order_and_lie_between_their_edges(values, n):
    grid, x = UniformGrid(n), np.sort(np.array(values))
    cells, edges = grid.cells(x), grid.edges()
    assert (np.diff(cells) >= 0).all()
    assert (edges[cells - 1] <= x + 1e-12).all()
    assert (x <= edges[cells] + 1e-12).all()


@given(grids)
def test_missing_is_cell_0_and_a_grid_survives_json(grid):
    assert grid.cells(np.array([np.nan])).tolist() == [0]
    assert grid_from_json(grid.to_json()) == grid


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=30), st.integers(1, 5))
def test_a_category_grid_tells_each_of_its_categories_apart(values, limit):
    grid = CategoryGrid.of(Counter(v for v in values if v is not None), limit)
    known = [v for v in values if v in grid.categories]
    assert len(set(grid.cells(known).tolist())) == len(set(known))
    assert grid.complete == (len(set(values) - {None}) <= limit)
    assert set(grid.cells([v for v in values if v is not None and v not in grid.categories]).tolist()) <= {grid.other}
