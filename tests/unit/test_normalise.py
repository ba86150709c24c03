"""Rows are typed by the declaration; each bad one is set aside with its row, field and reason; the others stay."""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from monitor.batch import Batch, Reject
from monitor.codecs import Columns, decode, infer_features, normalise, refusals
from monitor.codecs.json_text import NotJson
from monitor.errors import TooLarge
from monitor.model import ModelSpec, Schema

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
T = "2026-07-01T11:00:00Z"
CLASSIFIER = ModelSpec.from_dict({
    "model": "churn", "task": "binary_classification", "features": {"age": "numeric", "plan": "categorical"},
    "favourable": 1, "protected_attributes": {"sex": {}},
})  # fmt: skip
REGRESSOR = ModelSpec.from_dict({"model": "delay", "task": "regression", "features": {"age": "numeric"}})


def row(**changes: Any) -> dict[str, Any]:
    """A good prediction, with changes; a change to ``...`` takes a field away."""
    good = {"prediction_id": "p", "timestamp": T, "prediction_score": 0.5, "features": {"age": 40, "plan": "a"}}
    return {key: value for key, value in (good | changes).items() if value is not ...}


def take(rows: list[Any], kind: str = "predictions", spec: ModelSpec = CLASSIFIER) -> Batch:
    columns = decode("application/json", json.dumps(rows).encode(), kind, {})  # type: ignore[arg-type]
    return normalise(columns, Schema(spec, spec.features), kind, "B7", NOW)  # type: ignore[arg-type]


def take_columns(columns: dict[str, Any], kind: str = "predictions", spec: ModelSpec = CLASSIFIER) -> Batch:
    n = len(next(iter(columns.values())))
    return normalise(Columns(columns, n), Schema(spec, spec.features), kind, "B7", NOW)  # type: ignore[arg-type]


def one_reject(*bad: Any, kind: str = "predictions", spec: ModelSpec = CLASSIFIER, good: Any = None) -> Reject:
    """Send a bad row between good ones: the good ones are taken, the bad one is the only reject, under its number."""
    good = good or row()
    batch = take([good, *bad, good], kind, spec)
    assert batch.table["row"].to_pylist() == [0, len(bad) + 1]
    assert [r.row for r in batch.rejects] == list(range(1, len(bad) + 1))
    assert ";" in batch.rejects[0].reason, "a reason carries its mend"
    return batch.rejects[0]


def test_a_good_row_is_typed() -> None:
    batch = take([row(prediction_label=1, protected={"sex": 2}, tags={"state": "MA"}, status=200, latency_ms=3)])
    assert batch.table.schema == pa.schema([
        ("row", pa.int32()), ("prediction_id", pa.string()), ("timestamp", pa.timestamp("us", "UTC")),
        ("model_version", pa.string()), ("role", pa.string()), ("prediction_label", pa.string()),
        ("prediction_score", pa.float64()), ("latency_ms", pa.float64()), ("status", pa.string()),
        ("features.age", pa.float64()), ("features.plan", pa.dictionary(pa.int32(), pa.string())),
        ("tags.state", pa.dictionary(pa.int32(), pa.string())),
    ])  # fmt: skip
    assert batch.table.to_pylist() == [{
        "row": 0, "prediction_id": "p", "timestamp": datetime(2026, 7, 1, 11, tzinfo=UTC),
        "model_version": "unversioned", "role": "champion", "prediction_label": "1", "prediction_score": 0.5,
        "latency_ms": 3.0, "status": "200", "features.age": 40.0, "features.plan": "a", "tags.state": "MA",
    }]  # fmt: skip
    assert batch.protected is not None
    assert batch.protected.to_pylist() == [{"protected.sex": "2"}]
    assert (batch.rejects, batch.notes, batch.accepted) == ([], {}, 1)


