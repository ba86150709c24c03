"""The client commands against a whole Vigil: what they send is taken, and what they print is what it answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import monitor.cli.command
from incidents.commands import Open, command_to_json
from incidents.events import Actor, ActorKind
from incidents.verdict import Cause, Evidence, Fingerprint, Kind, Severity
from monitor.cli.client import Client
from monitor.cli.root import vigil as root

Run = Callable[..., Result]
DAY = ("--from", "2026-07-01", "--to", "2026-07-02")


@pytest.fixture
def run(service: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command whose requests go to the app of the test, with an administrator's key of a person."""
    transport = service.client._transport
    monkeypatch.setattr(monitor.cli.command, "Client", partial(Client, transport=transport))
    token = service.app.keys.create("ana", "person", frozenset({"admin"}))
    monkeypatch.setenv("VIGIL_CONFIG", "")

    def run(*args: str, key: str = token, code: int = 0) -> Result:
        result = CliRunner().invoke(root, [*args, "--url", "http://testserver", "--key", key], prog_name="vigil")
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return run


@pytest.fixture
def filled(service: Any, run: Run, tmp_path: Path) -> Any:
    """A reference and a day of predictions and outcomes, sent by the command line; the outcomes in JSON columns."""
    n = 200
    rows = [service.prediction(i) for i in range(n)]
    reference = [{**r, "prediction_id": f"r{i}", "actual_label": int(i % 10 >= 5)} for i, r in enumerate(rows)]
    moved = [{**r, "features": {"age": 70 + i % 9, "plan": "a"}} for i, r in enumerate(rows)]
    outcomes = service.column_form([service.outcome(i) for i in range(n)])
    for name, value in {"r": reference, "p": {"rows": moved}, "o": outcomes}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), "utf-8")
    loaded = run("reference", "load", "churn", str(tmp_path / "r.json"))
    assert "200 rows of reference accepted, 0 rejected" in loaded.stdout
    run("ingest", "churn", "predictions", str(tmp_path / "p.json"), "--rows", "90")
    run("ingest", "churn", "outcomes", str(tmp_path / "o.json"))
    service.fold()
    return service


def test_files_are_sent_in_pieces_once_and_rejects_keep_their_row(filled: Any, run: Run, tmp_path: Path) -> None:
    assert filled.counts() == {"predictions": 200, "outcomes": 200, "joined": 200}
    again = run("ingest", "churn", "predictions", str(tmp_path / "p.json"), "--rows", "90")
    assert "200 of them had been sent before" in again.stdout
    rows = [filled.prediction(i, prediction_id=f"x{i}") for i in range(12)]
    rows[11]["timestamp"] = "yesterday"
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    result = run("ingest", "churn", "predictions", str(tmp_path / "bad.jsonl"), "--rows", "5", "--json")
    sent = json.loads(result.stdout)
    assert (sent["accepted"], sent["rejected"]) == (11, 1)
    assert [e["row"] for b in sent["batches"] for e in b["errors"]] == [11], "its number in the file, not in the piece"


def test_models_are_listed_and_shown(filled: Any, run: Run) -> None:
    (model,) = json.loads(run("model", "list", "--json").stdout)["models"]
    assert (model["model"], model["counts"]["joined"]) == ("churn", 200)
    assert "churn" in run("model", "list").stdout
    shown = run("model", "show", "churn").stdout
    assert "task: binary_classification" in shown
    assert "joined" in shown


def test_a_report_names_what_moved_and_narrows(filled: Any, run: Run) -> None:
    whole = run("report", "churn", *DAY).stdout
    assert "moved most: age (" in whole
    assert "roc_auc" in whole
    narrow = json.loads(run("report", "churn", *DAY, "--metric", "roc_auc", "--metric", "brier", "--json").stdout)
    assert {p["metric"] for p in narrow["points"]} == {"roc_auc", "brier"}
    assert "does not lie on the grain" in run("report", "churn", *DAY[:3], "2026-07-01T12:30:00Z", code=1).stderr


def test_a_report_says_what_is_an_estimate_what_moved_the_output_and_what_carries_the_change(
    filled: Any, run: Run
) -> None:
    said = run("report", "churn", *DAY, "--metric", "accuracy", "--metric", "estimated_accuracy").stdout
    assert re.search(r"estimated_accuracy .* estimate", said)
    assert re.search(r"^accuracy .* provisional", said, re.MULTILINE)
    assert "moves the output by" in said
    assert "carry the change in accuracy: " in said
    asked = run("report", "churn", *DAY, "--metric", "selection_rate_ratio_to_overall").stdout
    assert "selection_rate_ratio_to_overall" in asked, "what is not kept is measured where it is asked for"
    refused = run("report", "churn", *DAY, "--metric", "roc_acu", code=1).stderr
    assert "'roc_acu' is not measured by this version" in refused
    assert "nearest known is 'roc_auc'" in refused


