"""Whatever order predictions and outcomes come in, however they are cut into batches, the fold is a plain recount."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Summary
from monitor.database import open_database
from monitor.fold.ids import unpack_ids
from monitor.fold.join import fold_outcomes, fold_predictions
from monitor.fold.rows import read_outcomes, read_predictions
from monitor.fold.strata import Stratum, merge_into
from monitor.model import ModelSpec
from monitor.store import tables
from monitor.store.joins import Joins, JoinStore
from monitor.store.keys import runs
from monitor.store.keys.runs import Search
from monitor.store.models import ModelState

SPACE = Space(
    "binary_classification",
    (Column("feature", "plan", CategoryGrid(("a", "b"))), Column("output", "score", UniformGrid(10))),
    (ALL, Axis("attribute", "sex", CategoryGrid(("f", "m")))),
)
SPEC = ModelSpec("m", "binary_classification", protected_attributes={}, favourable="1")
START = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRAIN = HOUR // timedelta(microseconds=1)
PLANS, SEXES, SCORES = ("a", "b", "c", None), ("f", "m", None), (0.1, 0.4, 0.5, 0.9, None)


class Prediction(NamedTuple):
    id: str
    version: str
    role: str
    hour: int
    plan: str | None
    sex: str | None
    score: float | None


class Truth(NamedTuple):
    id: str
    hour: int
    label: str


ids = st.sampled_from("pqrst")
predictions = st.builds(
    Prediction, ids, st.sampled_from(["v1", "v2"]), st.just("champion"), st.integers(0, 2), st.sampled_from(PLANS),
    st.sampled_from(SEXES), st.sampled_from(SCORES),
)  # fmt: skip
truths = st.builds(Truth, ids, st.integers(0, 40), st.sampled_from(["0", "1"]))
streams = st.lists(predictions | truths, max_size=25)


@st.composite
def clear_streams(draw: st.DrawFn) -> list[Prediction | Truth]:
    """Streams in which nothing contradicts itself: one content to an identity, one label to an instant."""
    seen: dict[tuple[str, ...], Any] = {}
    rows: list[Prediction | Truth] = []
    for row in draw(streams):
        key = (row.id, row.version) if isinstance(row, Prediction) else (row.id, str(row.hour))
        rows.append(seen.setdefault(key, row))
    return rows


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One empty database: what each stream adds is rolled back."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('laws') / 'state.db'}", durable=False)
    tables.metadata.create_all(engine)
    Store.engine = engine
    with pytest.MonkeyPatch.context() as patch:     # runs are merged, and rows cut into pieces, after a few rows
        patch.setattr(runs, "ROWS", 3)
        patch.setattr(runs, "FANOUT", 2)
        yield
    engine.dispose()


@dataclass
class Store:
    """What the fold changes, through the joins as the database keeps them; ``take`` is the fold of one batch."""

    engine: ClassVar[Engine]
    db: Connection
    counts: Counter[str] = field(default_factory=Counter)
    predictions: dict[Stratum, Summary] = field(default_factory=dict)
    joined: dict[Stratum, Summary] = field(default_factory=dict)
    held: dict[str, tuple[int, int]] = field(default_factory=dict)
    batches: int = 0
    store: JoinStore = field(default_factory=JoinStore)

    def take(self, batch: list[Prediction | Truth]) -> None:
        """A batch holds rows of one kind; a mixed one is cut where the kind changes. Every third transaction begins
        anew from the database."""
        joins = self.store.take(self.db, ModelState(1, "m", cursor=self.batches))
        while batch:
            kind = type(batch[0])
            n = next((i for i, row in enumerate(batch) if type(row) is not kind), len(batch))
            part, batch = batch[:n], batch[n:]
            self._predictions(joins, part) if kind is Prediction else self._truths(joins, part)  # type: ignore[arg-type]
        joins.flush(self.db)
        self.batches += 1
        self.store.settle(ModelState(1, "m", cursor=self.batches if self.batches % 3 else -1), joins)

    def _predictions(self, joins: Joins, part: list[Prediction]) -> None:
        table, protected = as_tables(part)
        rows = read_predictions(SPACE, SPEC, table, protected)
        known, waiting = joins.entries(self.db, Search.of(rows.ids)), joins.outcomes(self.db, Search.of(rows.ids))
        result = fold_predictions(SPACE, GRAIN, rows, known, waiting)
        if result.entries is not None:
            joins.add_entries(result.entries, np.full(len(result.entries), self.batches + 1))
        self._add(result)

    def _truths(self, joins: Joins, part: list[Truth]) -> None:
        rows = read_outcomes(SPACE, SPEC, as_outcomes(part))
        search = Search.of(rows.ids)
        result = fold_outcomes(SPACE, rows, joins.outcomes(self.db, search), joins.entries(self.db, search))
        assert result.outcomes is not None
        joins.add_outcomes(result.outcomes, np.full(len(result.outcomes), self.batches + 1))
        new = result.outcomes
        assert new.labels is not None
        times = zip(new.timestamps.tolist(), new.labels.tolist(), strict=True)
        self.held |= dict(zip(unpack_ids(new.ids.values).to_pylist(), times, strict=True))
        self._add(result)

    def _add(self, result: Any) -> None:
        self.counts.update(result.total)
        merge_into(self.predictions, result.predictions)
        merge_into(self.joined, result.joined)

    def summaries(self) -> tuple[dict[Stratum, Any], dict[Stratum, Any]]:
        """The dense counts and the sums of each stratum that holds anything."""
        return plain(self.predictions, SPACE.prediction_size), plain(self.joined, SPACE.outcome_size)


def plain(strata: dict[Stratum, Summary], size: int) -> dict[Stratum, Any]:
    found = {s: (v.dense(size).tolist(), [round(x, 9) + 0.0 for x in v.sums.tolist()]) for s, v in strata.items()}
    return {stratum: held for stratum, held in found.items() if any(held[0])}


def as_tables(part: list[Prediction]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    table = pa.RecordBatch.from_pydict({
        "prediction_id": [r.id for r in part],
        "timestamp": pa.array([START + r.hour * HOUR + HOUR / 2 for r in part], pa.timestamp("us", "UTC")),
        "model_version": [r.version for r in part],
        "role": [r.role for r in part],
        "prediction_label": pa.array([None if r.score is not None else "1" for r in part], pa.string()),
        "prediction_score": pa.array([r.score for r in part], pa.float64()),
        "features.plan": pa.array([r.plan for r in part], pa.string()).dictionary_encode(),
    })  # fmt: skip
    groups = pa.array([r.sex for r in part], pa.string()).dictionary_encode()
    return table, pa.RecordBatch.from_pydict({"protected.sex": groups})


def as_outcomes(part: list[Truth]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({
        "prediction_id": [r.id for r in part],
        "timestamp": pa.array([START + r.hour * HOUR for r in part], pa.timestamp("us", "UTC")),
        "actual_label": [r.label for r in part],
    })  # fmt: skip


def folded(batches: list[list[Prediction | Truth]]) -> Store:
    with Store.engine.connect() as db, db.begin() as transaction:
        store = Store(db)
        for batch in batches:
            store.take(batch)
        transaction.rollback()
    return store


class Recount(NamedTuple):
    """By stratum: rows by (plan, score, sex, decision), and joined rows by (score, sex, decision, label)."""

    predictions: dict[Stratum, Counter[tuple[Any, ...]]]
    joined: dict[Stratum, Counter[tuple[Any, ...]]]
    counts: dict[str, int]


def recount(stream: list[Prediction | Truth]) -> Recount:
    """Without any fold: what holds of each identity at the end, and how often each thing was said."""
    held: dict[tuple[str, str], Prediction] = {}
    truth: dict[str, Truth] = {}
    counts: Counter[str] = Counter()
    for row in stream:
        if isinstance(row, Prediction):
            key = (row.id, row.version)
            said = "predictions" if key not in held else "duplicates" if held[key] == row else "conflicts"
            held.setdefault(key, row)
        else:
            old = truth.get(row.id)
            if old is None:
                said = "outcomes"
            elif old.label == row.label:
                said = "duplicates"
            else:
                said = {1: "corrections", -1: "superseded", 0: "conflicts"}[np.sign(row.hour - old.hour)]
            if old is None or row.hour > old.hour:
                truth[row.id] = row
        counts[said] += 1
    counts["joined"] = sum(id_ in truth for id_, _ in held)
    counts["orphans"] = len(set(truth) - {id_ for id_, _ in held})
    predicted: dict[Stratum, Counter[tuple[Any, ...]]] = {}
    joined: dict[Stratum, Counter[tuple[Any, ...]]] = {}
    for row in held.values():
        at = Stratum((START + row.hour * HOUR - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
                     row.version, row.role)  # fmt: skip
        decision = int(row.score is None or row.score >= SPEC.decision_threshold)
        predicted.setdefault(at, Counter())[row.plan, row.score, row.sex, decision] += 1
        if row.id in truth:
            joined.setdefault(at, Counter())[row.score, row.sex, decision, int(truth[row.id].label)] += 1
    return Recount(predicted, joined, {name: n for name, n in counts.items() if n})


@settings(deadline=None, max_examples=150)
@given(streams, st.lists(st.integers(0, 25), max_size=6))
def test_the_fold_is_a_plain_recount_of_what_holds(stream: list[Prediction | Truth], cuts: list[int]) -> None:
    store, expected = folded(cut(stream, cuts)), recount(stream)
    assert {name: n for name, n in store.counts.items() if n} == expected.counts
    assert {s for s, v in store.predictions.items() if v.cells.size} == set(expected.predictions)
    assert {s for s, v in store.joined.items() if v.cells.size} == set(expected.joined)
    for stratum, rows in expected.predictions.items():
        dense = store.predictions[stratum].dense(SPACE.prediction_size)
        columns = {c.name: counts for c, counts in SPACE.column_counts(dense)}
        plans = {None: 0, "a": 1, "b": 2, "c": 3}
        assert columns["plan"].tolist() == histogram(4, ((plans[k[0]], n) for k, n in rows.items()))
        assert columns["score"].tolist() == histogram(11, ((score_cell(k[1]), n) for k, n in rows.items()))
        assert decisions(SPACE.decisions(dense, 1)) == tally(rows, lambda k: (k[2], k[3]))
    for stratum, rows in expected.joined.items():
        dense = store.joined[stratum].dense(SPACE.outcome_size)
        for label in (0, 1):
            mine = [(score_cell(k[0]), n) for k, n in rows.items() if k[3] == label]
            assert SPACE.score_by_label(dense)[label].tolist() == histogram(11, mine)
        confusion = SPACE.confusion(dense, 1)
        found = {
            (SEXES[(g - 1) % 3], d, y): int(n) for (g, d, y), n in np.ndenumerate(confusion[:3]) if n
        }  # the groups' cells: missing, f, m
        assert found == tally(rows, lambda k: (k[1], k[2], k[3]))
        brier = sum(n * (k[0] - k[3]) ** 2 for k, n in rows.items() if k[0] is not None)
        assert abs(store.joined[stratum].sums[1] - brier) < 1e-9


@settings(deadline=None, max_examples=100)
@given(clear_streams(), st.randoms(use_true_random=False), st.lists(st.integers(0, 25), max_size=6))
def test_order_and_batches_change_nothing_that_holds(
    stream: list[Prediction | Truth], random: Any, cuts: list[int]
) -> None:
    shuffled = stream[:]
    random.shuffle(shuffled)
    one, other = folded([stream]), folded(cut(shuffled, cuts))
    assert one.summaries() == other.summaries()
    for name in ("predictions", "outcomes", "joined", "orphans"):
        assert one.counts[name] == other.counts[name], name
    assert one.held == other.held


@settings(deadline=None, max_examples=100)
@given(clear_streams(), st.integers(0, 25))
def test_the_whole_is_the_sum_of_its_parts_for_predictions(stream: list[Prediction | Truth], at: int) -> None:
    """``fold(a + b) == merge(fold(a), fold(b))``, where b repeats nothing of a."""
    rows: list[Prediction | Truth] = list(dict.fromkeys(r for r in stream if isinstance(r, Prediction)))
    whole, a, b = folded([rows]), folded([rows[:at]]), folded([rows[at:]])
    merge_into(a.predictions, b.predictions)
    assert plain(a.predictions, SPACE.prediction_size) == plain(whole.predictions, SPACE.prediction_size)


@settings(deadline=None, max_examples=60)
@given(streams)
def test_everything_a_second_time_changes_no_summary(stream: list[Prediction | Truth]) -> None:
    once, twice = folded([stream]), folded([stream, stream])
    assert once.summaries() == twice.summaries()
    for name in ("predictions", "outcomes", "joined", "orphans"):
        assert once.counts[name] == twice.counts[name]


def cut(stream: list[Prediction | Truth], cuts: list[int]) -> list[list[Prediction | Truth]]:
    ends = [0, *sorted(cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(ends)]


def score_cell(score: float | None) -> int:
    return 0 if score is None else 1 + int(score * 10)


def histogram(size: int, pairs: Any) -> list[int]:
    out = [0] * size
    for cell, n in pairs:
        out[cell] += n
    return out


def tally(rows: Counter[tuple[Any, ...]], key: Any) -> dict[Any, int]:
    out: Counter[Any] = Counter()
    for k, n in rows.items():
        out[key(k)] += n
    return dict(out)


def decisions(table: Any) -> dict[Any, int]:
    """Counts by group and decision of the axis ``sex``, whose cells are missing, f and m."""
    return {(SEXES[(g - 1) % 3], d): int(n) for (g, d), n in np.ndenumerate(table[:3]) if n}
