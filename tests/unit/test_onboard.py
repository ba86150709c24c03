"""Drafts of declarations from what services recorded: as they stand they name what is missing, filled in they parse."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli.root import vigil as root
from monitor.errors import InvalidDeclaration
from monitor.model import ModelSpec, parse_declaration
from monitor.sources.guesses import feature_type, guess_outputs

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"


def run(*args: object, code: int = 0) -> Result:
    result = CliRunner().invoke(root, ["onboard", *map(str, args)], env={"VIGIL_CONFIG": ""}, prog_name="vigil")
    assert result.exit_code == code, result.output
    return result


def filled(text: str, **more: str) -> ModelSpec:
    """The draft with its open lines filled: a name, and what else the test says."""
    for key, value in ({"model": "churn", "owner": "ana", "purpose": "a test"} | more).items():
        text = re.sub(rf"^(\s*(?:- )?){key}:.*$", rf"\g<1>{key}: {value}", text, flags=re.MULTILINE)
    return parse_declaration(text, "yaml")


def two(tmp_path: Path, request: Any, response: Any) -> list[Path]:
    files = [tmp_path / "request.json", tmp_path / "response.json"]
    for file, value in zip(files, (request, response), strict=True):
        file.write_text(json.dumps(value))
    return files


@pytest.mark.parametrize("name", ["sagemaker-capture.jsonl", "databricks-legacy.jsonl", "databricks-gateway.jsonl",
                                  "mlflow.jsonl"])  # fmt: skip
def test_each_recording_gives_a_draft_that_only_lacks_what_is_marked(name: str) -> None:
    text = run(FIXTURES / name).stdout
    if "model:      # FILL IN" in text:
        with pytest.raises(InvalidDeclaration, match=r"model \(line \d+\): is missing"):
            parse_declaration(text, "yaml")
    spec = filled(text)
    assert spec.task == "binary_classification"
    assert spec.sources[0].kind == name.partition("-")[0].partition(".")[0]
    assert spec.sources[0].score is not None


def test_inputs_without_names_get_columns_that_must_be_named(tmp_path: Path) -> None:
    text = run(*two(tmp_path, {"instances": [[39, 13.5], [50, 9]]}, {"predictions": [[0.3, 0.7], [0.9, 0.1]]})).stdout
    assert "columns: [input_0, input_1]      # FILL IN" in text
    [source] = filled(text, columns="[AGEP, SCHL]").sources
    assert (source.kind, source.score, source.columns) == ("kserve", 1, ("AGEP", "SCHL"))
    assert "timestamp" not in text, "a body alone has no time, the event that carries it has"


def test_a_tensor_of_many_columns_has_no_names_either(tmp_path: Path) -> None:
    asked = {"id": "r", "inputs": [{"name": "input-0", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
    told = {"outputs": [{"name": "predict", "shape": [1], "datatype": "INT64", "data": [1]},
                        {"name": "predict_proba", "shape": [1, 2], "datatype": "FP64", "data": [0.2, 0.8]}]}
    spec = filled(run(*two(tmp_path, asked, told)).stdout)
    assert (spec.sources[0].score, spec.sources[0].label) == ("predict_proba.1", "predict")
    assert spec.sources[0].columns == ("input_0", "input_1", "input_2")


@pytest.mark.parametrize(("answers", "task", "keys", "more"), [
    ([0.25, 0.75], "binary_classification", {"score": 0}, {}),
    (["no", "yes"], "binary_classification", {"label": 0}, {"positive_label": "yes"}),
    ([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], "multiclass_classification", {"score": 0},
     {"classes": ("class_0", "class_1", "class_2")}),
    ([{"label": "a", "probs": {"a": 0.6, "b": 0.3, "c": 0.1}}] * 2, "multiclass_classification",
     {"score": "probs", "label": "label"}, {"classes": ("a", "b", "c")}),
    ([{"label": "a"}, {"label": "b"}, {"label": "c"}], "multiclass_classification", {"label": "label"},
     {"classes": ("a", "b", "c")}),
    ([12.5, 1800.0], "regression", {"value": 0}, {}),
    ([{"score": 0.61, "predicted_label": 1}, {"score": 0.2, "predicted_label": 0}], "binary_classification",
     {"score": "score", "label": "predicted_label"}, {"positive_label": "1"}),
])  # fmt: skip
def test_outputs_are_taken_for_what_they_look_like(
    tmp_path: Path, answers: list[Any], task: str, keys: dict[str, Any], more: dict[str, Any]
) -> None:
    asked = {"instances": [{"income": 1000.5 * k} for k in range(len(answers))]}
    spec = filled(run(*two(tmp_path, asked, {"predictions": answers})).stdout)
    assert spec.task == task
    for key in ("score", "label", "value"):
        assert getattr(spec.sources[0], key) == keys.get(key), key
    for key, value in more.items():
        assert getattr(spec, key) == value


def test_events_are_paired_whatever_their_order_and_say_whose_they_are(tmp_path: Path) -> None:
    said = {"specversion": "1.0", "source": "/", "inferenceservicename": "Census", "namespace": "prod",
            "component": "predictor", "time": "2026-01-31T12:00:00Z", "datacontenttype": "application/json",
            "annotations": '{"model-version": "3"}'}  # fmt: skip
    kind = "org.kubeflow.serving.inference."
    events = [
        {**said, "id": "1", "type": f"{kind}response", "data": {"predictions": [0.2]}},
        {**said, "id": "2", "type": f"{kind}request", "data": {"instances": [{"AGEP": 40}]}},
        {**said, "id": "1", "type": f"{kind}request", "data": {"instances": [{"AGEP": 41}]}},
    ]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, events)))
    text = run(file).stdout
    assert "# Records left out: 1; the first: an event of one id has a request alone" in text
    [source] = filled(text, model="census").sources
    assert dict(source.selectors) == {"inferenceservice": "Census", "namespace": "prod", "component": "predictor"}
    assert source.version == "annotation:model-version"
    assert "model: census\n" in text


def test_kserve_s_blob_records_have_no_time(tmp_path: Path) -> None:
    records = [
        {"Id": "1", "ReqType": f"org.kubeflow.serving.inference.{side}", "InferenceService": "census",
         "Bytes": base64.b64encode(json.dumps(body).encode()).decode()}
        for side, body in (("request", {"instances": [{"x": 1, "at": "2026-01-31T12:00:00Z"}]}),
                           ("response", {"predictions": [0.5]}))
    ]  # fmt: skip
    files = [tmp_path / f"1-{k}.json" for k in range(2)]
    for file, record in zip(files, records, strict=True):
        file.write_text(json.dumps([record]))
    text = run(*files).stdout
    assert "timestamp:      # FILL IN: the records have no time" in text
    assert filled(text, timestamp="at").sources[0].timestamp == "at"


def test_what_may_be_protected_is_asked_for_and_never_declared_unasked(tmp_path: Path) -> None:
    files = two(tmp_path, {"instances": [{"SEX": "1", "wage": 2.5}]}, {"predictions": [0.5]})
    text = run(*files).stdout
    assert "# protected_attributes: {SEX: {}}" in text
    assert not filled(text).protected_attributes
    asked = text.replace("# protected_attributes", "protected_attributes").replace("# favourable", "favourable")
    assert list(filled(asked).protected_attributes) == ["SEX"]


def test_names_that_yaml_would_read_as_something_else_are_quoted(tmp_path: Path) -> None:
    names = ["a: b", "true", "1", "#x", "é", "- y", 'q"']
    files = two(tmp_path, {"instances": [dict.fromkeys(names, 0.5)]}, {"predictions": [0.5]})
    assert list(filled(run(*files).stdout).features) == names


def test_the_draft_goes_to_a_file_and_json_tells_what_was_read(tmp_path: Path) -> None:
    to = tmp_path / "model.yaml"
    run(FIXTURES / "mlflow.jsonl", "--model", "churn", "--out", to)
    assert parse_declaration(to.read_bytes(), "yaml").model == "churn"
    said = json.loads(run(FIXTURES / "databricks-legacy.jsonl", "--json").stdout)
    assert (said["kind"], said["requests"], said["unread"]) == ("databricks", 2, 1)


@pytest.mark.parametrize(("content", "reason"), [
    ('{"prediction_id": "a"}', "is no record of a model service that is known"),
    ('{"request": {}, "response": {}, "id": "r"}', "holds no request with its response"),
    ('{"captureData": {}, "eventMetadata": {}}', "holds no request with its response"),
])  # fmt: skip
def test_what_is_no_recording_says_so(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(content)
    result = run(file, code=2)
    assert reason in result.stderr


def test_types_by_the_values() -> None:
    assert feature_type([1, 2, 1, 2, 1, 2, 1, 2, 1, 2])[1].startswith("2 whole numbers; write categorical")
    assert feature_type([None])[1].startswith("FILL IN")
    assert feature_type(["a", 1]) == ("categorical", "values of several types")
    assert feature_type([[1], [1, 2]])[0] == "categorical"
    assert guess_outputs({}).task == "regression"