def test_a_row_without_an_id_is_named_by_batch_and_row() -> None:
    batch = take([row(), row(prediction_id=...), row(prediction_id=None), row(prediction_id=7)])
    assert batch.table["prediction_id"].to_pylist() == ["p", "B7/1", "B7/2", "7"]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"prediction_id": ""}, "prediction_id", "is empty"),
        ({"prediction_id": "x" * 129}, "prediction_id", "is longer than 128"),
        ({"prediction_id": {"a": 1}}, "prediction_id", "is an object"),
        ({"prediction_id": "a\0b"}, "prediction_id", "NUL"),
        ({"prediction_id": "a\ud800"}, "prediction_id", "surrogate"),
        ({"timestamp": ...}, "timestamp", "is missing"),
        ({"timestamp": "2026-07-01T11:00:00"}, "timestamp", "is not RFC 3339 with a zone"),
        ({"timestamp": "2026-07-01"}, "timestamp", "is not RFC 3339 with a zone"),
        ({"timestamp": "2026-07-01 11:00:00Z"}, "timestamp", "is not RFC 3339 with a zone"),
        ({"timestamp": "2026-02-30T11:00:00Z"}, "timestamp", "no date and time that exists"),
        ({"timestamp": "2026-06-30T23:59:60Z"}, "timestamp", "no date and time that exists"),
        ({"timestamp": "٢٠٢٦-07-01T11:00:00Z"}, "timestamp", "is not RFC 3339 with a zone"),
        ({"timestamp": 1782900000}, "timestamp", "is no text"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "timestamp", "is before 1970"),
        ({"timestamp": "2026-07-01T12:05:01Z"}, "timestamp", "is 5 minutes ahead of the server's clock"),
        ({"timestamp": "2126-07-01T12:00:00Z"}, "timestamp", "is 36524 days ahead"),
        ({"role": "chalenger"}, "role", "champion, challenger, shadow"),
        ({"prediction_score": 1.5}, "prediction_score", "is outside of 0 to 1"),
        ({"prediction_score": -0.1}, "prediction_score", "is outside of 0 to 1"),
        ({"prediction_score": "0.5"}, "prediction_score", "is text"),
        ({"prediction_score": True}, "prediction_score", "is true or false"),
        ({"prediction_score": {"0": 0.5}}, "prediction_score", "has no class '1'"),
        ({"prediction_score": {"1": "x"}}, "prediction_score", "is text"),
        ({"prediction_score": ...}, "prediction_label", "send prediction_label or prediction_score"),
        ({"prediction_label": [1]}, "prediction_label", "is a list"),
        ({"tags": {"state": "a\0"}}, "tags.state", "NUL"),
        ({"protected": {"sex": "x" * 1025}}, "protected.sex", "longer than 1024"),
        ({"features": [1]}, "features", "is no object"),
        ({"protected": {"sex": ["female"]}}, "protected.sex", "is a list"),
        ({"tags": {"state": ["MA"]}}, "tags.state", "is a list"),
        ({"latency_ms": "3ms"}, "latency_ms", "is text"),
    ],
)
def test_bad_rows_are_set_aside(changes: dict[str, Any], field: str, reason: str) -> None:
    found = one_reject(row(**changes))
    assert found.field == field
    assert reason in found.reason


@pytest.mark.parametrize("bad", [5, None, "x", [row()]])
def test_a_row_that_is_no_object(bad: Any) -> None:
    assert one_reject(bad).reason == "the row is no object; send {name: value}"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_in_json_reject_their_row(number: float) -> None:
    assert "is not JSON; send null" in one_reject(row(features={"age": number, "plan": "a"})).reason
    assert "is not JSON; send null" in one_reject(row(undeclared=number)).reason


