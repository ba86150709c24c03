"""The demo end to end in processes of its own: what it counts, that it resumes after kills, and how it stops."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from monitor.cli.admin import open_keys
from monitor.cli.failure import Failure
from monitor.cli.replay.child import Child
from monitor.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE, SOME, MORE = 5_000, 3_000, 40_000
SCOPES = frozenset({"admin"})


def cut(folder: Path, rows: int) -> Path:
    """The first rows of the census stream with their outcomes, in the shape of a data folder."""
    folder.mkdir(parents=True)
    data = ROOT / "data" / "census"
    pq.write_table(pq.read_table(data / "reference.parquet").slice(0, REFERENCE), folder / "reference.parquet")
    predictions = pq.read_table(data / "predictions.parquet").slice(0, rows)
    outcomes = pq.read_table(data / "outcomes.parquet")
    outcomes = outcomes.filter(pc.is_in(outcomes["prediction_id"], value_set=predictions["prediction_id"]))
    pq.write_table(predictions, folder / "predictions.parquet")
    pq.write_table(outcomes, folder / "outcomes.parquet")
    (folder / "model.yaml").write_bytes((data / "model.yaml").read_bytes())
    return folder


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("VIGIL_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "VIGIL_PORT": "0", "VIGIL_TICK_SECONDS": "1"} | more


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "monitor.cli", *args]


def demo(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("demo", *args), cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )


@contextmanager
def running(folder: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A demo that goes on beside the test; killed in the end where it still runs."""
    process = subprocess.Popen(command("demo", *args), cwd=folder, env=environment(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value of ``what``."""
    give_up = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < give_up, "it did not come to pass"
        time.sleep(0.05)
    return found


def counted(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    counts: dict[str, int] = model["counts"]
    return counts


def once(rows: int, duplicates: int = 0) -> dict[str, int]:
    return {"predictions": rows, "joined": rows, "orphans": 0, "duplicates": duplicates, "conflicts": 0}


def test_a_replay_counts_each_row_once_and_again_as_a_duplicate(tmp_path: Path) -> None:
    data = cut(tmp_path / "data", SOME)
    first = demo(tmp_path, "--once", "--json", "--data", str(data))
    assert counted(first) == once(SOME)
    found = json.loads(first.stdout)
    figures = {(f["metric"], f["window"], f["of"]): f for f in found["models"][0]["figures"]}
    assert figures["roc_auc", "2016", None]["n"] == SOME
    assert 0.8 < figures["roc_auc", "2016", None]["value"] < 1
    assert found["seconds"] > 0
    assert found["peak_bytes"] > 50 * 2**20
    log = (tmp_path / "var" / "demo" / "service.log").read_text("utf-8")
    assert "Application shutdown complete" in log, "it was stopped in order"
    assert found["key"].split("_", 2)[2] not in log
    assert "Traceback" not in log
    with pytest.raises(httpx.ConnectError):
        httpx.get(found["url"], trust_env=False)

    again = demo(tmp_path, "--once", "--json", "--data", str(data))
    assert counted(again) == once(SOME, duplicates=2 * SOME)
    assert json.loads(again.stdout)["models"][0]["figures"] == found["models"][0]["figures"]


def test_for_people_it_is_a_table_and_figures_that_are_off_fail(tmp_path: Path) -> None:
    data = cut(tmp_path / "data", SOME)
    (data / "expected.json").write_text('{"performance": {"production_all": {"roc_auc": 0.5}}}', "utf-8")
    done = demo(tmp_path, "--once", "--data", str(data))
    assert done.returncode == 1
    assert "3,000 predictions, 3,000 joined outcomes, 0 orphans" in done.stdout
    assert re.search(r"roc_auc +the model +2016 +0\.\d{4}", done.stdout)
    assert "rows replayed, folded and judged in" in done.stdout
    assert "census-employment: roc_auc in 2016: 0." in done.stderr
    assert "and not 0.5000" in done.stderr


def test_it_serves_on_until_it_is_interrupted(tmp_path: Path) -> None:
    data = cut(tmp_path / "data", SOME)
    with running(tmp_path, "--data", str(data)) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        link = next(line for line in lines if line.startswith("console: ")).split()[1]
        key = next(line for line in lines if line.startswith("key: ")).split()[1]
        url, _, fragment = link.partition("/sign-in#key=")
        assert fragment == key
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"{url}/v1/models", headers=headers, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def _service_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(until(lambda: children.read_text("utf-8").split())[0])


def _sending(folder: Path) -> bool:
    """Whether some rows have been taken: most are still to be sent."""
    log = folder / "vigil-log.db"
    if not log.exists():
        return False
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as db:
        try:
            return bool(db.execute("SELECT 1 FROM segments WHERE kind = 'predictions' LIMIT 1").fetchall())
        except sqlite3.OperationalError:        # no tables yet
            return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the service's process in Linux's /proc")
def test_killed_in_mid_replay_it_says_how_to_go_on_and_goes_on(tmp_path: Path) -> None:
    data = cut(tmp_path / "data", MORE)
    with running(tmp_path, "--once", "--data", str(data)) as process:
        service = _service_of(process)
        until(lambda: _sending(tmp_path / "var" / "demo"))
        os.kill(service, signal.SIGKILL)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the service was killed by signal 9" in said
    assert "Run 'vigil demo' again: it goes on" in said
    counts = counted(demo(tmp_path, "--once", "--json", "--data", str(data)))
    assert counts["duplicates"] < 2 * MORE, "it was killed before all of it was sent"
    assert {**counts, "duplicates": 0} == once(MORE)


def test_a_service_killed_and_restarted_by_others_only_delays_it(tmp_path: Path) -> None:
    data, own = cut(tmp_path / "data", MORE), tmp_path / "own"
    settings = Settings(data_dir=own, port=0)
    key = open_keys(settings).create("tester", "person", SCOPES)
    with Child(own, settings) as child:
        child.wait_ready()
        with running(tmp_path, "--url", child.url, "--key", key, "--json", "--data", str(data)) as process:
            until(lambda: _sending(own))
            child.process.kill()
            child.process.wait()
            with pytest.raises(Failure, match="killed by signal 9") as caught:
                child.check()
            assert "service.log says why" in caught.value.mend
            with Child(own, Settings(data_dir=own, port=child.port)) as restarted:
                restarted.wait_ready()
                stdout, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    counts = json.loads(stdout)["models"][0]["counts"]
    assert {**counts, "duplicates": 0} == once(MORE)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A service on nothing, and the environment that points the command line at it."""
    folder = tmp_path / "vigil"
    with Child(folder, _made(folder)) as child:
        child.wait_ready()
        key = open_keys(Settings(data_dir=folder)).create("tester", "person", SCOPES)
        yield child.url, environment(VIGIL_URL=child.url, VIGIL_DATA_DIR=str(folder), VIGIL_KEY=key)


def _made(folder: Path) -> Settings:
    settings = Settings(data_dir=folder, port=0)
    open_keys(settings)
    return settings


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_requests_of_the_readme_are_taken(service: tuple[str, dict[str, str]]) -> None:
    """curl's own words, read as a shell reads them; a machine without curl tests them too."""
    url, env = service
    (block,) = blocks("README.md")
    answers = []
    for line in block.replace("\\\n", " ").split("\ncurl "):
        words = iter(shlex.split(line.replace("$VIGIL_KEY", env["VIGIL_KEY"])))
        method, address, headers, body = "GET", "", {}, ""
        for word in words:
            match word:
                case "curl":
                    continue
                case "-X":
                    method = next(words)
                case "-H":
                    name, _, value = next(words).partition(": ")
                    headers[name] = value
                case "-d":
                    body = next(words)
                case _:
                    address = word.replace("http://127.0.0.1:8000", url)
        answers.append(httpx.request(method, address, headers=headers, content=body, trust_env=False))
    assert [a.status_code for a in answers] == [201, 202, 202], [a.text for a in answers]
    assert [a.json()["accepted"] for a in answers[1:]] == [1, 1]
    assert set(answers[1].json()) >= {"batch_id", "accepted", "rejected", "errors"}


def test_the_lines_of_the_quickstart_run(tmp_path: Path, service: tuple[str, dict[str, str]]) -> None:
    url, env = service
    cut(tmp_path / "data" / "census", SOME)
    script = "set -eu\n" + "\n".join(blocks("docs/quickstart.md"))
    env = env | {"VIGIL_PORT": url.rpartition(":")[2]}
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "census-employment: 3,000 rows of predictions accepted, 0 rejected" in done.stdout
    assert "census-employment: 3,000 rows of outcomes accepted, 0 rejected" in done.stdout
    assert re.search(r"roc_auc", done.stdout)
    assert "label_coverage" in done.stdout
