"""The join, case by case: what each sending counts as, what it adds, and what it takes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.space import Column, Space
from monitor.fold.coded import Coded
from monitor.fold.entries import Entries
from monitor.fold.ids import Ids
from monitor.fold.join import Folded, Kept, Stored, fold_outcomes, fold_predictions
from monitor.fold.rows import Outcomes, read_outcomes, read_predictions
from monitor.fold.strata import Stratum, stratify
from monitor.model import ModelSpec

SPEC = ModelSpec("m", "binary_classification", favourable="1")
SPACE = Space(
    "binary_classification",
    (Column("feature", "plan", CategoryGrid(("a",))), Column("output", "score", UniformGrid(10))),
)
HOUR = 3_600_000_000


def predict(
    ids: list[str], scores: list[float] | None = None, known: Entries | None = None,
    waiting: Outcomes | None = None, versions: list[str] | None = None, roles: list[str] | None = None,
    rate: float = 1.0, **more: Any,
) -> Folded:  # fmt: skip
    n = len(ids)
    table = pa.RecordBatch.from_pydict({
        "prediction_id": ids, "timestamp": pa.array([HOUR + i for i in range(n)], pa.timestamp("us", "UTC")),
        "model_version": versions or ["v"] * n, "role": roles or ["champion"] * n,
        "prediction_score": pa.array(scores or [0.9] * n, pa.float64()), **more,
    })  # fmt: skip
    rows = read_predictions(SPACE, SPEC, table, None)
    return fold_predictions(SPACE, HOUR, rows, under(rows.ids, known), under(rows.ids, waiting), rate)


def tell(rows: list[tuple[str, int, str]], stored: Outcomes | None = None,
         entries: Entries | None = None) -> Folded:  # fmt: skip
    table = pa.RecordBatch.from_pydict({
        "prediction_id": [r[0] for r in rows], "timestamp": pa.array([r[1] for r in rows], pa.timestamp("us", "UTC")),
        "actual_label": [r[2] for r in rows],
    })  # fmt: skip
    truths = read_outcomes(SPACE, SPEC, table)
    return fold_outcomes(SPACE, truths, under(truths.ids, stored), under(truths.ids, entries))


def under(ids: Ids, kept: Kept | None) -> Stored[Kept] | None:
    """What is kept under some ids, as the store would find it."""
    if kept is None:
        return None
    held = list(enumerate(kept.ids.values.to_pylist()))
    pairs = [(i, j) for i, one in enumerate(ids.values.to_pylist()) for j, other in held if one == other]
    asked, rows = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    return Stored(asked, kept.take(rows))


def known_as(result: Folded) -> Outcomes:
    assert result.outcomes is not None
    return result.outcomes


def entries_of(*ids: str, **more: Any) -> Entries:
    found = predict(list(ids), **more).entries
    assert found is not None
    return found


def confusion(result: Folded) -> list[list[int]]:
    """All strata together: by decision and label."""
    total = np.zeros((2, 2), np.int64)
    for summary in result.joined.values():
        total += SPACE.confusion(summary.dense(SPACE.outcome_size))[1]
    return total.tolist()


def counts(result: Folded) -> dict[str, int]:
    return {name: n for name, n in result.total.items() if n}


def test_the_first_of_an_identity_counts() -> None:
    result = predict(["p", "p", "q"], [0.9, 0.1, 0.9])
    assert counts(result) == {"predictions": 2, "conflicts": 1}
    assert result.counts["conflicts"].tolist() == [0, 1, 0]
    assert result.entries is not None
    assert result.entries.ids.values.to_pylist() == ["p", "q"]
    again = predict(["p", "r", "p"], [0.9, 0.9, 0.2], known=result.entries)
    assert counts(again) == {"duplicates": 1, "predictions": 1, "conflicts": 1}
    assert again.kept.tolist() == [1]
    none = predict(["p"], [0.9], known=result.entries)
    assert (counts(none), none.entries, none.predictions) == ({"duplicates": 1}, None, {})


def test_only_the_serving_role_feeds_the_streams_and_each_role_has_its_stratum() -> None:
    roles = ["champion", "shadow", "champion"]
    result = predict(["p", "p", "q"], [0.9, 0.2, 0.4], versions=["v", "w", "v"], roles=roles)
    assert result.scores.tolist() == [0.9, 0.4]
    assert result.instants.tolist() == [HOUR, HOUR + 2]
    assert set(result.predictions) == {Stratum(HOUR, "v", "champion"), Stratum(HOUR, "w", "shadow")}


def test_a_prediction_meets_the_outcome_that_waits_for_it() -> None:
    truth = known_as(tell([("p", 5, "1")]))
    result = predict(["p", "p", "q"], [0.9, 0.2, 0.4], waiting=truth, versions=["v", "w", "v"])
    assert counts(result) == {"predictions": 3, "joined": 2, "orphans": -1}
    assert confusion(result) == [[0, 1], [0, 1]]
    known = predict(["p"], versions=["x"], known=entries_of("p"), waiting=truth)
    assert counts(known) == {"predictions": 1, "joined": 1}, "its outcome was no orphan any more"


def test_an_outcome_without_its_prediction_is_an_orphan_once() -> None:
    result = tell([("p", 5, "1")])
    assert (counts(result), result.joined) == ({"outcomes": 1, "orphans": 1}, {})
    later = tell([("p", 6, "0")], stored=result.outcomes)
    assert counts(later) == {"corrections": 1}


def test_an_outcome_joins_every_version() -> None:
    entries = entries_of("p", "p", scores=[0.9, 0.2], versions=["v", "w"], roles=["champion", "challenger"])
    result = tell([("p", 5, "1")], entries=entries)
    assert counts(result) == {"outcomes": 1, "joined": 2}
    assert confusion(result) == [[0, 1], [0, 1]]
    assert result.errors.tolist() == [0.0], "the champion's"


@pytest.mark.parametrize(
    ("at", "label", "expected", "change"),
    [
        (6, "0", {"corrections": 1}, [[0, 0], [1, -1]]),
        (4, "0", {"superseded": 1}, [[0, 0], [0, 0]]),
        (5, "0", {"conflicts": 1}, [[0, 0], [0, 0]]),
        (5, "1", {"duplicates": 1}, [[0, 0], [0, 0]]),
        (4, "1", {"duplicates": 1}, [[0, 0], [0, 0]]),
        (6, "1", {"duplicates": 1}, [[0, 0], [0, 0]]),
    ],
)
def test_a_second_outcome(at: int, label: str, expected: dict[str, int], change: list[list[int]]) -> None:
    first = tell([("p", 5, "1")], entries=entries_of("p"))
    second = tell([("p", at, label)], stored=first.outcomes, entries=entries_of("p"))
    assert counts(second) == expected
    assert confusion(second) == change
    assert known_as(second).timestamps.tolist() == ([6] if at == 6 else []), "what holds is kept, and nothing else"
    assert second.errors.size == (1 if expected.get("corrections") else 0), "said again is no new error"


def test_corrections_within_one_batch_are_taken_in_their_order() -> None:
    entries = entries_of("p")
    result = tell([("p", 5, "1"), ("p", 7, "0"), ("p", 6, "1"), ("p", 8, "1")], entries=entries)
    assert counts(result) == {"outcomes": 1, "corrections": 2, "superseded": 1, "joined": 1}
    assert confusion(result) == [[0, 0], [0, 1]]
    stored = tell([("p", 1, "0")], entries=entries).outcomes
    result = tell([("p", 5, "1"), ("p", 7, "0"), ("p", 8, "1")], stored=stored, entries=entries)
    assert confusion(result) == [[0, 0], [-1, 1]], "what held before the batch is taken back once"


def test_a_regressions_residual_is_its_error() -> None:
    space = Space("regression", (Column("output", "value", NumericGrid(0.0, 1.0)),))
    spec = ModelSpec("m", "regression")
    table = pa.RecordBatch.from_pydict({
        "prediction_id": ["a", "b"], "timestamp": pa.array([0, 0], pa.timestamp("us", "UTC")),
        "model_version": ["v", "v"], "role": ["champion", "champion"], "prediction_value": [1.0, 1e308],
    })  # fmt: skip
    folded = fold_predictions(space, HOUR, read_predictions(space, spec, table, None))
    truth = pa.RecordBatch.from_pydict({
        "prediction_id": ["a", "b"], "timestamp": pa.array([1, 1], pa.timestamp("us", "UTC")),
        "actual_value": [3.5, -1e308],
    })  # fmt: skip
    assert folded.entries is not None
    result = fold_outcomes(space, read_outcomes(space, spec, truth), None, Stored(np.arange(2), folded.entries))
    assert result.errors.tolist() == [2.5, float("inf")]
    (summary,) = result.joined.values()
    assert np.isfinite(summary.sums).all(), "nothing that a metric reads is infinite"


def test_each_sampling_rate_has_its_stratum_and_outcomes_find_it() -> None:
    result = predict(["p"], rate=0.25)
    assert set(result.predictions) == {Stratum(HOUR, "v", "champion", 0.25)}
    assert set(tell([("p", 5, "1")], entries=result.entries).joined) == {Stratum(HOUR, "v", "champion", 0.25)}


def test_what_was_wrong_beside_a_row_counts_once_with_it() -> None:
    mistyped = pa.array(["plan", None, "plan\x1fgone", "plan"]).dictionary_encode()
    odd = pa.array([None, True, False, True])
    result = predict(["p", "q", "r", "p"], mistyped=mistyped, undeclared=odd)
    (summary,) = result.predictions.values()
    dense, at = summary.dense(SPACE.prediction_size), SPACE.predictions
    assert dense[at.start("mistyped") : at.start("mistyped") + 2].tolist() == [2, 0], "the duplicate adds nothing"
    assert dense[at.start("undeclared")] == 1


def test_ids_of_one_hash_are_told_apart_by_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.fold.ids.hash_ids", lambda text: np.zeros(len(text), np.uint64))
    result = predict(["p", "q", "p"], [0.9, 0.1, 0.9])
    assert counts(result) == {"predictions": 2, "conflicts": 1}, "another instant is another content"


def test_strata_of_nothing_and_of_many() -> None:
    def found(buckets: list[int], versions: list[str], rates: list[float]) -> list[Stratum]:
        roles = Coded.of(["champion"] * len(buckets))
        strata, codes = stratify(np.array(buckets, np.int64), Coded.of(versions), roles, np.array(rates))
        return [strata[i] for i in codes]

    assert found([7, 0, 7, 7], ["v", "v", "w", "w"], [1.0, 1.0, 1.0, 0.5]) == [
        Stratum(7, "v", "champion"), Stratum(0, "v", "champion"), Stratum(7, "w", "champion"),
        Stratum(7, "w", "champion", 0.5),
    ]  # fmt: skip
    assert found([7, 7], ["v", "v"], [1.0, 1.0]) == [Stratum(7, "v", "champion")] * 2
    assert found([], [], []) == []