def test_a_row_has_one_reject_however_bad_it_is() -> None:
    batch = take([row(timestamp="x", role="x", prediction_score=9, features={"age": "x"})])
    assert [(r.row, r.field) for r in batch.rejects] == [(0, "timestamp")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", "forty"), ("age", "40"), ("age", ""), ("age", True), ("age", [1]), ("age", {"x": 1}),
        ("plan", [1]), ("plan", {"x": 1}), ("plan", "a\0"), ("plan", "a\ud800"), ("plan", "x" * 1025),
    ],
)  # fmt: skip
def test_a_feature_of_a_wrong_type_is_missing_and_told_and_its_row_is_kept(name: str, value: Any) -> None:
    good = {"age": 40, "plan": "a"}
    for others in ([row()], []):      # beside values of the right type, and alone in its column
        batch = take([*others, row(features=good | {name: value}), *others])
        bad = len(others)
        assert (batch.accepted, batch.rejects) == (2 * bad + 1, [])
        assert batch.table[f"features.{name}"].to_pylist() == [*[good[name]] * bad, None, *[good[name]] * bad]
        assert batch.table["mistyped"].to_pylist() == [*[None] * bad, name, *[None] * bad]
        assert batch.table.schema.field("mistyped").type == pa.dictionary(pa.int32(), pa.string())
        assert batch.notes == {"mistyped": {f"features.{name}": 1}}


def test_each_row_tells_the_features_that_were_mistyped_in_it() -> None:
    batch = take([
        row(features={"age": "x", "plan": [1]}), row(), row(features={"age": 1, "plan": {}}),
        row(features={"age": "y", "plan": "a"}, role="x"), row(features={"age": [], "plan": []}),
    ])  # fmt: skip
    assert batch.table["mistyped"].to_pylist() == ["age\x1fplan", None, "plan", "age\x1fplan"]
    assert batch.notes == {"mistyped": {"features.age": 2, "features.plan": 3}}, "a refused row is not counted"
    assert [r.row for r in batch.rejects] == [3]


def test_sets_of_mistyped_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_TOLD", 3)
    sent = [{"age": "x", "plan": "a"}, {"age": 1, "plan": []}, {"age": "x", "plan": []}]
    told = take([row(features=features) for features in sent]).table["mistyped"].to_pylist()
    assert sorted(told) == ["age", "age", "plan"]


def test_a_token_that_is_not_json_is_told_as_such() -> None:
    """Of sources, whose rows hold what their payloads held."""
    columns = {"timestamp": [T, T], "prediction_score": [NotJson("NaN"), 0.5], "features.age": [1, NotJson("NaN")]}
    batch = take_columns(columns)
    assert [(r.row, r.reason) for r in batch.rejects] == [(0, NotJson("NaN").reason)]
    assert batch.table["mistyped"].to_pylist() == ["age"]


def test_a_batch_of_right_types_has_no_columns_of_drift() -> None:
    assert not {"mistyped", "undeclared"} & set(take([row()]).table.schema.names)


def test_rows_with_undeclared_fields_are_told_apart() -> None:
    batch = take([row(), row(extra=1), row(features={"age": 1, "plan": "a", "new": "x"}), row(extra=2, role="x")])
    assert batch.table["undeclared"].to_pylist() == [False, True, True]
    only_bad = take([row(), row(extra=2, role="x")])
    assert "undeclared" not in only_bad.table.schema.names


def test_a_reference_tells_its_drift_as_predictions_do() -> None:
    batch = take([row(features={"age": "x", "plan": "a"}, extra=1)], "reference")
    assert (batch.table["mistyped"].to_pylist(), batch.table["undeclared"].to_pylist()) == (["age"], [True])


def test_too_many_declared_features_for_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["monitor.codecs.normalise"], "MAX_CELLS", 5)
    assert take([row()] * 2).accepted == 2
    with pytest.raises(TooLarge, match="3 rows of 2 features"):
        take([row()] * 3)


def test_reasons_never_repeat_a_value() -> None:
    secret = "s3cret"
    batch = take([
        row(protected={"sex": [secret]}), row(protected={"sex": secret + "\0"}), row(prediction_score=secret),
        row(protected={"sex": secret * 200}), row(protected=secret),
    ])  # fmt: skip
    assert len(batch.rejects) == 5
    assert secret not in str([r.as_dict() for r in batch.rejects])


