"""The reference and its bins: deciles snapped to cells, labels, and bytes that bring it back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.bins import decile_starts
from detectors.drift import measure_drift
from detectors.reference import Reference
from detectors.summaries.space import Space, example_space
from detectors.summaries.summary import Summary

SPACE = example_space()


def predictions(space: Space, age, plan, score) -> Summary:
    """Rows of the example space; all are decided 1."""
    values = np.asarray(age, float), plan, np.asarray(score, float)
    cells = [c.grid.cells(v) + o for c, v, o in zip(space.columns, values, space.column_offsets, strict=False)]
    return Summary.of(np.concatenate([*cells, np.full(len(plan), space.predictions.start("axis") + 3)]))


def some(seed: int, n: int = 500) -> Summary:
    rng = np.random.default_rng(seed)
    return predictions(SPACE, rng.normal(40, 15, n), rng.choice(["basic", "plus", None], n).tolist(), rng.random(n))


def test_each_numeric_bin_holds_about_a_tenth_of_the_reference():
    reference = Reference.build("r", SPACE, [some(i) for i in range(8)])
    for column in (0, 2):
        counts = reference.bins.of(column, reference.counts)
        assert counts.size == 10
        assert np.abs(counts / counts.sum() - 0.1).max() < 0.02


def test_bins_of_all_columns_hold_every_row_once_and_missing_apart():
    reference = Reference.build("r", SPACE, [some(1)])
    missing, counts = reference.bins.count(reference.predictions)
    assert (missing + reference.bins.total(counts)).tolist() == [500] * 3
    assert missing[1] > 100
    assert missing[0] == missing[2] == 0
    assert reference.n == 500


def test_edges_are_where_the_bins_count_from():
    rng = np.random.default_rng(3)
    age = rng.gamma(3, 12, 4000)
    window = predictions(SPACE, age, ["plus"] * 4000, rng.random(4000))
    reference = Reference.build("r", SPACE, [window])
    counted = np.histogram(age, np.r_[-np.inf, reference.bins.edges(0), np.inf])[0]
    assert counted.tolist() == reference.bins.of(0, reference.counts).tolist()
    labels = reference.bins.labels(0)
    assert len(labels) == counted.size
    assert labels[0].startswith("< ")
    assert labels[-1].startswith("≥ ")
    assert reference.bins.labels(1) == ("basic", "plus", "other")


def test_categories_have_no_edges():
    reference = Reference.build("r", SPACE, [some(1)])
    with pytest.raises(ValueError, match="'plan' has categories"):
        reference.bins.edges(1)


@pytest.mark.parametrize(
    ("counts", "starts"),
    [
        ([0, 0, 0], [0]),                                # nothing known: one bin
        ([0, 9, 0], [0, 1, 2]),                          # constant: below, at, above
        ([9, 0, 0], [0, 1]),                             # constant in the lowest cell: nothing lies below
        ([0, 6, 0, 4, 0], [0, 1, 2, 4]),                 # two values: below, the first, the second, above
        ([1] * 10, list(range(10))),
        ([1, 98, 1], [0, 2]),                            # nearly constant: the ends belong to the outer bins
    ],
)
def test_deciles_with_ties(counts, starts):
    assert decile_starts(np.array(counts)).tolist() == starts


def test_bytes_bring_the_same_reference_back():
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    outcomes = Summary.of(np.array([1, 5, 5]), np.linspace(-1.5, 0.25, SPACE.outcome_sums.size))
    reference = Reference.build("january", SPACE, [some(i) for i in range(16)], outcomes, start, end)
    again = Reference.from_bytes(reference.to_bytes())
    assert (again.name, again.space, again.start, again.end, again.n) == ("january", SPACE, start, end, 8000)
    assert again.outcomes[5] == 2
    assert again.sums.tolist() == outcomes.sums.tolist()
    assert again.to_bytes() == reference.to_bytes()
    window = some(99).dense(SPACE.prediction_size)
    assert measure_drift(again, window) == measure_drift(reference, window)


def test_an_empty_reference_survives_too():
    reference = Reference.build("none", SPACE, [])
    again = Reference.from_bytes(reference.to_bytes())
    assert again.n == 0
    assert again.start is None


def test_foreign_and_damaged_bytes_are_refused():
    data = Reference.build("r", SPACE, [some(1)]).to_bytes()
    with pytest.raises(ValueError, match="no reference of a version known here"):
        Reference.from_bytes(b"VR9" + data[3:])
    with pytest.raises(ValueError, match="damaged"):
        Reference.from_bytes(data[:-20])
