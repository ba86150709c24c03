"""The laws of sampling: one rate changes totals alone, several rates say the same of all rows there were, and honestly
how sure it is."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from detectors.clusters import design_effect
from detectors.intervals import wilson
from detectors.performance.scores import roc_auc
from detectors.quality import duplicate_rate
from detectors.reference import Reference
from detectors.scope import Window
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.layout import Layout
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary
from monitor.database import open_database, writing
from monitor.fold.sampling import Received, coverage, weigh
from monitor.fold.strata import Stratum
from monitor.judge.measure import WindowData, measure
from monitor.judge.watch import KEPT, Watch
from monitor.model import ModelSpec, ProtectedAttribute
from monitor.store import rollups, summaries, tables
from monitor.store.rollups import DAY

SPACE = Space(
    "binary_classification",
    (Column("feature", "age", NumericGrid(40.0, 20.0)), Column("feature", "plan", CategoryGrid(("a", "b"))),
     Column("output", "score", UniformGrid())),
    (ALL, Axis("attribute", "sex", CategoryGrid(("f", "m")))),
    subjects=True,
)  # fmt: skip
SPEC = ModelSpec(
    "m", "binary_classification", favourable="1", monitors=(),
    protected_attributes={"sex": ProtectedAttribute("f", 20)},
)  # fmt: skip
SPAN = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
HOUR = DAY // 24


class Rows:
    """A population with all that is counted of it; ``take`` gives the summaries of some of its rows."""

    def __init__(self, n: int, seed: int, people: int = 10**9) -> None:
        rng = np.random.default_rng(seed)
        self.n, self.sex = n, rng.integers(1, 3, n)
        age, score = rng.normal(40 + 5 * self.sex, 15), rng.beta(2, 2, n)
        self.cells = [SPACE.columns[0].grid.cells(age), rng.choice(4, n, p=[0.05, 0.6, 0.3, 0.05]),
                      SPACE.output.grid.cells(score)]  # fmt: skip
        self.label = (rng.random(n) < score).astype(np.int64)
        self.decision = (score > 0.5).astype(np.int64)
        self.score, self.subject = score, rng.integers(0, people, n)

    def take(self, at: np.ndarray) -> tuple[Summary, Summary]:
        groups = [np.ones(at.size, np.int64), self.sex[at]]
        cells = [c[at] for c in self.cells]
        of = groups, self.decision[at]
        seen = fold_predictions(SPACE, cells, *of, self.subject[at] * 0x9E3779B97F4A7C1)
        return seen, fold_outcomes(SPACE, cells[2], *of, self.label[at], self.score[at])

    def measured(self, strata: dict[float, np.ndarray]) -> dict[tuple[str, str], object]:
        """Every point of a window of these rows, as they came at each rate."""
        received, (seen, known) = self.window(strata)
        data = WindowData(SPAN, *seen, *known, received, received, True, 1)
        points = [p for f in ("drift", "performance", "fairness") for p in measure(WATCH, f, data, KEPT)]
        return {(p.metric, p.scope.text): p for p in points}

    def window(self, strata: dict[float, np.ndarray]):
        received = Received.of((rate, at.size) for rate, at in strata.items())
        parts = {rate: self.take(at) for rate, at in strata.items()}
        found = []
        for i, layout, sums in ((0, SPACE.predictions, 0), (1, SPACE.outcomes, SPACE.outcome_sums.size)):
            dense = [(rate, p[i].dense(layout.size), p[i].sums) for rate, p in parts.items()]
            assert all(d[2].size == sums for d in dense)
            found.append(weigh(layout, received, dense) if received.mixed else dense[0][1:])
        return received, found


REFERENCE = Rows(4_000, 1)
WATCH = Watch(SPEC, Reference.build("may", SPACE, *(lambda s, k: ([s], k))(*REFERENCE.take(np.arange(4_000)))))


def test_a_window_of_one_rate_says_what_its_rows_say_but_for_totals() -> None:
    rows, at = Rows(1_000, 2), np.arange(1_000)
    tenth, plain = rows.measured({0.1: at}), rows.measured({1.0: at})
    count = tenth.pop(("row_count", "model")).measurement
    assert (count.value, count.n) == (10_000.0, 1_000)
    assert count.interval[0] < 10_000 < count.interval[1]
    assert plain.pop(("row_count", "model")).measurement.interval is None
    assert tenth == plain
    assert sum(p.measurement.known for p in plain.values()) > 30


rates = st.sampled_from([0.001, 0.05, 0.1, 0.3, 0.7, 1.0])
counts = st.lists(st.tuples(rates, st.integers(1, 10**6)), min_size=1, max_size=6)


@given(counts, counts)
def test_what_was_received_adds_up_in_any_order(a: list[tuple[float, int]], b: list[tuple[float, int]]) -> None:
    both = Received.of(a + b)
    assert both == Received.of(b[::-1] + a[::-1]) == Received.of((*Received.of(a).by_rate, *Received.of(b).by_rate))
    assert 1 <= both.effective <= both.n <= both.total
    assert both.mixed or both.effective == both.n
    least = both.n * both.rates[0] / max(both.rates[-1], both.rates[0])
    assert both.effective >= least - 1
    assert both.heaviest >= 1 - 1 / both.effective
    assert coverage(both, both) == 1.0
    assert 0 <= coverage(Received(), both) <= 1


@given(st.lists(st.tuples(rates, st.lists(st.integers(0, 40), min_size=12, max_size=12)), min_size=2, max_size=4))
def test_weighted_counts_are_whole_and_no_run_of_cells_is_off_by_a_row(parts) -> None:
    """Against the exact weights: bins, totals and distribution functions, of two blocks that count every row."""
    layout = Layout({("column", 0): (12,), ("column", 1): (12,)})
    received = Received.of((rate, sum(cells)) for rate, cells in parts)
    if not received.mixed:
        return
    strata = [(rate, np.array([*cells, *cells[::-1]]), np.zeros(0)) for rate, cells in parts]
    whole, _ = weigh(layout, received, strata)
    exact = sum(received.scale / rate * cells for rate, cells, _ in strata)
    assert (whole >= 0).all()
    assert whole[:12].sum() == whole[12:].sum() == received.effective
    off = np.cumsum(whole - exact)
    assert np.abs(off).max() <= 0.5 + 1e-6


def thinned(rows: Rows, rng: np.random.Generator, chosen: dict[float, np.ndarray]) -> dict[float, np.ndarray]:
    """What is sent of rows whose rate is decided whatever they say."""
    return {rate: at[rng.random(at.size) < rate] for rate, at in chosen.items()}


def test_rows_of_several_rates_are_unbiased_for_all_rows_there_were() -> None:
    """Rates that go with what is counted, as where a service sends more of one hour or region than of another."""
    rows, rng, found = Rows(6_000, 3), np.random.default_rng(4), []
    chosen = {0.1: np.flatnonzero((rows.sex == 1) & (rows.decision == 0)), 0.3: np.flatnonzero(rows.sex == 2),
              1.0: np.flatnonzero((rows.sex == 1) & (rows.decision == 1))}  # fmt: skip

    def figures(strata: dict[float, np.ndarray]) -> list[float]:
        received, ((seen, _), (known, sums)) = rows.window(strata)
        reference, n = WATCH.reference, received.effective
        shares = reference.bins.count(seen)[1] / n
        selected = SPACE.decisions(seen, 1)[1:3, 1] / SPACE.decisions(seen, 1)[1:3].sum(axis=1)
        right = SPACE.confusion(known).trace(axis1=1, axis2=2)[1] / n
        area = roc_auc(SPACE.score_by_label(known)).value
        return [*shares, *selected, right, sums[0] / n, sums[1] / n, area, received.total / rows.n]

    everything = np.array(figures({1.0: np.arange(rows.n)}))
    found = np.array([figures(thinned(rows, rng, chosen)) for _ in range(150)])
    error = found.std(axis=0) / np.sqrt(len(found))
    # Ratios of estimates and the rounding to whole rows leave a bias of the order of one row of about 1,200.
    assert (np.abs(found.mean(axis=0) - everything) < 4 * error + 1 / 1_500).all()
    received = np.concatenate(list(thinned(rows, rng, chosen).values()))
    plain = np.array(figures({1.0: received}))
    assert np.abs(plain - everything)[-7:].max() > 0.1        # as it would be, were the rates left out


@pytest.mark.parametrize(("share", "rates"), [(0.3, (0.1, 1.0)), (0.05, (0.02, 0.5)), (0.5, (0.2, 0.3, 1.0))])
def test_intervals_hold_as_often_as_they_say_where_rates_are_mixed(share: float, rates: tuple[float, ...]) -> None:
    """Rates that do not go with what is counted. The rows of one rate are a third or half of all there were."""
    rng, layout, held, trials = np.random.default_rng(5), Layout({("column", 0): (2,)}), 0, 1_500
    for _ in range(trials):
        strata = []
        for rate in rates:
            n = rng.binomial(3_000, rate)
            k = rng.binomial(n, share)
            strata.append((rate, np.array([n - k, k]), np.zeros(0)))
        received = Received.of((rate, int(c.sum())) for rate, c, _ in strata)
        counts, _ = weigh(layout, received, strata)
        low, high = wilson(int(counts[1]), received.effective)
        held += low <= share <= high
    assert 0.935 < held / trials < 0.97


def test_repeated_people_and_repeated_contents_are_told_as_they_were_received() -> None:
    rows, rng = Rows(3_000, 6, people=1_000), np.random.default_rng(7)
    order = rng.permutation(3_000)
    strata = {0.5: order[:1_000], 1.0: order[1_000:]}
    received, ((seen, _), _) = rows.window(strata)
    weights = np.zeros(3_000)
    weights[strata[0.5]], weights[strata[1.0]] = 2.0, 1.0
    people = np.bincount(rows.subject, weights, 1_000)
    exact = float((people**2).sum() / (weights**2).sum())
    signed = np.diff(SPACE.predictions.view(seen, "subjects"))[:, 0]
    assert design_effect(signed, received.effective) == pytest.approx(exact, rel=0.12)     # a sketch of 1,024 cells
    distinct, at = Rows(1_000, 6), np.arange(1_000)
    alone, ((once, _), _) = distinct.window({0.1: at[:125], 1.0: at[125:]})
    signed = np.diff(SPACE.predictions.view(once, "subjects"))[:, 0]
    assert design_effect(signed, alone.effective) < 1.1, "rounding makes nobody come again"
    contents = SPACE.predictions.view(seen, "contents")
    assert contents.sum() == 3_000
    plain = rows.take(np.arange(3_000))[0].dense(SPACE.prediction_size)
    assert duplicate_rate(contents, 3_000) == duplicate_rate(SPACE.predictions.view(plain, "contents"), 3_000)


def test_no_group_is_told_of_fewer_rows_than_its_minimum() -> None:
    """A row of a low rate weighs as several: the least size is that of rows received, not of what they weigh."""
    rows = Rows(2_000, 8)
    some = np.flatnonzero(rows.sex == 1)
    strata = {0.02: some[:15], 1.0: some[15:900]}
    rows.sex[some[:15]] = 2
    (seen, _), _ = rows.window(strata)[1]
    assert SPACE.decisions(seen, 1)[2].sum() > 20       # so many they weigh
    point = rows.measured(strata)["selection_rate", "attribute:sex,group:m"]
    assert not point.measurement.known


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


def write(db: Connection, rows: list[tuple[int, float, int]], cell: int = 5) -> None:
    """Add rows in some hours at some rates, each in cell ``cell`` plus its hour."""
    for hour, rate, n in rows:
        cells = np.array([cell + hour % 7, SPACE.column_offsets[1] + 2, SPACE.predictions.start("axis") + 2])
        part = Summary(cells, np.full(3, n), np.zeros(0))
        stratum = Stratum(hour * HOUR, "1", "champion", rate)
        summaries.merge(db, 1, "predictions", {stratum: part}, {stratum: n}, 1)


places = st.tuples(st.integers(0, 50), st.sampled_from([0.1, 0.25, 1.0]), st.integers(1, 9))
steps = st.lists(st.one_of(st.lists(places, min_size=1, max_size=4), st.integers(0, 40)), min_size=1, max_size=6)


@settings(max_examples=60)
@given(steps, st.tuples(st.integers(0, 52), st.integers(0, 52)))
def test_counts_of_any_window_are_the_same_with_and_without_roll_ups(engine, steps, window) -> None:
    """Rates that come and go, late rows, refreshes at any time; against a plain sum by rate."""
    with writing(engine) as db:
        total: list[tuple[int, float, int]] = []
        for step in steps:
            if isinstance(step, list):
                write(db, step)
                total += step
            else:
                rollups.refresh(db, 1, step * DAY, 50)
            for a, b in [(0, 52), window]:
                found = [summaries.window(db, 1, "predictions", SPACE, a * HOUR, b * HOUR, rolled_up=up)
                         for up in (False, True)]  # fmt: skip
                assert found[0].rows == found[1].rows == Received.of((r, n) for h, r, n in total if a <= h < b)
                assert np.array_equal(found[0].counts, found[1].counts)
                listed = summaries.bucket_rows(db, 1, a * HOUR, b * HOUR)["predictions"]
                assert summaries.received(listed) == found[0].rows
        db.rollback()


@pytest.mark.both_databases
def test_days_add_up_to_the_whole_by_what_their_rows_stand_for(state_db: Connection) -> None:
    """A window's scale is its own, so that days add up in rows there were and not in effective ones."""
    db = state_db
    rng = np.random.default_rng(9)
    hours = np.repeat(np.arange(96), 2).tolist()
    write(db, [(h, float(rng.choice([0.1, 0.5, 1.0])), int(rng.integers(50, 200))) for h in hours])
    whole = summaries.window(db, 1, "predictions", SPACE, 0, 4 * DAY)
    days = [summaries.window(db, 1, "predictions", SPACE, d * DAY, (d + 1) * DAY) for d in range(4)]
    assert whole.rows == Received.of(pair for day in days for pair in day.rows.by_rate)
    together = sum(day.counts / day.rows.scale for day in days)
    off = np.cumsum(together - whole.counts / whole.rows.scale)
    rounding = sum(0.5 / day.rows.scale for day in (*days, whole))
    assert np.abs(off).max() <= rounding
    assert rollups.refresh(db, 1, 4 * DAY, 50) == 4
    assert len(rollups.parts(db, 1, "predictions", 0, 4 * DAY)) == 4 * 3       # a day has a part for each rate
    again = summaries.window(db, 1, "predictions", SPACE, 0, 4 * DAY, rolled_up=True)
    assert again.rows == whole.rows
    assert np.array_equal(again.counts, whole.counts)
