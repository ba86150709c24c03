"""Packed summaries and roll-ups: small, exact, the same bytes for the same content, refused when they are not whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from detectors.summaries import packing
from detectors.summaries.grids import NumericGrid
from detectors.summaries.packing import CHUNK, pack, pack_more, pack_sum, packed_sum, unpack
from detectors.summaries.space import example_space
from detectors.summaries.summary import Summary
from monitor.database import open_database, writing
from monitor.fold.strata import Stratum
from monitor.store import rollups, summaries, tables
from monitor.store.rollups import DAY, LENGTHS

SIZE = 5 * CHUNK + 3
EDGES = [1, -1, 127, 128, -128, -129, 255, 256, 2**15, -(2**15) - 1, 2**16 - 1, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)]
counts = st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1).filter(bool))
small = st.integers(-300, 300).filter(bool)
sums = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2).map(np.array)
exact_sums = st.lists(st.integers(-1000, 1000), min_size=2, max_size=2).map(lambda x: np.array(x) / 8)


@st.composite
def parts(draw, values=counts, sums=sums):
    held = draw(st.dictionaries(st.integers(0, SIZE - 1), values, max_size=20))
    cells = np.array(sorted(held), np.int64)
    return cells, np.array([held[c] for c in cells.tolist()], np.int64), draw(sums)


def dense(part) -> np.ndarray:
    out = np.zeros(SIZE, np.int64)
    out[part[0]] = part[1]
    return out


forms = pytest.mark.parametrize("few", [packing._FEW, 0], ids=["list", "chunks"])


@forms
@given(part=parts())
def test_every_count_of_64_bits_and_every_sum_comes_back(few, part):
    with patch.object(packing, "_FEW", few):
        data = pack(*part)
    for found, given_ in zip(unpack(data), part, strict=True):
        assert found.dtype == given_.dtype
        assert found.tobytes() == given_.tobytes()
    total, total_sums = packed_sum([data], SIZE, 2)
    assert np.array_equal(total, dense(part))
    assert np.array_equal(total_sums, part[2])


@forms
@given(some=st.lists(parts(small, exact_sums), min_size=1, max_size=4))
def test_a_sum_of_packed_parts_is_the_packed_sum(few, some):
    check_sums(few, some)


def test_a_sum_may_have_another_form_than_its_parts():
    """25 cells and 25 others: each part a list, the sum chunks; and less than a part is a list again."""
    zero = np.zeros(2)
    one, other = (np.arange(25) * 2 + i for i in (0, 1))
    check_sums(40, [(one, one + 1, zero), (other, one + 1, zero)])
    check_sums(40, [(one, one + 1, zero), (other, one + 1, zero), (other, -one - 1, zero)])


def check_sums(few, some):
    with patch.object(packing, "_FEW", few):
        packed = [pack(*p) for p in some]
        total, sums = packed_sum(packed, SIZE, 2)
        assert np.array_equal(total, np.sum([dense(p) for p in some], axis=0))
        assert np.array_equal(sums, np.sum([p[2] for p in some], axis=0))
        cells = np.flatnonzero(total)
        whole = pack(cells, total[cells], sums)
        assert pack_sum(packed) == whole
        assert pack_more(pack_sum(packed[1:] or [pack(cells[:0], cells[:0], np.zeros(2))]), *some[0]) == whole


def test_what_is_taken_back_leaves_nothing_behind():
    part = np.array([1, 200]), np.array([5, -7]), np.array([0.5])
    assert pack_more(pack(*part), part[0], -part[1], -part[2]) == pack(*(a[:0] for a in part[:2]), np.zeros(1))


@pytest.mark.parametrize("data", [b"", b"VS", b"VS1" + bytes(40), b"XX2" + bytes(40)])
def test_bytes_of_another_kind_are_refused(data):
    with pytest.raises(ValueError, match="no summary"):
        unpack(data)


@pytest.mark.parametrize("n", [1, 2_000])       # a list, and chunks
def test_bytes_that_were_cut_are_refused(n):
    data = pack(np.arange(n) * 200, np.arange(n) + 1, np.zeros(0))
    for length in (20, len(data) // 2, len(data) - 1):
        with pytest.raises(ValueError, match=r"cut or damaged|no summary"):
            unpack(data[:length])


def test_a_bucket_of_a_feature_is_small_whatever_its_rows():
    """24,000 buckets of a feature, a day of 1,000 features by the hour, in 64 MB: 2,796 bytes each."""
    grid, rng, features = NumericGrid(0.0, 1.35), np.random.default_rng(1), 12
    for n, limit in ((10, 120), (100, 300), (10_000, 1_000), (1_000_000, 2_100)):
        found = np.concatenate([grid.count(rng.normal(size=n)) for _ in range(features)])
        cells = np.flatnonzero(found)
        assert len(pack(cells, found[cells], np.zeros(0))) < features * limit, n


# Roll-ups.

SPACE = example_space()
HOUR = DAY // 24
ROW = Summary.of(np.array([5, SPACE.column_offsets[1] + 2, SPACE.predictions.start("axis") + 2]))
places = st.tuples(
    st.sampled_from([0, 1, 23, 24, 25, 47, 24 * 15, 24 * 16 - 1, 24 * 16, 24 * 17, 24 * 32]),
    st.sampled_from(["1", "2"]), st.sampled_from(["champion", "champion", "shadow"]), st.sampled_from([1, 1, 2, -1]),
)  # fmt: skip
steps = st.lists(st.one_of(st.lists(places, min_size=1, max_size=3), st.integers(0, 34)), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def db(engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        yield connection
        connection.rollback()


def write(db: Connection, hours: list[tuple[int, str, str, int]]) -> None:
    """Add rows (or take them back) in some hours; those of one stratum in one part."""
    found: Counter[Stratum] = Counter()
    for hour, version, role, n in hours:
        found[Stratum(hour * HOUR, version, role)] += n
    some = {s: Summary(ROW.cells, ROW.counts * n, ROW.sums) for s, n in found.items() if n}
    summaries.merge(db, 1, "predictions", some, {s: found[s] for s in some})


def rows(db: Connection, start: int, end: int) -> int:
    window = summaries.window(db, 1, "predictions", SPACE, start, end)
    assert window.counts[ROW.cells].tolist() == [window.rows.n] * 3
    assert window.counts.sum() == 3 * window.rows.n
    return window.rows.n


def held(db: Connection, length: int) -> int:
    c = rollups.rollups.c
    held = select(func.count()).where(c.length == length, c.data.is_not(None))
    outdated = select(c.start).where(c.length == length, c.data.is_(None))
    return db.execute(held.where(c.start.not_in(outdated))).scalar_one()


@given(steps, st.lists(st.tuples(st.integers(0, 34 * 24), st.integers(0, 34 * 24)), min_size=1, max_size=4))
def test_a_window_is_the_sum_of_its_buckets_whatever_is_rolled_up(engine, steps, windows):
    """Writes, early and late and taken back, and refreshes in any order; every window against a plain count."""
    with writing(engine) as db:
        total: Counter[int] = Counter()
        for step in steps:
            if isinstance(step, list):
                write(db, step)
                for hour, _, role, n in step:
                    total[hour] += n if role == "champion" else 0
            else:
                rollups.refresh(db, 1, step * DAY, 50)
            for a, b in [(0, 34 * 24), *windows]:
                assert rows(db, a * HOUR, b * HOUR) == sum(n for hour, n in total.items() if a <= hour < b)
        db.rollback()


def test_long_windows_read_few_parts(db: Connection):
    write(db, [(hour, "1", "champion", 1) for hour in range(24 * 32)])
    assert len(rollups.parts(db, 1, "predictions", 0, 32 * DAY)) == 24 * 32
    assert rollups.refresh(db, 1, 32 * DAY, 1_000) == 34
    assert [held(db, length) for length in LENGTHS] == [32, 2]
    assert len(rollups.parts(db, 1, "predictions", 0, 32 * DAY)) == 2
    assert len(rollups.parts(db, 1, "predictions", DAY // 2, 17 * DAY + HOUR)) == 12 + 15 + 1 + 1
    assert rollups.refresh(db, 1, 32 * DAY, 1_000) == 0


def test_a_write_outdates_its_own_day_and_block_alone(db: Connection):
    write(db, [(hour, "1", "champion", 1) for hour in range(24 * 32)])
    rollups.refresh(db, 1, 32 * DAY, 1_000)
    write(db, [(24 * 20 + 3, "2", "champion", 1)])
    assert [held(db, length) for length in LENGTHS] == [31, 1]
    write(db, [(5, "1", "shadow", 1)])
    assert [held(db, length) for length in LENGTHS] == [31, 1]       # only the serving role is rolled up
    assert rollups.refresh(db, 1, 32 * DAY, 1) == 1                  # the day before the block, that is made of it
    assert [held(db, length) for length in LENGTHS] == [32, 1]
    assert rollups.refresh(db, 1, 32 * DAY, 5) == 1
    assert rows(db, 0, 32 * DAY) == 24 * 32 + 1


def test_a_stretch_is_rolled_up_when_its_time_has_ended_and_where_it_spares_reading(db: Connection):
    write(db, [(1, "1", "champion", 1), (2, "1", "champion", 1), (30, "1", "champion", 1)])
    assert rollups.refresh(db, 1, DAY - 1, 10) == 0
    assert rollups.refresh(db, 1, DAY, 10) == 1
    assert held(db, DAY) == 1
    assert rollups.refresh(db, 1, 2 * DAY, 10) == 1     # of one bucket a roll-up would be a copy
    assert held(db, DAY) == 1
    assert rows(db, 0, 2 * DAY) == 3


def test_a_model_that_is_forgotten_leaves_no_roll_up(db: Connection, tmp_path: Path):
    write(db, [(1, "1", "champion", 1), (2, "1", "champion", 1)])
    rollups.refresh(db, 1, DAY, 10)
    summaries.forget(db, 1)
    assert rows(db, 0, DAY) == 0
    assert held(db, DAY) == 0