def test_text_times_of_every_form_are_one_instant() -> None:
    forms = [T, "2026-07-01T13:00:00+02:00", "2026-07-01t11:00:00z", "2026-07-01T11:00:00.0000009Z"]
    expected = [datetime(2026, 7, 1, 11, tzinfo=UTC)]
    for form in forms:      # alone, by the fast way where there is one; and together, row by row
        assert take([row(timestamp=form)]).table["timestamp"].to_pylist() == expected
    assert take([row(timestamp=form) for form in forms]).table["timestamp"].to_pylist() == expected * 4
    assert take([row(timestamp="2026-07-01T11:00:00.5Z")]).table["timestamp"][0].as_py().microsecond == 500_000
    assert take([row(timestamp="2026-07-01T12:05:00Z")]).accepted == 1      # five minutes ahead is still taken


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_times_of_every_unit(unit: str) -> None:
    hours = [NOW - timedelta(hours=1), NOW + timedelta(hours=1), datetime(1969, 1, 1, tzinfo=UTC)]
    times = pa.array([*hours, None], pa.timestamp(unit, "Europe/Berlin"))
    scores = pa.array([0.5] * 4)
    batch = take_columns({"timestamp": times, "prediction_score": scores})
    assert batch.table["timestamp"].to_pylist() == [datetime(2026, 7, 1, 11, tzinfo=UTC)]
    assert [r.reason.split(";")[0] for r in batch.rejects] == [
        "is 60 minutes ahead of the server's clock", "is before 1970", "is missing",
    ]  # fmt: skip
    naive = take_columns({"timestamp": times.cast(pa.timestamp(unit)), "prediction_score": scores})
    assert naive.accepted == 0
    assert "has no time zone" in naive.rejects[0].reason


def test_an_arrow_time_beyond_any_calendar_is_refused() -> None:
    times = pa.array([2**62, -(2**62)], pa.int64()).cast(pa.timestamp("s", "UTC"))
    batch = take_columns({"timestamp": times, "prediction_score": pa.array([0.5, 0.5])})
    assert len(batch.rejects) == 2


def test_categories_are_canonical_text() -> None:
    sent = [0.5, 21, "21", 21.0, True, "x", None, 2**70, -0.0]
    plans = take([row(features={"plan": plan}) for plan in sent]).table["features.plan"].to_pylist()
    assert plans == ["0.5", "21", "21", "21", "true", "x", None, str(2**70), "0"]
    for alone, text in zip(sent, plans, strict=True):       # a column of one type takes the fast way
        assert take([row(features={"plan": alone})]).table["features.plan"].to_pylist() == [text]


def test_a_boolean_among_numbers_is_not_a_one() -> None:
    assert take([row(features={"plan": plan}) for plan in (0.5, True, 2)]).table["features.plan"].to_pylist() == [
        "0.5", "true", "2",
    ]  # fmt: skip
    ages = take([row(features={"age": age}) for age in (0.5, True, 2, False)])
    assert ages.table["features.age"].to_pylist() == [0.5, None, 2.0, None]
    assert ages.notes["mistyped"] == {"features.age": 2}


def test_numbers_of_arrow() -> None:
    ages = pa.array([1.5, math.nan, math.inf, -math.inf, None])
    t = pa.array([datetime(2026, 7, 1, 11, tzinfo=UTC)] * 5, pa.timestamp("us", "UTC"))
    batch = take_columns({"timestamp": t, "prediction_score": pa.array([0.5] * 5), "features.age": ages})
    assert batch.table["features.age"].to_pylist() == [1.5, None, math.inf, -math.inf, None]
    bad = take_columns({"timestamp": t, "prediction_score": pa.array([0.5, math.nan, math.inf, None, 1.0])})
    assert [(r.row, r.reason.split(";")[0]) for r in bad.rejects] == [
        (1, "is not finite"), (2, "is not finite"), (3, "is missing"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(20, 1)])
