"""The commands: that each is documented, has an example and ``--json``, and that errors say what to do next."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from databases import Deployment

from monitor.cli.doctor import examine
from monitor.cli.failure import EXIT_CODES
from monitor.cli.root import vigil
from monitor.database import open_database
from monitor.log.port import Part, Segment
from monitor.log.sql import SqlLog
from monitor.migrate import migrate
from monitor.settings import Settings
from monitor.times import to_micros

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def commands(group: click.Group = vigil, path: str = "vigil") -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands())


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIGIL_CONFIG", "")
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VIGIL_URL", "http://127.0.0.1:9")      # the port where nothing listens


def run(*args: str) -> Result:
    return CliRunner().invoke(vigil, args, prog_name="vigil")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_an_example_that_names_it_and_json(path: str) -> None:
    command = COMMANDS[path]
    assert "Example:" in (command.epilog or "")
    assert path in (command.epilog or "")
    assert "--json" in [o for p in command.params for o in p.opts]
    assert command.help
    assert command.help.split("\n")[0].endswith(".")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_on_the_page(path: str) -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if re.match(rf"\| `{path}[ `]", line)]
    for param in COMMANDS[path].params:
        if isinstance(param, click.Option) and param.opts[-1] not in ("--json", "--config", "--url", "--key"):
            assert f"`{param.opts[0]}" in row, param.opts[0]


def test_every_exit_code_is_on_the_page() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning}" in page


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["incident", "list"], 3, ["no service answers at http://127.0.0.1:9", "vigil serve", "VIGIL_URL"]),
        (["model", "list", "--url", "nowhere"], 2, ["is no address", "http://127.0.0.1:8000"]),
        (["model", "apply", "absent.yaml"], 2, ["absent.yaml: no such file or directory", "path is right"]),
        (["config", "check", "--config", "absent.toml"], 2, ["absent.toml cannot be read"]),
        (["keys", "create", "ana"], 2, ["--scope"]),
        (["keys", "create", "ana", "--scope", "all"], 2, ["'ingest', 'read', 'sensitive'"]),
        (["keys", "create", "ana", "--scope", "read", "--expires", "soon"], 2, ["such as 30m, 1h, 7d or 2w"]),
        (["keys", "revoke", "0000"], 1, ["no key with the prefix '0000'", "vigil keys list"]),
        (["demo", "--data", "nowhere"], 2, ["lacks reference.parquet", "census, flights"]),
        (["incident", "dispose", "i1", "wrong"], 2, ["'false_positive'"]),
    ],
)
def test_an_error_says_what_to_do(args: list[str], code: int, words: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == code, result.output
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output


def test_a_declaration_that_is_not_valid_lists_key_line_and_mend(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text("model: m\ntaks: regression\n", "utf-8")
    result = run("model", "apply", str(file))
    assert result.exit_code == 1
    assert "taks (line 2)" in result.stderr
    assert "what to do: See docs/models.md" in result.stderr


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_PROT", "1")
    result = run("config", "check")
    assert result.exit_code == 2
    assert "VIGIL_PROT is no setting" in result.stderr
    assert "VIGIL_PORT" in result.stderr


def test_with_json_a_failure_is_json_too() -> None:
    result = run("incident", "list", "--json")
    assert json.loads(result.stderr)["exit_code"] == result.exit_code == 3
    assert result.stdout == ""


def test_a_setting_of_the_file_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "vigil.toml"
    file.write_text('port = 8119\nkey = "vgl_ab_hunter2"\n', "utf-8")
    result = run("config", "show", "--json", "--config", str(file))
    assert json.loads(result.stdout)["port"] == "8119"
    assert "hunter2" not in result.output
    assert json.loads(result.stdout)["key"] == "***"


def test_the_first_key_comes_before_the_first_start() -> None:
    made = run("keys", "create", "ana", "--scope", "read", "--scope", "operate", "--model", "m", "--expires", "90d")
    assert made.exit_code == 0
    assert re.fullmatch(r"vgl_[0-9a-f]{8}_[\w-]{43}\n", made.stdout), "the key stands alone on stdout"
    prefix, secret = made.stdout.strip().split("_", 2)[1:]
    listed = run("keys", "list", "--json")
    (key,) = json.loads(listed.stdout)["keys"]
    assert (key["prefix"], key["owner"], key["scopes"], key["models"]) == (prefix, "ana", ["operate", "read"], ["m"])
    assert secret not in listed.stdout
    assert key["expires_at"]
    assert not key["revoked_at"]
    assert run("keys", "revoke", prefix).exit_code == 0
    assert json.loads(run("keys", "list", "--json").stdout)["keys"][0]["revoked_at"]


def test_the_catalogue_is_listed() -> None:
    found = json.loads(run("metrics", "list", "--json").stdout)["metrics"]
    assert {"psi", "roc_auc", "demographic_parity_ratio"} <= {m["name"] for m in found}
    assert all(m["unit"] and m["source"] for m in found)


def states(settings: Settings, now: datetime = NOW) -> dict[str, str]:
    return {check.name: check.state for check in examine(settings, now)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_doctor_finds_nothing_wrong_where_nothing_is(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "d", port=free_port())
    before = states(settings)
    assert before["log database"] == before["state database"] == "note", "not made yet, which is no fault"
    assert not (tmp_path / "d").exists(), "and a look makes nothing"
    migrate(settings)
    after = states(settings)
    names = {"port", "clock", "worker", *(f"{n} {w}" for n in ("log", "state") for w in ("database", "migrations"))}
    assert {name: after[name] for name in names} == dict.fromkeys(names, "ok")


def arrived(settings: Settings, at: datetime) -> None:
    """A segment of the log that nobody has folded."""
    log = SqlLog(open_database(settings.log_url, durable=False))
    log.declare("m", 0, "a", {})
    log.append([Segment("m", "predictions", to_micros(at), False, 1, b"", (Part("b1", 3),))])
    log.engine.dispose()


@pytest.mark.both_databases
def test_the_doctor_sees_a_clock_behind_and_rows_that_wait(deployment: Deployment) -> None:
    settings = deployment.settings(port=free_port())
    migrate(settings)
    arrived(settings, NOW)
    assert states(settings)["worker"] == "note"
    assert states(settings, NOW.replace(hour=1)) | {"disk": ""} == states(settings) | {"worker": "fault", "disk": ""}
    assert states(settings, NOW.replace(month=6))["clock"] == "fault"


def test_the_doctor_sees_a_broken_file_an_old_version_and_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0.1)
        settings = Settings(data_dir=tmp_path, port=taken.getsockname()[1])
        migrate(settings)
        with sqlite3.connect(settings.database_file) as db:
            db.execute("update alembic_version_state set version_num = '0000'")
        db.close()
        (tmp_path / "vigil-log.db").write_bytes(b"no database at all" * 100)
        for rest in ("-wal", "-shm"):
            (tmp_path / f"vigil-log.db{rest}").unlink(missing_ok=True)
        found = states(settings)
    assert found["log database"] == "fault"
    assert (found["state database"], found["state migrations"]) == ("ok", "fault")
    assert found["port"] == "fault"


def test_no_command_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_DATABASE_URL", "postgresql://vigil:hunter2@127.0.0.1:1/vigil")
    for command in (["config", "show"], ["doctor"], ["migrate"], ["keys", "list"]):
        for form in ([], ["--json"]):
            result = run(*command, *form)
            assert "hunter2" not in result.stdout + result.stderr
            assert (result.exit_code == 0) == (command == ["config", "show"]), command
            assert "Traceback" not in result.stderr


def test_the_doctor_sees_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, state in ((10 * 2**20, "fault"), (2**30, "note"), (2**40, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: shutil._ntuple_diskusage(0, 0, free))  # type: ignore[attr-defined]
        assert states(Settings(data_dir=tmp_path, port=free_port()))["disk"] == state


def test_a_doctor_who_found_a_fault_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(0, 0, 1))  # type: ignore[attr-defined]
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["checks"][0]["state"] == "fault"
    assert "checks found a fault: disk" in json.loads(result.stderr)["error"]


def test_a_taken_port_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("VIGIL_PORT", str(port))
        result = run("demo", "--once")
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr
    assert "VIGIL_PORT=8001" in result.stderr
