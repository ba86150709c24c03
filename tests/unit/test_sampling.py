"""What a window of sampled rows amounts to, and what is judged of it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.reference import Reference
from detectors.scope import Window
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.layout import Layout
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary
from monitor.fold.sampling import Received, coverage, weigh
from monitor.judge.measure import WindowData, measure
from monitor.judge.watch import Watch
from monitor.model import ModelSpec, ProtectedAttribute

DAY = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
SPACE = Space(
    "binary_classification", (Column("output", "score", UniformGrid(10)),),
    (ALL, Axis("attribute", "sex", CategoryGrid(("f", "m")))),
)  # fmt: skip
SPEC = ModelSpec(
    "m", "binary_classification", favourable="1", monitors=(), protected_attributes={"sex": ProtectedAttribute("f", 5)}
)
F, M = 1, 2


def test_kish_s_effective_size_by_hand() -> None:
    """100 rows that stand for ten each and 1,000 for themselves: 2,000² / (100 · 100 + 1,000)."""
    day = Received.of([(1.0, 1_000), (0.1, 100)])
    assert day.effective == round(4_000_000 / 11_000) == 364
    assert day.scale == pytest.approx(364 / 2_000)
    assert day.heaviest == pytest.approx(1.82)
    assert day.as_dict() == {"rates": [0.1, 1.0], "rows_received": 1_100, "effective_n": 364}
    assert Received.of([(1.0, 7)]).as_dict() is None
    assert Received().as_dict() is None


def test_a_row_count_has_an_interval_where_chance_had_a_part_in_it() -> None:
    assert Received.of([(1.0, 50)]).row_count().interval is None
    assert Received().row_count().value == 0.0
    low, high = Received.of([(0.1, 1)]).row_count().interval
    assert 0 < low < 10 < high
    narrow = Received.of([(0.1, 5), (1.0, 10_000)]).row_count()
    assert (narrow.value, narrow.n) == (10_050.0, 10_005)
    assert narrow.interval[1] - narrow.interval[0] < 130      # the chance is in the 5 alone


def test_the_interval_of_a_row_count_holds_the_rows_there_were() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(2_000):
        sent = [(0.1, int(rng.binomial(400, 0.1))), (0.5, int(rng.binomial(300, 0.5))), (1.0, 250)]
        low, high = Received.of(sent).row_count().interval
        held += low <= 950 <= high
    assert 0.935 < held / 2_000 < 0.965


def test_coverage_is_weighted_on_both_sides_and_exact_at_one_rate() -> None:
    assert coverage(Received.of([(0.3, 1)]), Received.of([(0.3, 3)])) == 1 / 3
    assert coverage(Received.of([(0.1, 50)]), Received.of([(0.1, 100), (1.0, 500)])) == pytest.approx(500 / 1_500)
    assert coverage(Received(), Received()) is None


def test_a_rate_next_to_nothing_breaks_nothing() -> None:
    """A sender's slip of any size is still a number."""
    tiny = Received.of([(5e-324, 1), (1e-200, 1), (1.0, 1_000)])
    assert (tiny.n, tiny.effective, tiny.total) == (1_002, 2, 2 * 10**9 + 1_000)
    assert Received.of([(5e-324, 3)]).row_count().value == 3e9
    layout = Layout({("column", 0): (2,)})
    strata = [(5e-324, np.array([1, 0]), np.ones(1)), (1.0, np.array([0, 1_001]), np.ones(1))]
    counts, sums = weigh(layout, Received.of([(5e-324, 1), (1.0, 1_001)]), strata)
    assert counts.tolist() == [1, 0]
    assert np.isfinite(sums).all()


def test_sums_weigh_as_counts_do() -> None:
    layout = Layout({("column", 0): (1,)})
    received = Received.of([(0.25, 10), (1.0, 60)])
    strata = [(0.25, np.array([10]), np.array([50.0, 1.0])), (1.0, np.array([60]), np.array([60.0, 2.0]))]
    counts, sums = weigh(layout, received, strata)
    assert counts.tolist() == [received.effective]
    assert (sums / received.effective).tolist() == pytest.approx([(50 * 4 + 60) / 100, (1 * 4 + 2) / 100])


def window(strata: dict[float, list[tuple[int, int, int]]]) -> WindowData:
    """``strata``: by rate the (sex, rows, rows with an outcome); all selected, and rightly."""
    parts, joined = [], []
    received, known = [], []
    for rate, groups in strata.items():
        cells, outcomes = np.zeros(SPACE.prediction_size, np.int64), np.zeros(SPACE.outcome_size, np.int64)
        for sex, n, with_outcome in groups:
            cells[[5, SPACE.predictions.start("axis") + 3]] += n
            cells[SPACE.predictions.start("axis", 1) + 2 * sex + 1] += n
            outcomes[[SPACE.outcomes.start("scored") + 12 + 5, SPACE.outcomes.start("axis") + 7]] += with_outcome
            outcomes[SPACE.outcomes.start("axis", 1) + 4 * sex + 3] += with_outcome
        received.append((rate, sum(n for _, n, _ in groups)))
        known.append((rate, sum(n for _, _, n in groups)))
        parts.append((rate, cells, np.zeros(0)))
        joined.append((rate, outcomes, np.zeros(SPACE.outcome_sums.size)))
    rows, with_outcomes = Received.of(received), Received.of(known)
    seen = weigh(SPACE.predictions, rows, parts) if rows.mixed else parts[0][1:]
    told = weigh(SPACE.outcomes, with_outcomes, joined) if with_outcomes.mixed else joined[0][1:]
    return WindowData(DAY, *seen, *told, rows, with_outcomes, True, 1)


def points(data: WindowData, family: str):
    one = Summary.of(np.array([5, SPACE.predictions.start("axis") + 3]))
    watch = Watch(SPEC, Reference.build("r", SPACE, [one] * 8))
    return {(p.metric, p.scope.group): p for p in measure(watch, family, data)}  # type: ignore[arg-type]


def test_coverage_of_a_group_is_weighted_as_that_of_the_whole() -> None:
    """Outcomes are known of what was sent whole, and of a fifth of the men's rest: their rows have other weights."""
    data = window({0.1: [(F, 100, 0), (M, 200, 40)], 1.0: [(F, 1_000, 1_000), (M, 500, 500)]})
    assert data.coverage == pytest.approx(1_900 / 4_500)
    found = points(data, "fairness")
    assert found["true_positive_rate", "f"].coverage == pytest.approx(1_000 / 2_000, abs=0.01)
    assert found["true_positive_rate", "m"].coverage == pytest.approx(900 / 2_500, abs=0.01)
    assert points(data, "performance")["label_coverage", None].measurement.value == pytest.approx(1_900 / 4_500)


def test_what_is_said_of_a_sampled_window_rests_on_the_rows_received() -> None:
    found = points(window({0.1: [(F, 30, 30), (M, 10, 10)]}), "fairness")
    assert found["selection_rate", "f"].measurement.n == 30
    assert not found["selection_rate", "m"].measurement.known or found["selection_rate", "m"].measurement.n == 10
    count = points(window({0.1: [(F, 30, 30), (M, 10, 10)]}), "drift")["row_count", None].measurement
    assert (count.value, count.n) == (400.0, 40)
