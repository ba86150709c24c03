"""Values of other libraries on the wire, the sample, and the accounts of the queue."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_client.batch import Batch, encode
from vigil_client.many import columns_of
from vigil_client.queue import Queue
from vigil_client.rows import keeps, text_id
from vigil_client.values import Now, column_json, plain

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")


class Plan(Enum):
    BASIC = "basic"


NOON = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
VALUES = [
    (np.float32(0.5), 0.5), (np.int64(7), 7), (np.bool_(True), True), (np.str_("a"), "a"), (np.float64("nan"), None),
    (np.array([1.0, np.nan, np.inf]), [1.0, None, None]), (np.array(3.0), 3.0), (Decimal("1.25"), 1.25),
    (Decimal("NaN"), None), (float("nan"), None), (float("inf"), math.inf), (10**30, 10**30), (True, True),
    (NOON, "2026-07-01T12:00:00+02:00"), (date(2026, 7, 1), "2026-07-01"), (Plan.BASIC, "basic"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"), (pd.NA, None), (pd.NaT, None),
    (pd.Timestamp("2026-07-01", tz="UTC"), "2026-07-01T00:00:00+00:00"), (np.datetime64("NaT"), None),
    (np.datetime64("2026-07-01T00:00:00", "ns"), "2026-07-01T00:00:00.000000000"), (pa.scalar(3), 3),
    (pa.scalar(None), None), ({Plan.BASIC: np.float32(0.5)}, {"basic": 0.5}), ({"1": float("nan")}, {"1": None}),
    ((1, (2, [3])), [1, [2, [3]]]), (Now(1_782_864_000_123_456_789), "2026-07-01T00:00:00.123456+00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), VALUES, ids=lambda v: f"{type(v).__name__}")
def test_a_value_as_json(value: Any, wanted: Any) -> None:
    found = plain(value)
    assert found == wanted
    assert type(found) is type(wanted)
    assert json.loads(f"[{','.join(column_json([value], []))}]") == [wanted]


_leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(allow_nan=True) | st.binary()
_value = st.recursive(_leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def _strict(token: str) -> Any:
    raise AssertionError(f"{token} is not JSON")


@settings(deadline=None, max_examples=60)
@given(st.lists(_value, max_size=60), st.text(max_size=5))
def test_any_column_becomes_json_of_as_many_values(values: list[Any], name: str) -> None:
    rows = [(1, 1, {"features": {name: value}}) for value in values]
    found = json.loads(encode(rows, {}, lambda: None, []), parse_constant=_strict)["columns"]
    assert all(len(column) == len(values) for column in found.values())


@settings(deadline=None)
@given(st.lists(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(), max_size=600))
def test_json_values_stay_as_they_are(values: list[Any]) -> None:
    found = json.loads(f"[{','.join(column_json(values, []))}]", parse_constant=_strict)
    assert found == [None if value != value else value for value in values]


TABLE = {"age": [40, 41], "plan": ["a", None]}


@pytest.mark.parametrize("table", [
    TABLE, pd.DataFrame(TABLE).astype({"plan": object}), pa.table(TABLE), pa.RecordBatch.from_pydict(TABLE),
    {name: tuple(values) for name, values in TABLE.items()},
    {"age": np.array(TABLE["age"]), "plan": pd.Series(TABLE["plan"], dtype="category", index=[7, 8])},
])  # fmt: skip
def test_tables_of_any_library_are_columns(table: Any) -> None:
    found, single = columns_of(table, "features.")
    assert single == {}
    assert list(found) == ["features.age", "features.plan"]
    assert found["features.age"] == [40, 41]
    assert [plain(v) for v in found["features.plan"]] == ["a", None]


def test_a_data_frame_is_logged(service: Any, client: Any) -> None:
    frame = pd.DataFrame({"age": [40.0, np.nan], "plan": pd.Categorical(["a", "b"])})
    at = pd.Series(pd.to_datetime(["2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z"]))
    names = client.log_many(
        features=frame, prediction_score=np.array([0.5, 0.25], np.float32), timestamp=at, model_version="v1",
        protected={"sex": pa.array(["f", "m"])},
    )  # fmt: skip
    assert client.flush()
    assert service.requests[0].columns == {
        "prediction_id": names,
        "timestamp": ["2026-07-01T00:00:00+00:00", "2026-07-01T01:00:00+00:00"],
        "model_version": ["v1", "v1"],
        "prediction_score": [0.5, 0.25],
        "features.age": [40.0, None],
        "features.plan": ["a", "b"],
        "protected.sex": ["f", "m"],
    }


def test_one_value_stands_for_all_rows(service: Any, client: Any) -> None:
    wanted = {"features.age": [1, 2], "features.plan": ["a"] * 2, "tags.state": ["MA"] * 2, "model_version": ["v1"] * 2}
    names = client.log_many({"features.age": [1, 2]}, features={"plan": "a"}, tags={"state": "MA"}, model_version="v1",
                            prediction_id="request")  # fmt: skip
    assert names == ["request/0", "request/1"]
    assert client.log_many(features={"age": [1]}, prediction_id="alone") == ["alone"]
    assert client.flush()
    assert {name: service.requests[0].columns[name][:2] for name in wanted} == wanted
    assert service.ids == ["request/0", "request/1", "alone"]


def test_identities() -> None:
    assert [text_id(v) for v in ("a", 7, np.int64(7), UUID(int=1))] == ["a", "7", "7", str(UUID(int=1))]
    made = {text_id(v) for v in (None, "", float("nan"))}
    assert len(made) == 3
    assert all(UUID(v) for v in made)


@settings(deadline=None)
@given(st.text(min_size=1), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_larger_sample_holds_the_smaller(name: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert keeps(name, high) or not keeps(name, low)
    assert keeps(name, 1.0)


def test_a_sample_keeps_a_prediction_with_its_outcome(service: Any, make: Any) -> None:
    client = make(sampling_rate=0.2)
    for i in range(500):
        client.log(f"p{i}", {"age": i}, 0.5)
        client.outcome(f"p{i}", 1)
    client.log_many(prediction_id=[f"p{i}" for i in range(500)], features={"age": range(500)}, model="other")
    assert client.flush()
    sent = {path: [n for r in service.requests if r.path == path for n in r.ids] for path in
            {r.path for r in service.requests}}  # fmt: skip
    predictions, outcomes, many = (
        sent[f"/v1/models/{place}"] for place in ("churn/predictions", "churn/outcomes", "other/predictions")
    )
    assert predictions == outcomes == many == [f"p{i}" for i in range(500) if client.keeps(f"p{i}")]
    assert 60 < len(predictions) < 140
    assert client.stats.sampled_out == 3 * (500 - len(predictions))
    rates = {r.path.rpartition("/")[2]: r.body.get("sampling_rate") for r in service.requests}
    assert rates == {"predictions": 0.2, "outcomes": None}


# What may happen to a queue: rows come in, a batch is taken, its answer comes in some form, it is closed.
_step = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 4), st.integers(0, 2)),
    st.tuples(st.just("take"), st.integers(0, 2), st.none()),
    st.tuples(st.sampled_from(["settle", "reject", "drop", "split"]), st.integers(0, 2), st.integers(0, 5)),
    st.tuples(st.sampled_from(["close", "abandon"]), st.none(), st.none()),
    st.tuples(st.just("late"), st.none(), st.none()),
)


@settings(deadline=None)
@given(st.lists(_step, max_size=60))
def test_every_row_is_in_one_account(steps: list[Any]) -> None:
    queue = Queue(max_rows=12, max_bytes=1_000, batch_rows=4, batch_bytes=300)
    offered, ended = 0, []      # batches that were abandoned, whose answers come yet
    for what, first, second in steps:
        lanes = queue.places()
        if what == "put":
            offered += first
            queue.put((str(second), "predictions"), _item(first))
        elif what == "late":
            for lane, batch in ended:
                queue.settle(lane, batch)
        elif what in ("close", "abandon"):
            ended += [(lane, batch) for lane in lanes for batch in lane.pending] if what == "abandon" else []
            getattr(queue, what)()
        elif first < len(lanes):
            _act(queue, lanes[first], what, second)
        stats = queue.stats()
        assert stats.logged == offered == stats.sent + stats.lost + stats.waiting
        assert stats.waiting <= 12
        assert queue.reached(queue.targets()) == (stats.waiting == 0)


def _item(rows: int) -> Any:
    from vigil_client.batch import Block

    return rows, 50 * rows, Block({"prediction_id": ["p"] * rows}, rows) if rows > 1 else {"prediction_id": "p"}


def _act(queue: Queue, lane: Any, what: str, number: Any) -> None:
    if what == "take":
        queue.take(lane)
        return
    batch: Batch | None = queue.first_pending(lane)
    if batch is None:
        return
    if what == "split":
        if batch.rows > 1:
            queue.split(lane, batch)
    elif what == "drop":
        queue.settle(lane, batch, dropped="gave_up")
    else:
        queue.settle(lane, batch, rejected=min(number, batch.rows) if what == "reject" else 0)