def test_number_types_of_arrow(kind: pa.DataType) -> None:
    t = pa.array([datetime(2026, 7, 1, 11, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    age = pa.array([4]).cast(kind)
    scores = pa.array([0.5])
    batch = take_columns({"timestamp": t, "prediction_score": scores, "features.age": age, "features.plan": age})
    found = batch.table.to_pylist()[0]
    assert (found["features.age"], found["features.plan"]) == (4.0, "4")


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1.0]]), pa.array([{"x": 1}]), pa.array([b"x"]), pa.array([NOW]), pa.array([NOW.date()]),
        pa.array([1]).cast(pa.timestamp("s", "No/Where")), pa.DictionaryArray.from_arrays([0], pa.array([[1.0]])),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wire", ["features.age", "features.plan", "prediction_label", "timestamp"])
def test_other_types_of_arrow_refuse_their_rows_or_are_mistyped(array: pa.Array, wire: str) -> None:
    t = pa.array([NOW - timedelta(hours=1)], pa.timestamp("us", "UTC"))
    sent = {"timestamp": t, "prediction_score": pa.array([0.5])} | {wire: array}
    batch = take_columns(sent)
    is_time = wire == "timestamp" and pa.types.is_timestamp(array.type)
    if wire.startswith("features."):
        assert (batch.rejects, batch.notes["mistyped"]) == ([], {wire: 1})
    else:
        assert [r.field for r in batch.rejects] == ([] if is_time else [wire])


def test_integers_beyond_double_become_infinite_and_not_an_error() -> None:
    batch = take([row(features={"age": age}) for age in (2**53 + 1, 10**400, -(10**400), 0.5)])
    assert batch.table["features.age"].to_pylist() == [2.0**53, math.inf, -math.inf, 0.5]


def test_scores_by_class() -> None:
    batch = take([row(prediction_score=score) for score in ({"0": 0.25, "1": 0.75}, 0.5, {"1": 1})])
    assert batch.table["prediction_score"].to_pylist() == [0.75, 0.5, 1.0]
    t = pa.array([datetime(2026, 7, 1, 11, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC"))
    maps = pa.array([{"0": 0.25, "1": 0.75}, {"0": 1.0, "1": None}, None])
    arrow = take_columns({"timestamp": t, "prediction_score": maps, "prediction_label": pa.array(["1", "1", "1"])})
    assert arrow.table["prediction_score"].to_pylist() == [0.75, None]
    assert [(r.row, r.field) for r in arrow.rejects] == [(1, "prediction_score")]
    other = take_columns({"timestamp": t[:1], "prediction_score": pa.array([{"0": 0.25}])})
    assert "has no class '1'" in other.rejects[0].reason


def test_undeclared_fields_are_counted_and_absent_features_are_null() -> None:
    batch = take([
        row(features={"age": 1, "height": 2}, protected={"race": "x"}, predicton=1),
        row(features={"age": 1, "height": None}, prediction_value=3),
    ])  # fmt: skip
    assert batch.notes == {
        "undeclared": {"predicton": 1, "prediction_value": 1, "features.height": 1, "protected.race": 1},
        "absent": {"features.plan": 2},
    }  # fmt: skip
    assert batch.table["features.plan"].to_pylist() == [None, None]
    assert batch.protected is not None
    assert batch.protected.to_pydict() == {"protected.sex": [None, None]}


def test_protected_attributes_never_stand_in_the_table() -> None:
    batch = take([row(protected={"sex": "f"}), row(role="x", protected={"sex": "m"}), row(protected={"sex": "g"})])
    assert not [name for name in batch.table.schema.names if name.startswith("protected")]
    assert batch.protected is not None
    assert batch.protected["protected.sex"].to_pylist() == ["f", "g"]
    assert batch.protected["protected.sex"].dictionary.to_pylist() == ["f", "g"], "nothing is left of refused rows"


def test_regressions() -> None:
    good = {"timestamp": T, "prediction_value": 2, "features": {"age": 1}}
    batch = take([good], spec=REGRESSOR)
    assert batch.table["prediction_value"].to_pylist() == [2.0]
    assert batch.protected is None
    assert one_reject(good | {"prediction_value": None}, spec=REGRESSOR, good=good).field == "prediction_value"
    body = b'[{"timestamp": "%b", "prediction_value": 1e999}]' % T.encode()
    infinite = decode("application/json", body, "predictions", {})
    found = normalise(infinite, Schema(REGRESSOR, REGRESSOR.features), "predictions", "B", NOW)
    assert "is not finite" in found.rejects[0].reason


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"prediction_id": None}, "prediction_id", "is missing"),
        ({"actual_label": None}, "actual_label", "is missing"),
        ({"actual_label": {"a": 1}}, "actual_label", "is an object"),
        ({"timestamp": None}, "timestamp", "is missing"),
    ],
)
def test_bad_outcomes(changes: dict[str, Any], field: str, reason: str) -> None:
    good = {"prediction_id": "p", "timestamp": T, "actual_label": True}
    found = one_reject(good | changes, kind="outcomes", good=good)
    assert (found.field, found.reason.split(";")[0]) == (field, reason)


