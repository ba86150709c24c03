"""A real Prometheus scrapes a real Vigil after a replay: every query of every panel and variable has an answer."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import uvicorn
import yaml

from api.server import create
from grafana.build import files
from monitor.app import App
from monitor.settings import Settings

pytestmark = pytest.mark.needs_prometheus

ROOT = Path(__file__).resolve().parents[2]
CENSUS = ROOT / "data" / "census"
RULES = ROOT / "deploy" / "rules"
DECLARED = yaml.safe_load((CENSUS / "model.yaml").read_text("utf-8"))
MODEL = DECLARED["model"]
# Every third row from October 2017 to March 2018, around the weeks of the group quarters.
CUT = slice(125_000, 152_000, 3)
BOARDS = [json.loads(text) for text in files().values()]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def _arrow(table: pa.Table, kind: str) -> bytes:
    """The shipped columns as the wire has them (data/README.md)."""
    columns = {"prediction_id": table["prediction_id"], "timestamp": table["timestamp"]}
    if kind != "outcomes":
        columns |= {"prediction_score": table["score"], "prediction_label": table["prediction"]}
        columns |= {f"features.{name}": table[name] for name in DECLARED["features"]}
        columns |= {f"protected.{name}": table[name] for name in DECLARED["protected_attributes"]}
    if kind != "predictions":
        columns["actual_label"] = table["label"]
    out, sink = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(sink, out.schema) as writer:
        writer.write_table(out)
    return sink.getvalue()


@dataclass
class Live:
    """A served Vigil, and the Prometheus that scrapes it."""

    vigil: httpx.Client
    prometheus: httpx.Client

    def post(self, kind: str, table: pa.Table) -> None:
        answer = self.vigil.post(
            f"/v1/models/{MODEL}/{kind}?clock=event",
            content=_arrow(table, kind),
            headers={"content-type": "application/vnd.apache.arrow.stream"},
        )
        assert answer.status_code == 202, answer.text

    def replay(self) -> None:
        declaration = (CENSUS / "model.yaml").read_bytes()
        self.vigil.put(f"/v1/models/{MODEL}", content=declaration, headers={"content-type": "application/yaml"})
        self.post("reference", _every(pq.read_table(CENSUS / "reference.parquet"), slice(0, None, 3)))
        predictions = _every(pq.read_table(CENSUS / "predictions.parquet"), CUT)
        outcomes = pq.read_table(CENSUS / "outcomes.parquet")
        outcomes = outcomes.filter(pc.is_in(outcomes["prediction_id"], predictions["prediction_id"].combine_chunks()))
        for kind, table in (("predictions", predictions), ("outcomes", outcomes.sort_by("timestamp"))):
            for start in range(0, len(table), 3000):
                self.post(kind, table.slice(start, 3000))
        _until(lambda: self.vigil.get(f"/v1/models/{MODEL}").json()["rows_to_fold"] == 0, "the replay was not folded")
        self.sample = predictions.slice(0, 50)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The answer's series; an error of Prometheus fails the test with its words."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        found = answer["data"]["result"]
        return found if answer["data"]["resultType"] == "vector" else [{"value": found}]


def _every(table: pa.Table, rows: slice) -> pa.Table:
    return table.take(pa.array(range(*rows.indices(len(table)))))


def _until(done: Any, otherwise: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if done():
                return
        except httpx.TransportError:        # it does not listen yet
            pass
        time.sleep(0.1)
    pytest.fail(otherwise)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Vigil behind uvicorn, its worker in the same process, and a client with a person's key."""
    folder = tmp_path_factory.mktemp("vigil")
    app = App(Settings(data_dir=folder, port=_free_port(), tick_seconds=1, worker="embedded"))
    config = uvicorn.Config(create(app), host="127.0.0.1", port=app.settings.port, log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    token = app.keys.create("ana", "person", frozenset({"admin"}))
    url = f"http://127.0.0.1:{app.settings.port}"
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
        _until(lambda: client.get("/livez").status_code == 200, "Vigil does not answer")
        yield client
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture(scope="module")
def live(served: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The replay, a Prometheus with the shipped rules, and enough scrapes that rates have something to stand on."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(RULES, folder / "rules")
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{served.base_url.port}"]}]
    del config["alerting"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    port = _free_port()
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        found = Live(served, client)
        found.replay()
        process = subprocess.Popen(command)
        try:
            _until(lambda: client.get("/-/ready").status_code == 200, "Prometheus is not ready")
            _until(lambda: found.query("count_over_time(up[1m]) >= 2"), "Prometheus has not scraped twice")
            found.post("predictions", found.sample)
            _until(lambda: found.query("count_over_time(up[1m]) >= 6"), "Prometheus has not scraped six times")
            yield found
        finally:
            process.terminate()
            process.wait(timeout=30)


def _variables(board: dict[str, Any], live: Live) -> dict[str, str]:
    """What Grafana puts in for each variable: all models, the first clock. Their own queries are asked on the way."""
    chosen = {"__rate_interval": "30s", "datasource": "prometheus"}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert asked, variable["definition"]
            metric, label = asked.groups()
            values = {s["metric"][label] for s in live.query(metric)}
            assert values, f"the variable {variable['name']} has no values"
            descending = variable["sort"] == 2
            chosen[variable["name"]] = variable.get("allValue") or sorted(values, reverse=descending)[0]
    return chosen


@pytest.mark.parametrize("board", BOARDS, ids=[b["uid"] for b in BOARDS])
def test_every_panel_has_data_after_the_replay(board: dict[str, Any], live: Live) -> None:
    chosen = _variables(board, live)
    empty, asked = [], 0
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expr = re.sub(r"\$\{?(\w+)\}?", lambda m: chosen[m[1]], target["expr"])
            asked += 1
            if not _finite(live.query(expr)):
                empty.append(f"{panel['title']}: {expr}")
    assert asked > 15
    assert not empty, "\n".join(empty)


def test_the_page_is_what_the_replay_did(live: Live) -> None:
    rows = len(range(*CUT.indices(208_892)))
    for name in ("predictions", "outcomes", "outcomes_joined"):
        (only,) = live.query(f"vigil_{name}_total")
        assert float(only["value"][1]) == rows, name
    assert {s["metric"]["clock"] for s in live.query("vigil_model_info")} == {"event"}
    (duplicates,) = live.query("vigil_rows_duplicate_total")
    assert float(duplicates["value"][1]) == 50, "the rows that were sent again"
    assert live.query('vigil_monitor_breaching{scope="feature:RELP"} == 1')
    assert live.query('sum(vigil_incidents{state="resolved"}) > 0')


def test_rules_are_evaluated_without_fault_and_a_healthy_vigil_raises_no_alert(live: Live) -> None:
    written = [r for g in yaml.safe_load((RULES / "vigil.yml").read_text("utf-8"))["groups"] for r in g["rules"]]
    assert len(_rules(live)) == len(written)
    _until(lambda: all(r["health"] == "ok" for r in _rules(live)), "a rule was not evaluated", 15)
    alerts = live.prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
    assert not [a["labels"] for a in alerts if a["state"] == "firing"]
    for rule in (r for r in written if "record" in r):
        assert live.query(rule["record"]), rule["record"]


def _finite(found: list[dict[str, Any]]) -> list[float]:
    """The numbers of an answer; a quantile of nothing is NaN, which is no data."""
    return [v for s in found if math.isfinite(v := float(s["value"][1]))]


def _rules(live: Live) -> list[dict[str, Any]]:
    return [r for g in live.prometheus.get("/api/v1/rules").json()["data"]["groups"] for r in g["rules"]]


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_promtool_finds_nothing_to_mend_on_the_page(live: Live, accept: str) -> None:
    page = live.vigil.get("/metrics", headers={"accept": accept}).text
    if accept == "text/plain":
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    series = [line for line in page.splitlines() if not line.startswith("#")]
    assert 200 < len(series) < 1000, "the page of one model has grown or shrunk beyond what is meant"


@pytest.mark.parametrize(
    "command",
    [["check", "config", "deploy/prometheus.yml"], ["check", "rules", "--lint-fatal", "deploy/rules/vigil.yml"]],
)
def test_promtool_accepts_what_ships(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_are_raised_by_what_they_are_for(tmp_path: Path) -> None:
    """Prometheus's own unit tests of rules: each alert of the file, from series that show its fault."""
    shutil.copy(RULES / "vigil.yml", tmp_path)
    shutil.copy(Path(__file__).with_name("vigil_rules_test.yml"), tmp_path)
    command = ["promtool", "test", "rules", "vigil_rules_test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load((tmp_path / "vigil_rules_test.yml").read_text("utf-8"))["tests"]
    raised = {a["alertname"] for t in tested for a in t["alert_rule_test"] if a["exp_alerts"]}
    written = yaml.safe_load((tmp_path / "vigil.yml").read_text("utf-8"))["groups"]
    assert raised == {r["alert"] for g in written for r in g["rules"] if "alert" in r}
