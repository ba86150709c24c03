"""Law 2: summaries are a commutative group, and counting does not care how the rows were split, ordered or merged."""

from __future__ import annotations

import functools
import struct
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.summaries.counting import HALVES, cross_count, occurrences
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid, grid_from_json
from detectors.summaries.space import example_space
from detectors.summaries.summary import Summary, dense_sum, quantise
from monitor.fold.coded import Coded
from monitor.fold.strata import Stratum, stratify, summarise

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


@given(st.lists(st.integers(0, 50), max_size=60), st.sampled_from([51, 5_000]))
def test_occurrences_are_the_same_by_sorting_and_by_counting(codes, size):
    found, counts = occurrences(np.array(codes, np.int64), size)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == Counter(codes)
    assert (np.diff(found) > 0).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)), max_size=40))
def test_a_cross_count_counts_each_combination(rows):
    columns = np.array(rows, np.int8).reshape(-1, 3).T
    found = cross_count(list(columns), (4, 2, 3))
    assert {tuple(k): int(found[tuple(k)]) for k in np.argwhere(found).tolist()} == Counter(rows)


strata = st.tuples(st.sampled_from([0, 3_600]), st.sampled_from("ab"), st.sampled_from(["champion", "shadow"]))


@given(st.lists(st.tuples(strata, st.integers(0, 9), st.integers(0, 9), st.integers(-9, 9)), max_size=40),
       st.sampled_from([1, 200]))  # fmt: skip
def test_strata_are_counted_each_for_itself(rows, times):
    """Few rows are counted together and many stratum by stratum; both are the plain count of each stratum's rows."""
    rows = rows * times
    where = [r[0] for r in rows]
    numbers = np.array([r[1:] for r in rows], np.int64).reshape(-1, 3)
    names, codes = stratify(
        np.array([w[0] for w in where], np.int64), Coded.of([w[1] for w in where]), Coded.of([w[2] for w in where]),
        np.ones(len(where)),
    )  # fmt: skip
    sums = np.bincount(codes, weights=numbers[:, 2] / 4, minlength=len(names))[:, None]
    found = summarise(20, names, codes, np.stack([numbers[:, 0], numbers[:, 1] + 10]), sums)
    assert set(found) == {Stratum(*w) for w in where}
    for stratum, summary in found.items():
        mine = numbers[[i for i, w in enumerate(where) if Stratum(*w) == stratum]]
        assert summary == Summary.of(np.r_[mine[:, 0], mine[:, 1] + 10], mine[:, 2:].sum(axis=0) / 4)


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


def slow_cell(grid: NumericGrid, x: float) -> int:
    """The definition: the octave and its 64th part of ``(x - centre) / scale`` in single precision, on either side."""
    if np.isnan(x):
        return 0
    with np.errstate(over="ignore"):
        z = float(np.float32((np.float64(x) - grid.centre) / grid.scale))
    (bits,) = struct.unpack("<I", struct.pack("<f", abs(z)))
    arm = min(max((bits >> 17) - (119 << 6) + 1, 0), 1_025)
    return 1_026 - arm if z < 0 else 1_026 + arm


@given(numeric_grids, st.lists(st.floats(), min_size=1, max_size=30))
@example(NumericGrid(0.0, 1.0), [2.0**-8, -(2.0**-8), np.nextafter(2.0**-8, 0), 256.0, np.nextafter(256.0, 0), -0.0])
@example(NumericGrid(1e308, 1e-3), [np.inf, -np.inf, np.nan, -1e308, 5e-324])
def test_numeric_cells_are_those_of_the_definition_and_counts_theirs(grid, values):
    x = np.array(values)
    cells = grid.cells(x)
    assert cells.tolist() == [slow_cell(grid, v) for v in values]
    assert np.array_equal(grid.count(x), np.bincount(cells, minlength=grid.size))


@pytest.mark.parametrize("grid", [NumericGrid(0.0, 1.0), NumericGrid(0.3, 7.0)])
def test_counts_of_many_values_are_those_of_their_cells(grid):
    """Every upper half of a single-precision number, with every kind of lower half, counted without finding cells."""
    halves = np.repeat(np.arange(HALVES, dtype=np.uint32) << 16, 3) + np.tile(np.uint32([0, 1, 0xFFFF]), HALVES)
    with np.errstate(invalid="ignore"):         # signalling NaNs are among them
        x = np.random.default_rng(1).permutation(halves).view(np.float32).astype(np.float64)
    assert np.array_equal(grid.count(x), np.bincount(grid.cells(x), minlength=grid.size))


@given(st.lists(st.floats(), max_size=30), st.integers(1, 3000), st.data())
def test_uniform_cells_are_those_of_the_definition_and_counts_theirs(values, n, data):
    grid, x = UniformGrid(n), np.array(values, np.float64)
    cells = [0 if np.isnan(v) else 1 + min(int(min(max(v, 0.0), 1.0) * n), n - 1) for v in values]
    assert grid.cells(x).tolist() == cells
    assert np.array_equal(grid.count(x), np.bincount(cells, minlength=grid.size))
    codes = data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values)))
    by_code = grid.count_by(x, np.array(codes, np.int8), 3)
    found = {tuple(k): int(by_code[tuple(k)]) for k in np.argwhere(by_code).tolist()}
    assert found == Counter(zip(codes, cells, strict=True))


words = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a", "b", "ab", "ba", "é", "\0", "a\0"]))
one_byte, two_bytes = st.sampled_from("abcz"), st.sampled_from(["ab", "ba", "é", "a\0"])
texts = st.one_of(*(st.lists(w, max_size=20) for w in (words, one_byte, two_bytes)))
kinds = st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])


@given(texts, st.sets(st.sampled_from(["a", "b", "ab", "é", "\0", ""])), st.integers(0, 3), kinds)
def test_text_in_arrow_has_the_cells_of_its_words(values, categories, skipped, kind):
    grid = CategoryGrid(tuple(sorted(categories)))
    column = pa.array(values, pa.string()).cast(kind).slice(skipped)
    cells = grid.cells(values[skipped:])
    assert np.array_equal(grid.cells_in(column), cells)
    assert np.array_equal(grid.count(column), np.bincount(cells, minlength=grid.size))


def test_a_column_of_nulls_alone_is_missing():
    grid = CategoryGrid(("a",))
    assert grid.cells_in(pa.nulls(2)).tolist() == [0, 0]
    assert grid.count(pa.nulls(2)).tolist() == [2, 0, 0]


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