def test_outcomes_have_their_own_columns() -> None:
    sent = {"prediction_id": "p", "timestamp": T, "actual_label": 1.0, "final_decision": "approve"}
    batch = take([sent | {"features": {"age": 1}}], "outcomes")
    assert batch.table.schema.names == ["row", "prediction_id", "timestamp", "actual_label", "final_decision"]
    assert batch.table["actual_label"].to_pylist() == ["1"]
    assert batch.protected is None
    assert batch.notes == {"undeclared": {"features": 1}}
    value = take([{"prediction_id": "p", "timestamp": T, "actual_value": 5}], "outcomes", REGRESSOR)
    assert value.table["actual_value"].to_pylist() == [5.0]


def test_a_reference_may_lack_times_and_outcomes() -> None:
    rows = [row(timestamp=..., actual_label=1), row(actual_label=...), row(timestamp="x")]
    batch = take(rows, "reference")
    assert batch.table["timestamp"].null_count == 1
    assert batch.table["actual_label"].to_pylist() == ["1", None]
    assert [(r.row, r.field) for r in batch.rejects] == [(2, "timestamp")]


def test_a_batch_without_a_good_row_and_one_without_any() -> None:
    batch = take([row(role="x"), 5])
    assert (batch.accepted, len(batch.rejects)) == (0, 2)
    assert batch.table.schema.names[:3] == ["row", "prediction_id", "timestamp"]
    assert take([]).accepted == 0


def test_an_optional_column_without_a_value_is_left_out() -> None:
    assert "status" not in take([row(status=None)]).table.schema.names
    assert "tags.t" not in take([row(tags={"t": None})]).table.schema.names
    assert "status" not in take([row(), row(status="late", role="x")]).table.schema.names


def test_features_are_inferred_from_a_reference() -> None:
    columns = Columns({
        "prediction_id": ["a", "b"], "features.n": [1, None], "features.f": pa.array([1.5, 2.0]),
        "features.t": ["x", None], "features.b": [True, False], "features.mixed": [1, "x"],
        "features.big": [2**70, 0.5],
        "features.codes": pa.array([1, 2]).dictionary_encode(), "features.none": [None, None],
        "features.d": pa.array([Decimal("1.5"), None]),
    }, 2)  # fmt: skip
    assert infer_features(columns) == {
        "n": "numeric", "f": "numeric", "t": "categorical", "b": "categorical", "mixed": "categorical",
        "big": "numeric", "codes": "categorical", "d": "numeric",
    }  # fmt: skip


def test_the_clock_is_an_argument() -> None:
    columns = decode("application/json", json.dumps([row()]).encode(), "predictions", {})
    schema = Schema(CLASSIFIER, CLASSIFIER.features)
    assert normalise(columns, schema, "predictions", "B", NOW - timedelta(hours=2)).accepted == 0
    assert normalise(columns, schema, "predictions", "B", NOW).accepted == 1


MANY = ModelSpec.from_dict({
    "model": "pets", "task": "multiclass_classification", "classes": ["cat", "dog", 3],
    "features": {"vector": "embedding[3]"},
})  # fmt: skip
SCORES = {"cat": 0.2, "dog": 0.7, "3": 0.1}


