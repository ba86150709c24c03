"""``vigil notify``: a test message really arrives, and what is wrong is said with an exit code for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from receivers import Receiver

from monitor.app import App
from monitor.cli import vigil
from monitor.model import ModelSpec
from monitor.senders.heartbeat import Heartbeat
from monitor.settings import Settings

ROUTES = """
- {channel: webhook, name: lake, url_env: LAKE_URL}
- {channel: pagerduty, key_env: PD_KEY, url_env: LAKE_URL}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def run(tmp_path: Path, *words: str, **env: str) -> Result:
    file = tmp_path / "routes.yaml"
    if not file.exists():
        file.write_text(ROUTES)
    given = {"VIGIL_DATA_DIR": str(tmp_path), "VIGIL_NOTIFY_FILE": str(file)} | env
    return CliRunner().invoke(vigil, ["notify", *words], env=given)


def test_a_test_message_arrives_and_says_that_it_is_one(tmp_path: Path, receiver: Receiver) -> None:
    done = run(tmp_path, "test", "lake", "--json", LAKE_URL=receiver.url, VIGIL_PUBLIC_URL="https://vigil.example")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "channel": "lake", "kind": "webhook", "ok": True, "status": 200, "retry": False, "detail": "it answered 200",
    }  # fmt: skip
    (seen,) = receiver.seen
    assert (seen.json["kind"], seen.json["severity"]) == ("test", "info")
    assert "nothing is wrong" in seen.json["headline"]
    assert seen.key.startswith("ntf_test_")


@pytest.mark.parametrize(
    ("script", "code", "says"), [((403, {}), 1, "it answered 403"), ((429, {"retry-after": "7"}), 3, "to wait for 7 s")]
)
def test_a_receiver_that_refuses_is_an_exit_code(
    tmp_path: Path, receiver: Receiver, script: Any, code: int, says: str
) -> None:
    receiver.follow([script])
    done = run(tmp_path, "test", "lake", LAKE_URL=receiver.url)
    assert done.exit_code == code
    assert says in done.output
    assert receiver.url not in done.output


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert "LAKE_URL" in run(tmp_path, "test", "lake").output
    unknown = run(tmp_path, "test", "slack")
    assert unknown.exit_code == 2
    assert "There are lake, pagerduty" in unknown.output
    none = run(tmp_path, "test", "lake", VIGIL_NOTIFY_FILE=str(tmp_path / "absent.yaml"))
    assert none.exit_code == 2
    assert "no such file" in none.output


def test_a_models_own_routes_come_before_those_of_the_file(tmp_path: Path, receiver: Receiver) -> None:
    app = App(Settings(data_dir=tmp_path, worker="none"))
    own = {"model": "churn", "task": "regression", "notify": [{"channel": "slack", "name": "own", "url_env": "S"}]}
    app.declare(ModelSpec.from_dict(own), "test")
    app.declare(ModelSpec.from_dict({"model": "plain", "task": "regression"}), "test")
    app.log.engine.dispose()
    app.state.dispose()
    assert run(tmp_path, "test", "own", "--model", "churn", S=receiver.url).exit_code == 0
    assert "There are own" in run(tmp_path, "test", "lake", "--model", "churn", LAKE_URL=receiver.url).output
    assert run(tmp_path, "test", "lake", "--model", "plain", LAKE_URL=receiver.url).exit_code == 0
    assert "no model 'nobody'" in run(tmp_path, "test", "lake", "--model", "nobody").output
    listed = run(tmp_path, "list", "--json")
    assert json.loads(listed.stdout) == {"notifications": []}
    assert "no dead letter" in run(tmp_path, "retry", "ntf_1").output


def test_the_heartbeat_is_silent_while_anything_is_stalled(receiver: Receiver) -> None:


    stalled: set[str] = set()
    heartbeat = Heartbeat(receiver.url, 0.02, lambda: stalled)
    heartbeat.start()
    receiver.wait(lambda: len(receiver.seen) > 2)
    stalled.add("delivery")
    assert heartbeat.beat() is None
    heartbeat.stop()
    before = len(receiver.seen)

    def unknown() -> set[str]:
        raise OSError("the database is gone")

    assert Heartbeat(receiver.url, 1, unknown).beat() is None
    assert len(receiver.seen) == before
    receiver.follow([(500, {})])
    result = Heartbeat(receiver.url, 1, frozenset).beat()
    assert result is not None
    assert not result.ok