def test_a_window_is_explained_by_what_moved(filled: Any, run: Run) -> None:
    said = run("explain", "churn", *DAY).stdout
    assert "are told from those of reference (AUC" in said
    assert re.search(r"age +\d.*higher", said)
    assert re.search(r"plan +-?\d.*b less often", said)
    found = json.loads(run("explain", "churn", *DAY, "--json").stdout)
    assert found["features"][0]["feature"] == "age"
    nothing = run("explain", "churn", "--from", "2026-06-01", "--to", "2026-06-02").stdout
    assert "It cannot be told: empty window" in nothing


def test_equivalence_is_said_in_words_with_the_groups(filled: Any, run: Run) -> None:
    asked = ("equivalence", "churn", "--attribute", "sex", *DAY)
    said = run(*asked, "--metric", "equalized_odds_difference", "--margin", "0.3").stdout
    assert "differ by less than 0.3 in true positive rate and false positive rate" in said
    assert "provisional: the label delay has not passed" in said
    for words in ("true_positive_rate", "90 % interval", "equivalent"):
        assert words in said
    found = json.loads(run(*asked, "--metric", "demographic_parity_ratio", "--margin", "0.8", "--json").stdout)
    assert {g["group"] for g in found["rates"][0]["compared"]} == {"f", "m"}
    refused = run(*asked, "--metric", "demographic_parity", "--margin", "0.1", code=1).stderr
    assert "The nearest is 'demographic_parity_ratio'" in refused
    run(*asked, "--metric", "demographic_parity_ratio", "--margin", "2", code=2)


def test_an_incident_is_led_from_open_to_closed(filled: Any, run: Run) -> None:
    now = filled.clock()
    evidence = Evidence(now - timedelta(days=2), now - timedelta(days=1), "age moved", (Cause("age", "psi", 0.4),))
    command = Open(Fingerprint("churn", Kind.DRIFT), Severity.WARNING, "Drift in age", now, evidence)
    filled.app.worker.command("churn", "", command_to_json(command), Actor("vigil", ActorKind.RULE))
    (found,) = json.loads(run("incident", "list", "--state", "live", "--json").stdout)["incidents"]
    number = found["id"]
    assert "Drift in age" in run("incident", "list").stdout

    machine = filled.keys["operate"].removeprefix("Bearer ")
    refused = run("incident", "ack", number, key=machine, code=4)
    assert "only a person may do this" in refused.stderr
    assert "done; it is acknowledged" in run("incident", "ack", number, "--note", "mine").stdout
    assert "nothing changed (already acknowledged)" in run("incident", "ack", number).stdout
    assert "done" in run("incident", "comment", number, "the table was late").stdout
    assert "done; it is resolved" in run("incident", "resolve", number).stdout
    assert "done" in run("incident", "dispose", number, "true", "--root-cause", "a new form").stdout
    assert "done; it is closed" in run("incident", "close", number).stdout
    shown = run("incident", "show", number).stdout
    for words in ("Drift in age (closed, warning)", "age moved", "disposition: true", "root cause: a new form", "psi"):
        assert words in shown
    assert "no incidents" in run("incident", "list", "--state", "live").stdout


def test_the_figures_of_a_period(filled: Any, run: Run, tmp_path: Path) -> None:
    assert "Monitoring coverage" in run("kpis", "--period", "2026-Q3", "--model", "churn").stdout
    kpis = json.loads(run("kpis", "--period", "2026-Q3", "--clock", "all", "--json").stdout)
    assert (kpis["period"]["name"], kpis["clock"]) == ("2026-Q3", "all")
    assert "no period" in run("kpis", "--period", "soon", code=1).stderr
    pack = tmp_path / "pack.html"
    run("export", "--period", "2026-Q3", "--format", "html", "--output", str(pack))
    assert pack.read_text("utf-8").lstrip().lower().startswith("<!doctype html")
    assert json.loads(run("export", "--period", "2026-Q3").stdout) == filled.client.get(
        "/v1/exports/management-review", params={"period": "2026-Q3"}
    ).json()


def test_without_a_valid_key_it_says_where_one_comes_from(run: Run) -> None:
    result = run("model", "list", key="vgl_00000000_none", code=4)
    assert "key is not valid" in result.stderr
