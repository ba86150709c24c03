"""The cursor of ``vigil ingest``: it saves sending, and where it is doubtful everything is sent again."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import monitor.cli.command
from monitor.cli.client import Client
from monitor.cli.cursor import Cursor
from monitor.cli.root import vigil as root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "rows.jsonl"
    found.write_text("".join(json.dumps({"prediction_id": f"p{i}"}) + "\n" for i in range(10)))
    return found


def test_a_place_holds_for_the_same_file_and_a_batch_that_is_known(tmp_path: Path, file: Path) -> None:
    known: set[str] = {"b_1"}
    path = tmp_path / "deep" / "cursor.json"
    Cursor(path, known.__contains__).sent(file, 3, "b_1")
    cursor = Cursor(path, known.__contains__)
    assert cursor.done(file) == 3
    known.clear()                       # another database, say
    assert cursor.done(file) == 0
    known.add("b_1")
    os.utime(file, ns=(1, 1))
    assert cursor.done(file) == 0
    cursor.finished()
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"size": 1}}'])
def test_a_cursor_that_cannot_be_read_starts_anew(tmp_path: Path, file: Path, text: str) -> None:
    path = tmp_path / "cursor.json"
    path.write_text(text)
    assert Cursor(path, lambda _batch: True).done(file) == 0


class Service:
    """Answers as Vigil does, and goes away when it is told to."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.keys: list[str] = []
        self.dies_after = dies_after
        self.busy = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"batch_id": request.url.path})
        if self.busy:
            self.busy -= 1
            return httpx.Response(429, json={"detail": "rows wait", "mend": ""}, headers={"Retry-After": "0"})
        if self.dies_after is not None and len(self.keys) >= self.dies_after:
            raise KeyboardInterrupt
        key = request.headers["Idempotency-Key"]
        again = key in self.keys
        self.keys.append(key)
        rows = len(request.content.splitlines())
        body = {"batch_id": f"b_{len(self.keys)}", "accepted": rows, "rejected": 0, "errors": [], "repeated": again}
        return httpx.Response(202, json=body)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("VIGIL_CONFIG", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(service: Service, *args: str) -> Any:
        transport = httpx.MockTransport(service)
        monkeypatch.setattr(monitor.cli.command, "Client", partial(Client, transport=transport))
        return CliRunner().invoke(root, ["ingest", "churn", "predictions", *args, "--rows", "3", "--json"])

    return run


def test_a_run_that_was_killed_goes_on_where_it_stopped(run: Any, file: Path, tmp_path: Path) -> None:
    first = Service(dies_after=2)
    run(first, str(file))
    assert len(list((tmp_path / "state" / "vigil").iterdir())) == 1
    second = Service()
    said = json.loads(run(second, str(file)).stdout)
    assert (said["skipped"], said["accepted"]) == (2, 4)
    assert not set(first.keys) & set(second.keys)
    assert len(first.keys) + len(second.keys) == 4
    assert list((tmp_path / "state" / "vigil").iterdir()) == []


def test_from_the_start_when_it_is_asked_for_and_the_keys_are_the_same(run: Any, file: Path) -> None:
    first, second = Service(dies_after=2), Service()
    run(first, str(file))
    said = json.loads(run(second, str(file), "--again").stdout)
    assert (said["skipped"], said["accepted"]) == (0, 10)
    assert second.keys[:2] == first.keys


def test_a_service_that_asks_to_wait_is_waited_for(run: Any, file: Path) -> None:
    service = Service()
    service.busy = 3
    assert json.loads(run(service, str(file)).stdout)["accepted"] == 10


def test_a_request_without_a_good_row_is_told_at_the_end_and_stops_nothing(run: Any, file: Path) -> None:
    service = Service()

    def answer(request: httpx.Request) -> httpx.Response:
        if b"p4" not in request.content:
            return service(request)
        errors = [{"row": 1, "field": "timestamp", "reason": "is missing"}]
        return httpx.Response(422, json={"detail": "no row of the batch could be taken", "mend": "", "errors": errors})

    result = run(answer, str(file))
    said = json.loads(result.stdout)
    assert (said["accepted"], said["rejected"], result.exit_code) == (7, 3, 1)
    assert said["refused"][0]["errors"][0]["row"] == 4
