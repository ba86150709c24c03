"""What model services recorded, from its file to the counts of the fold, by a declaration that was drafted from it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import monitor.cli.command
from monitor.cli.client import Client
from monitor.cli.root import vigil as root

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
Run = Callable[..., Result]
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def run(service: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr(monitor.cli.command, "Client", partial(Client, transport=service.client._transport))
    monkeypatch.setenv("VIGIL_CONFIG", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("VIGIL_URL", "http://testserver")
    monkeypatch.setenv("VIGIL_KEY", service.app.keys.create("ana", "person", frozenset({"admin"})))

    def run(*args: object, code: int = 0) -> Result:
        result = CliRunner().invoke(root, [*map(str, args)], prog_name="vigil")
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return run


def declared(run: Run, folder: Path, *recorded: Path, **lines: str) -> Path:
    """The draft of a recording with its marked lines filled, applied."""
    draft = folder / "model.yaml"
    run("onboard", *recorded, "--model", "churn", "--out", draft)
    text = draft.read_text("utf-8")
    for key, value in ({"owner": "ana", "purpose": "a test"} | lines).items():
        block = r"(\n  .*)*" if key == "features" else ""
        text = re.sub(rf"^(\s*(?:- )?){key}:.*{block}$", rf"\g<1>{key}: {value}", text, flags=re.MULTILINE)
    draft.write_text(text, "utf-8")
    run("model", "apply", draft)
    return draft


def loaded(service: Any, features: dict[str, Any], **more: Any) -> None:
    """A reference of the model, so that its predictions are folded."""
    rows = [
        {"prediction_id": f"r{i}", "features": features, "prediction_score": i / 10, "actual_label": i % 2} | more
        for i in range(10)
    ]
    answer = service.client.post("/v1/models/churn/reference", json=rows, headers=service.key("ingest"))
    assert answer.status_code == 202, answer.text
    service.fold()


def test_a_sagemaker_capture_from_its_folder_to_joined_outcomes(service: Any, run: Run, tmp_path: Path) -> None:
    capture = tmp_path / "s3" / "churn" / "AllTraffic" / "2022" / "02" / "14" / "17" / "x.jsonl"
    truth = tmp_path / "truth" / "2022" / "03" / "01" / "09" / "y.jsonl"
    for file, name in ((capture, "sagemaker-capture.jsonl"), (truth, "sagemaker-ground-truth.jsonl")):
        file.parent.mkdir(parents=True)
        lines = (FIXTURES / name).read_text().splitlines()
        file.write_text("\n".join(line for line in lines if "eeeee3" not in line and "eeeee5" not in line))
    declared(run, tmp_path, capture, columns="[age, plan, charge]", features="{age: numeric, plan: numeric}")
    loaded(service, {"age": 40, "plan": 1})
    said = json.loads(run("ingest", "churn", "predictions", tmp_path / "s3", "--clock", "event", "--json").stdout)
    assert (said["accepted"], said["rejected"]) == (4, 0)
    run("ingest", "churn", "outcomes", tmp_path / "truth", "--clock", "event")
    service.fold()
    counts = service.counts()
    assert (counts["predictions"], counts["outcomes"], counts["joined"]) == (4, 3, 3)
    again = run("ingest", "churn", "predictions", tmp_path / "s3", "--clock", "event").stdout
    assert "4 of them had been sent before" in again


def test_a_databricks_table_keeps_its_sampling_rate_and_counts_what_failed(
    service: Any, run: Run, tmp_path: Path
) -> None:
    declared(run, tmp_path, FIXTURES / "databricks-legacy.jsonl")
    loaded(service, {"age": 40, "plan": "a"})
    file = FIXTURES / "databricks-legacy.jsonl"
    said = json.loads(run("ingest", "churn", "predictions", file, "--clock", "event", "--json").stdout)
    assert (said["accepted"], said["rejected"]) == (3, 1)
    rejects = service.client.get("/v1/models/churn/rejects", headers=service.key("read")).json()["rejects"]
    assert [(r["field"], r["row"]) for r in rejects] == [("status_code", 3)]
    assert service.app.log.batch(said["batches"][0]["batch_id"])["envelope"]["sampling_rate"] == 0.5


def test_kserve_s_blob_files_go_in_as_events_in_any_order(service: Any, run: Run, tmp_path: Path) -> None:
    """Request and response are two files, and neither has a time."""
    bodies = {"request": {"instances": [{"age": 40, "at": "2026-06-30T12:00:00Z"}]}, "response": {"predictions": [0.5]}}
    for side, body in bodies.items():
        record = {"Id": "1", "ReqType": f"org.kubeflow.serving.inference.{side}", "InferenceService": "churn",
                  "Bytes": base64.b64encode(json.dumps(body).encode()).decode()}  # fmt: skip
        (tmp_path / f"1-{side}.json").write_text(json.dumps([record]))
    files = sorted(tmp_path.glob("1-*.json"), reverse=True)
    draft = declared(run, tmp_path, *files, timestamp="at", features="{age: numeric}")
    loaded(service, {"age": 40})
    draft.write_text(re.sub(r"timestamp: at", "", draft.read_text()))
    run("model", "apply", draft)
    assert "the records have no time" in run("ingest", "churn", "predictions", *files, code=2).stderr
    draft.write_text(re.sub(r"score: 0", "timestamp: at\n    score: 0", draft.read_text()))
    run("model", "apply", draft)
    said = json.loads(run("ingest", "churn", "predictions", *files, "--json").stdout)
    assert (said["accepted"], said["rejected"]) == (2, 0)
    service.fold()
    assert service.counts()["predictions"] == 1


def test_outcomes_may_name_a_request_with_a_list(service: Any) -> None:
    service.declare()
    rows = [{"prediction_id": "r", "timestamp": "2026-07-01T11:00:00Z", "actual_label": [1, 0, 1]}]
    answer = service.client.post("/v1/models/churn/outcomes", json=rows, headers=service.key("ingest"))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)


def test_a_format_that_is_not_known_and_a_model_without_the_source_are_refused(service: Any) -> None:
    service.declare()
    url, key = "/v1/models/churn/predictions", service.key("ingest")
    body = (FIXTURES / "mlflow.jsonl").read_bytes()
    for query, said in (("?format=sage", "is not known"), ("?format=mlflow", "declares no source of kind mlflow")):
        answer = service.client.post(url + query, content=body, headers=key | NDJSON)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]
