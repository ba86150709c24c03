"""Settings: what wins over what, and that nothing wrong passes in silence."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from monitor.errors import InvalidSettings
from monitor.settings import PREFIX, Settings, load_settings, settings_table

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, text: str) -> Path:
    file = folder / "vigil.toml"
    file.write_text(text, "utf-8")
    return file


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = write(tmp_path, 'port = 9001\nhost = "0.0.0.0"\nmetrics = false\n')
    settings = load_settings({"VIGIL_PORT": "9002", "HOME": "/"}, file)
    assert (settings.port, settings.host, settings.metrics) == (9002, "0.0.0.0", False)
    assert settings.max_rows_per_batch == Settings().max_rows_per_batch == 100_000


def test_the_environment_gives_each_type() -> None:
    env = {"VIGIL_METRICS": "False", "VIGIL_TICK_SECONDS": "3", "VIGIL_DATA_DIR": "/srv/v", "VIGIL_LOG_FORMAT": "json"}
    settings = load_settings(env)
    assert settings.metrics is False
    assert (settings.tick_seconds, settings.data_dir, settings.log_format) == (3, Path("/srv/v"), "json")


def test_the_log_lies_beside_the_state() -> None:
    settings = load_settings({"VIGIL_DATABASE_URL": "sqlite:////srv/a/state.sqlite"})
    assert settings.log_url == "sqlite:////srv/a/state-log.sqlite"
    assert settings.database_file == Path("/srv/a/state.sqlite")


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"VIGIL_PROT": "1"}, "VIGIL_PROT is no setting. The nearest is VIGIL_PORT"),
        ({"VIGIL_XYZZY": "1"}, "VIGIL_XYZZY is no setting. Known are .*VIGIL_WORKER"),
        ({"VIGIL_PORT": "http"}, "VIGIL_PORT must be a whole number from 0 to 65535, and 'http' is not"),
        ({"VIGIL_PORT": "65536"}, "65536 is out of range"),
        ({"VIGIL_TICK_SECONDS": "0"}, "a whole number from 1 up, and 0 is out of range"),
        ({"VIGIL_METRICS": "maybe"}, "VIGIL_METRICS must be true or false, and 'maybe' is not"),
        ({"VIGIL_WORKER": "extern"}, "one of embedded, process, none, and 'extern' is not"),
        ({"VIGIL_DATABASE_URL": "mysql://h/d"}, "sqlite:///PATH"),
        ({"VIGIL_DATABASE_URL": "sqlite://"}, "sqlite:///PATH"),
        ({"VIGIL_DATABASE_URL": "sqlite:///:memory:"}, "sqlite:///PATH"),
        ({"VIGIL_DATABASE_URL": "sqlite:///a.db?mode=ro"}, "sqlite:///PATH"),
        ({"VIGIL_DATABASE_URL": "postgresql://h"}, "must name a database of PostgreSQL"),
        ({"VIGIL_DATABASE_URL": "postgres://h:x/vigil"}, "must name a database of PostgreSQL"),
        ({"VIGIL_DATABASE_URL": "postgresql+asyncpg://h/vigil"}, "postgresql://USER:PASSWORD@HOST/DATABASE"),
    ],
)
def test_a_wrong_variable_is_refused(env: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        load_settings(env)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "'prot' in .*vigil.toml is no setting. The nearest is port"),
        ('port = "8000"', "must be a whole number from 0 to 65535, and '8000' is not"),
        ("port = true", "must be a whole number from 0 to 65535, and True is not"),
        ("port = 80.5", "and 80.5 is not"),
        ("host = 1", "'host' in .* must be text, and 1 is not"),
        ("data_dir = 1", "'data_dir' in .* must be text"),
        ("metrics = 1", "must be true or false, and 1 is not"),
        ("port = ", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        load_settings({}, write(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=re.escape("absent.toml cannot be read")):
        load_settings({}, tmp_path / "absent.toml")


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:hunter2@h", "postgresql://u:hunter2@[h/d", "postgresql://u:1/hunter2@h/d", "mysql://u:hunter2@h/d",
     "hunter2"],
)  # fmt: skip
def test_an_error_never_repeats_a_database_url(url: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({"VIGIL_DATABASE_URL": url})
    assert "hunter2" not in str(caught.value)


def test_a_wrong_type_of_database_url_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({}, write(tmp_path, 'database_url = ["hunter2"]'))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "log"),
    [
        ("postgresql://u:p%40@h:6432/d", "postgresql://u:p%40@h:6432/d?options=-csearch_path%3Dvigil_log"),
        ("postgres:///d?host=%2Frun%2Fp", "postgresql:///d?host=%2Frun%2Fp&options=-csearch_path%3Dvigil_log"),
        ("postgresql+psycopg://h/d?options=-cjit%3Doff", "postgresql://h/d?options=-cjit%3Doff%20-csearch_path%3Dvigil_log"),
    ],
)  # fmt: skip
def test_log_and_state_are_two_schemas_of_one_database(given: str, log: str) -> None:
    settings = load_settings({"VIGIL_DATABASE_URL": given})
    assert settings.on_server
    assert settings.log_url == log
    assert settings.state_url == log.replace("vigil_log", "vigil_state")
    assert settings.database_url == given


def test_a_password_is_never_shown() -> None:
    settings = Settings(database_url="postgresql://vigil:hunter2@db/vigil?password=hunter2")
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.shown())
    assert "postgresql://vigil:***@db/vigil" in repr(settings)


def test_every_setting_says_what_it_does_and_is_shown() -> None:
    shown = Settings().shown()
    for f in fields(Settings):
        assert f.metadata["doc"].endswith("."), f.name
        assert f"`{PREFIX}{f.name.upper()}` | `{f.name}`" in settings_table()
        assert f.name in shown


def test_the_page_of_settings_is_up_to_date() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    table = "".join(line for line in page.splitlines(keepends=True) if line.startswith("|"))
    assert table == settings_table(), "put the output of monitor.settings.settings_table() into docs/settings.md"