def pet(**changes: Any) -> dict[str, Any]:
    good = {"prediction_id": "p", "timestamp": T, "prediction_score": SCORES, "features": {"vector": [1, 2.5, -3]}}
    return {key: value for key, value in (good | changes).items() if value is not ...}


def test_the_score_of_each_class_is_a_column_and_an_embedding_a_list() -> None:
    batch = take([pet(), pet(prediction_score=..., prediction_label="dog", features={})], spec=MANY)
    assert batch.table["prediction_score.dog"].to_pylist() == [0.7, None]
    assert batch.table["prediction_score.3"].to_pylist() == [0.1, None]
    assert batch.table["features.vector"].type == pa.list_(pa.float32(), 3)
    assert batch.table["features.vector"].to_pylist() == [[1, 2.5, -3], None]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"prediction_score": 0.7}, "prediction_score", "is no map; send one from class to probability"),
        ({"prediction_score": {"cat": 1.0}}, "prediction_score", "has no class 'dog'"),
        ({"prediction_score": SCORES | {"dog": 1.7}}, "prediction_score", "is outside of 0 to 1"),
        ({"prediction_score": ...}, "prediction_label", "is missing"),
    ],
)
def test_bad_scores_of_many_classes(changes: dict[str, Any], field: str, reason: str) -> None:
    found = one_reject(pet(**changes), spec=MANY, good=pet())
    assert (found.field, found.reason[: len(reason)]) == (field, reason)


@pytest.mark.parametrize("vector", [[1, 2], [1, 2, "x"], [1, 2, 1e300], 4, "x", [1, 2, True], [1, 2, None]])
def test_an_embedding_that_is_none_is_mistyped(vector: Any) -> None:
    batch = take([pet(), pet(features={"vector": vector})], spec=MANY)
    assert batch.table["features.vector"].to_pylist() == [[1, 2.5, -3], None]
    assert (batch.rejects, batch.table["mistyped"].to_pylist()) == ([], [None, "vector"])


def test_arrow_brings_the_same_scores_and_vectors() -> None:
    rows = [pet(), pet(prediction_id="q")]
    columns = {
        "prediction_id": pa.array(["p", "q"]),
        "timestamp": pa.array([T, T]),
        "prediction_score": pa.array([SCORES, SCORES]),
        "features.vector": pa.array([[1, 2.5, -3], [1, 2.5, -3]], pa.list_(pa.float64())),
    }
    assert take_columns(columns, spec=MANY).table.equals(take(rows, spec=MANY).table)
    ragged = columns | {"features.vector": pa.array([[1.0, 2.5, -3.0], [1.0]])}
    batch = take_columns(ragged, spec=MANY)
    assert (batch.table["features.vector"].to_pylist(), batch.accepted) == ([[1, 2.5, -3], None], 2)
    bad = columns | {"features.vector": pa.array([[1.0, 2.5, -3.0], [1.0, float("nan"), 2.0]])}
    assert take_columns(bad, spec=MANY).table.equals(batch.table)


def test_lists_of_one_length_are_inferred_as_an_embedding() -> None:
    assert infer_features(Columns({"features.v": [[1.0, 2.0], None, [3, 4]]}, 3)) == {"v": "embedding[2]"}
    assert infer_features(Columns({"features.v": pa.array([[1.0], [3.0, 4.0]])}, 2)) == {"v": "categorical"}


def test_a_list_that_names_an_item_twice_is_refused() -> None:
    shop = ModelSpec.from_dict({"model": "shop", "task": "ranking", "features": {"age": "numeric"}})
    lists = pa.array([[("a", 2.0), ("b", 1.0)], [("a", 2.0), ("a", 1.0)]], pa.map_(pa.string(), pa.float64()))
    columns = {"prediction_id": ["p", "q"], "timestamp": [T, T], "prediction_score": lists, "features.age": [1, 2]}
    batch = take_columns(columns, spec=shop)
    assert [(r.row, r.field) for r in batch.rejects] == [(1, "prediction_score")]
    assert "names one item twice" in batch.rejects[0].reason
