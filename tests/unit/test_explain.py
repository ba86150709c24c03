"""The sample of raw rows that explains a window: bounded, the same each time, and of the window alone."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.reference import Reference
from detectors.summaries.grids import CategoryGrid, NumericGrid, UniformGrid
from detectors.summaries.projection import Projection
from detectors.summaries.space import Column, Space
from detectors.summaries.summary import Summary
from monitor.codecs.segment import to_ipc
from monitor.database import open_database
from monitor.explain import sample
from monitor.explain.columns import MOST_CATEGORIES, MOST_COLUMNS, Part, encodings, matrix
from monitor.log import port
from monitor.log.sql import SqlLog
from monitor.log.tables import metadata
from monitor.times import to_micros

START = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEVER = -1


@pytest.fixture
def log(tmp_path: Path) -> SqlLog:
    engine = open_database(f"sqlite:///{tmp_path / 'log.db'}", durable=False)
    metadata.create_all(engine)
    return SqlLog(engine)


def rows(ids: list[str], start: datetime = START, role: str = "champion", **more: pa.Array) -> pa.RecordBatch:
    """Predictions a minute apart."""
    times = [start + timedelta(minutes=i) for i in range(len(ids))]
    return pa.RecordBatch.from_pydict({
        "prediction_id": ids, "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        "model_version": ["v"] * len(ids), "role": [role] * len(ids),
        "features.x": [float(i) for i in range(len(ids))], **more,
    })  # fmt: skip


def append(log: SqlLog, *tables: pa.RecordBatch, kind: str = "predictions", received: datetime = START) -> int:
    """Segments of these tables; the number of the last."""
    counter = itertools.count(log.head().get("m", 0))
    new = [
        port.Segment("m", kind, to_micros(received), False, 1, to_ipc(t), (port.Part(f"b{next(counter)}", t.num_rows),))  # type: ignore[arg-type]
        for t in tables
    ]
    last = log.append(new)[-1]
    assert last is not None
    return last.seq


def x(table: pa.RecordBatch) -> np.ndarray:
    return np.asarray(table.column("features.x"))[:, None]


def ask(log: SqlLog, upto: int, start: datetime = START, end: datetime = START + HOUR) -> sample.Rows:
    return sample.window_rows(log, "m", upto, to_micros(start), to_micros(end), x)


def test_only_serving_rows_of_the_window_are_taken_each_identity_once_and_in_time(log: SqlLog) -> None:
    ids = [f"p{i}" for i in range(90)]
    append(log, rows(ids), rows(ids[:50]), rows([f"s{i}" for i in range(9)], role="shadow"))
    upto = append(log, rows(["late"], START + timedelta(minutes=3, seconds=30)))
    append(log, rows(["not folded"]))
    found = ask(log, upto)
    assert len(found.times) == 60 + 1
    assert found.times.tolist() == sorted(found.times.tolist())
    assert len(set(found.digests.tolist())) == 61
    assert found.values[:5, 0].tolist() == [0, 1, 2, 3, 0]
    assert not len(ask(log, upto, START - 9 * HOUR, START - 8 * HOUR).times)


def test_the_sample_is_bounded_and_the_same_whatever_the_order_of_the_batches(log: SqlLog) -> None:
    parts = [rows([f"p{k}/{i}" for i in range(50)]) for k in range(60)]
    upto = append(log, *parts)
    again = append(log, *reversed(parts))
    first, second = ask(log, upto), ask(log, again)
    assert len(first.times) == sample.MOST_ROWS
    assert sorted(first.digests) == sorted(second.digests)
    assert np.abs(first.values.mean() - 24.5) < 1, "any row is as likely as any other"


def test_rows_of_a_higher_sampling_rate_are_thinned_to_the_lowest(log: SqlLog) -> None:
    """Of 1,000 rows each a tenth, a half and all were sent; what is sampled is a tenth of each, small or cut."""
    sizes = {0.1: 100, 0.5: 500, 1.0: 1_000}
    new = [
        port.Segment("m", "predictions", to_micros(START), False, 1,
                     to_ipc(rows([f"{rate}/{part}/{i}" for i in range(50)])), (port.Part(f"{rate}/{part}", 50),),
                     sampling_rate=rate)
        for rate, n in sizes.items() for part in range(n // 50)
    ]  # fmt: skip
    upto = log.append(new)[-1].seq      # type: ignore[union-attr]

    def marked(table: pa.RecordBatch) -> np.ndarray:
        return np.array([[float(id_.split("/")[0])] for id_ in table.column("prediction_id").to_pylist()])

    def by_rate(rate: float | None) -> list[int]:
        hour = to_micros(START), to_micros(START + HOUR)
        found = sample.window_rows(log, "m", upto, *hour, marked, rate).values[:, 0]
        return [int((found == r).sum()) for r in sizes]

    assert by_rate(None) == [100, 500, 1_000]
    whole = by_rate(0.1)
    assert whole[0] == 100
    assert np.abs(np.array(whole[1:]) - 100).max() < 4 * 10, "a tenth of a thousand, as chance has it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "MOST_ROWS", 150)
        some = by_rate(0.1)
    assert sum(some) == 150
    assert min(some) > 25, "of the smallest digests none is nearer to be taken than another"


def test_rows_sent_one_by_one_are_read_together(log: SqlLog) -> None:
    upto = append(log, *(rows([f"p{i}"], START + i * timedelta(seconds=1)) for i in range(300)))
    assert len(ask(log, upto).times) == 300


def test_a_segment_that_is_gone_is_left_out(log: SqlLog) -> None:
    upto = append(log, rows(["a"]), rows(["b"]))
    assert log.payloads([1, 2, 99]) == log.payloads([1, 2])
    assert len(log.payloads([99])) == 0
    assert len(ask(log, upto).times) == 2
    assert not len(sample.reference_rows(log, 99, x).times)


def test_protected_attributes_are_not_even_read(log: SqlLog) -> None:
    secret = b"protected"
    part = port.Part("b", 1)
    log.append([port.Segment("m", "predictions", to_micros(START), False, 1, to_ipc(rows(["a"])), (part,), secret)])
    assert all(secret not in payload for payload in log.payloads([1]))


@given(st.data())
def test_in_a_log_in_the_order_of_time_every_segment_of_a_window_is_found_or_the_rest_is_enough(data: st.DataObject):
    n, size = data.draw(st.integers(1, 1500)), data.draw(st.sampled_from([1, 50, 2000, 60_000]))
    width = data.draw(st.integers(1, 5))
    spans = [(k, k + width) for k in range(n)]
    start = data.draw(st.integers(0, n))
    end = start + data.draw(st.integers(1, n))
    looked: list[int] = []

    def times(seq: int) -> tuple[int, int]:
        looked.append(seq)
        return spans[seq]

    stored = [(k, size) for k in range(n)]
    found = {seq for seq, _ in sample._overlapping(stored, times, start, end)}
    assert {k for k, (first, last) in enumerate(spans) if first < end and last >= start} <= found
    assert len(looked) <= sample.PROBES * 13
    picked = sample._spread([(k, size) for k in sorted(found)])
    assert sum(rows for _, rows in picked) <= max(sample.MOST_READ, size)
    assert len(picked) <= sample.MOST_SEGMENTS
    assert bool(picked) == bool(found)


def test_a_backfill_behind_the_window_does_not_hide_it(log: SqlLog) -> None:
    days = [(k, k) for k in range(500)] + [(k, k) for k in range(100)]          # the first hundred came twice
    found = sample._overlapping([(i, 1000) for i in range(600)], lambda i: days[i], 40, 42)
    assert {40, 41, 540, 541} <= {i for i, _ in found}


def space() -> tuple[Space, pa.RecordBatch]:
    words = tuple(f"c{i:02}" for i in range(20))
    vectors = np.random.default_rng(0).standard_normal((200, 3))
    columns = (
        Column("feature", "age", NumericGrid(40.0, 20.0)),
        Column("feature", "plan", CategoryGrid(words)),
        Column("feature", "sex", CategoryGrid(("f", "m"))),
        Column("output", "score", UniformGrid()),
    )
    made = Space("binary_classification", columns, projections=(Projection.fit(vectors, ("0", "1", "2")),),
                 projected=(("face",),))  # fmt: skip
    table = pa.RecordBatch.from_pydict({
        "features.age": [30.0, None, 50.0],
        "features.plan": pa.array(["c00", "c15", None]).dictionary_encode(),
        "features.sex": pa.array(["f", "m", "f"]).dictionary_encode(),
        "features.face": pa.array([[0.0, 1.0, 2.0], None, [1.0, 1.0, 1.0]], pa.list_(pa.float32(), 3)),
    })  # fmt: skip
    return made, table


def test_numbers_stay_categories_become_columns_and_the_protected_are_left_out() -> None:
    made, table = space()
    at = made.column_offsets
    none = np.zeros(made.prediction_sums.size)
    before = Summary.of(np.repeat([at[0] + 900, at[1] + 1, at[2] + 1], 90), none)
    after = Summary.of(np.repeat([at[0] + 900, at[1] + 2, at[2] + 1], 90), none)
    reference = Reference.build("may", made, [before] * 8)
    taken, left = encodings(reference, after.dense(made.prediction_size), {"sex"})
    assert left == ["sex"]
    assert [e.feature for e in taken] == ["plan", "age", "face"], "what drifted most comes first"
    assert len(taken[0].parts) == MOST_CATEGORIES + 2
    assert taken[1].parts == (Part("value"),)
    values = matrix(reference, taken, table)
    assert values.shape == (3, MOST_CATEGORIES + 2 + 1 + 3)
    plan, age = values[:, : MOST_CATEGORIES + 2], values[:, MOST_CATEGORIES + 2]
    assert plan.argmax(axis=1).tolist() == [0, MOST_CATEGORIES, MOST_CATEGORIES + 1], "c00, another one, missing"
    assert plan.sum(axis=1).tolist() == [1, 1, 1]
    assert age[[0, 2]].tolist() == [30, 50]
    assert np.isnan(age[1])
    assert np.isfinite(values[:, -3:]).all()
    assert matrix(reference, [], table).shape == (3, 0)


def test_of_very_many_features_those_that_drifted_most_are_told() -> None:
    columns = tuple(Column("feature", f"x{i:03}", NumericGrid(0.0, 1.0)) for i in range(150))
    made = Space("binary_classification", (*columns, Column("output", "score", UniformGrid())))
    at = made.column_offsets[:150]
    middle = np.array([NumericGrid(0.0, 1.0).cells(np.array([v]))[0] for v in (0.0, 9.0)])
    before = Summary.of(np.repeat(at + middle[0], 50))
    moved = np.where(np.arange(150) == 149, middle[1], middle[0])
    reference = Reference.build("may", made, [before] * 8)
    taken, left = encodings(reference, Summary.of(np.repeat(at + moved, 50)).dense(made.prediction_size), ())
    assert taken[0].feature == "x149"
    assert (len(taken), len(left)) == (MOST_COLUMNS, 150 - MOST_COLUMNS)
