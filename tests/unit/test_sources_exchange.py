"""Exchanges as the columns of a batch, by the source that the model declares."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.codecs import normalise
from monitor.model import ModelSpec, Schema, Source
from monitor.sources import Exchange, Misfit, Payload, read_payload, to_columns
from monitor.sources.payload import from_rows

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CENSUS = Source("kserve", columns=("AGEP", "SEX"), score=0)


def exchange(inputs: list[Any], outputs: list[Any], **more: Any) -> Exchange:
    return Exchange(**{"id": "r", "time": NOON, "inputs": from_rows(inputs), "outputs": from_rows(outputs), **more})


def rows(source: Source, *found: Exchange | Misfit, features: tuple[str, ...] = ()) -> dict[str, Any]:
    columns = to_columns(source, found, features)
    assert not columns.rejects, columns.rejects
    return dict(columns.data)


def reason(source: Source, found: Exchange) -> tuple[str, str]:
    columns = to_columns(source, [exchange([[1, 2]], [0.5]), found])
    [reject] = columns.rejects
    assert (reject.row, columns.n_rows) == (1, 2)
    return reject.field, reject.reason


def test_a_request_of_one_row_keeps_its_id_and_one_of_many_numbers_its_rows() -> None:
    found = rows(CENSUS, exchange([[40, "1"]], [0.5]), exchange([[41, "2"], [42, "1"]], [0.1, 0.2], id="s"))
    assert found["prediction_id"] == ["r", "s/0", "s/1"]
    assert found["request_id"] == [None, "s", "s"]
    assert found["features.AGEP"] == [40, 41, 42]
    assert found["prediction_score"] == [0.5, 0.1, 0.2]
    assert set(found["timestamp"]) == {"2026-01-31T12:00:00+00:00"}


def test_names_of_the_payload_stand_and_columns_name_what_has_none() -> None:
    named = exchange([{"AGEP": 40, "more": 1}], [0.5])
    assert rows(CENSUS, named)["features.more"] == [1]
    tensor = read_payload(
        '{"inputs": [{"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]}', "inputs"
    )
    found = rows(CENSUS, dataclasses.replace(exchange([], [0.1, 0.2]), inputs=tensor))
    assert (found["features.AGEP"], found["features.SEX"]) == ([1, 3], [2, 4])


def test_a_tensor_that_is_one_feature_stays_a_list() -> None:
    tensor = read_payload(
        '{"inputs": [{"name": "emb", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}', "inputs"
    )
    found = rows(Source("kserve", score=0), dataclasses.replace(exchange([], [0.1]), inputs=tensor))
    assert found["features.emb"] == [[1, 2, 3]]


def test_a_protected_input_is_a_feature_only_where_it_is_declared_as_one() -> None:
    source = dataclasses.replace(CENSUS, protected={"sex": "SEX"}, subject_key="AGEP")
    assert "features.SEX" not in rows(source, exchange([[40, "1"]], [0.5]))
    found = rows(source, exchange([[40, "1"]], [0.5]), features=("SEX",))
    assert (found["features.SEX"], found["protected.sex"], found["subject_key"]) == (["1"], ["1"], [40])
    assert "features.AGEP" not in found


@pytest.mark.parametrize(("keys", "outputs", "wire", "values"), [
    ({"score": 1}, [[0.3, 0.7]], "prediction_score", [0.7]),
    ({"score": "proba.1"}, [{"proba": [0.3, 0.7]}], "prediction_score", [0.7]),
    ({"score": "p"}, [{"p": {"no": 0.3, "yes": 0.7}}], "prediction_score", [{"no": 0.3, "yes": 0.7}]),
    ({"score": 0, "classes": ("no", "yes")}, [[0.3, 0.7]], "prediction_score", [{"no": 0.3, "yes": 0.7}]),
    ({"score": "p", "classes": ("no", "yes")}, [{"p": [0.3, 0.7]}], "prediction_score", [{"no": 0.3, "yes": 0.7}]),
    ({"label": 0}, ["yes"], "prediction_label", ["yes"]),
    ({"label": "predictions", "score": "probabilities"}, [{"predictions": 1, "probabilities": 0.8}],
     "prediction_score", [0.8]),
    ({"value": "y"}, [{"y": 3.5}], "prediction_value", [3.5]),
    ({"label": 0, "decision": 1}, [["yes", "approve"]], "model_decision", ["approve"]),
])  # fmt: skip
def test_the_source_says_which_output_is_what(
    keys: dict[str, Any], outputs: list[Any], wire: str, values: list[Any]
) -> None:
    source = Source("kserve", columns=("AGEP", "SEX"), **keys)
    assert rows(source, exchange([[40, "1"]], outputs))[wire] == values


@pytest.mark.parametrize(("version", "wanted"), [
    (None, "9"), ("field", "9"), ("field:served", "s-1"), ("annotation", "7"), ("annotation:build", "b"), ("v3", "v3"),
    ("annotation:absent", None),
])  # fmt: skip
def test_where_the_version_comes_from(version: str | None, wanted: str | None) -> None:
    one = exchange(
        [[1, 2]], [0.5], version="9", annotations={"model_version": "7", "build": "b"}, fields={"served": "s-1"}
    )
    found = rows(dataclasses.replace(CENSUS, version=version), one)
    assert found.get("model_version", [None]) == [wanted]


@pytest.mark.parametrize(("id_", "wanted"), [
    ("request", ["r/0", "r/1"]), ("databricks_request_id", ["d/0", "d/1"]), ("AGEP", ["a", "b"]), ("key", ["x", "y"]),
])  # fmt: skip
def test_where_the_id_comes_from(id_: str, wanted: list[str]) -> None:
    outputs = [{"p": 0.1, "key": "x"}, {"p": 0.2, "key": "y"}]
    one = exchange([["a", 1], ["b", 2]], outputs, fields={"databricks_request_id": "d"})
    assert rows(Source("kserve", columns=("AGEP", "SEX"), score="p", id=id_), one)["prediction_id"] == wanted


def test_a_time_of_the_row_s_own() -> None:
    source = dataclasses.replace(CENSUS, timestamp="SEX")
    found = rows(source, exchange([[40, "2026-01-01T00:00:00Z"]], [0.5], time=None))
    assert found["timestamp"] == ["2026-01-01T00:00:00Z"]
    assert "features.SEX" not in found


@pytest.mark.parametrize(("found", "field", "said"), [
    (exchange([[1, 2]], [0.5], time=None), "timestamp", "the record has no time"),        # KServe's blob files
    (exchange([[1, 2], [3, 4]], [0.5]), "response", "has 1 rows, and the request has 2"),
    (exchange([[1, 2, 3]], [0.5]), "request", "has 3 values a row, and the source's 'columns' names 2"),
    (exchange([], []), "request", "has no rows"),
    (exchange([[1, 2]], [[]]), "response", "names place 0"),
])  # fmt: skip
def test_what_does_not_fit_is_one_reject_and_spoils_no_other_row(found: Exchange, field: str, said: str) -> None:
    where, why = reason(CENSUS, found)
    assert where == field
    assert said in why


def test_inputs_without_names_need_them() -> None:
    columns = to_columns(Source("kserve", score=0), [exchange([[1, 2]], [0.5])])
    assert "list their names in the source's 'columns'" in columns.rejects[0].reason


def test_the_rows_pass_the_same_gate_as_any_others() -> None:
    spec = ModelSpec("census", "binary_classification", features={"AGEP": "numeric"}, sources=(CENSUS,))
    columns = to_columns(CENSUS, [exchange([[40, "1"], ["old", "1"]], [0.5, 1.5])], spec.features)
    batch = normalise(columns, Schema(spec, spec.features), "predictions", "b", NOON)
    assert batch.table.column("prediction_id").to_pylist() == ["r/0"]
    assert [r.field for r in batch.rejects] == ["prediction_score"]


def test_the_sampling_rate_of_the_source_is_the_batch_s() -> None:
    assert to_columns(dataclasses.replace(CENSUS, sampling_rate=0.1), []).envelope.sampling_rate == 0.1


def test_an_empty_payload_is_no_row() -> None:
    assert Payload().n_rows == 0
