"""What the project promises of its files: two commands, all targets and settings documented, no trace of a machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from monitor.settings import CONFIG, PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
NOT_COMMITTED = {"__pycache__", "var", "build", "dist", "node_modules"}
BINARY = {".parquet", ".png", ".db"}

# Hosts that packages come from belong to the reader's own configuration; paths of one machine help nobody else.
TRACES = re.compile(
    "|".join(
        [
            r"(?<![\w.~-])/(work|root|home|Users)/[\w.]",
            "pypi" + r"\.org/simple",
            "files" + r"\.pythonhosted\.org",
            "registry" + r"\.npmjs\.org",
            "deb" + r"\.debian\.org",
            r"--(extra-)?index-" + "url",
            "--trusted-" + "host",
            "--find-" + "links",
            r"\.\./" + "shared",
        ]
    )
)


def committed_files() -> Iterator[Path]:
    """The files of the repository, with no need of git: a release's archive is tested too."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            f for f in folders if f not in NOT_COMMITTED and not f.endswith(".egg-info") and (f == ".ci" or f[0] != ".")
        ]
        yield from (Path(folder, name) for name in names)


def texts() -> Iterator[tuple[str, str]]:
    for file in committed_files():
        if file.suffix not in BINARY:
            yield str(file.relative_to(ROOT)), file.read_text("utf-8")


def targets() -> dict[str, str]:
    """Each target of the Makefile, with the words that ``make help`` has for it."""
    rules = re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return {name: rest.partition("##")[2].strip() for name, rest in rules if " export " not in rest}


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if TRACES.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("trace", ["cd /work" + "/main", "--index-" + "url x", "'/root" + "/.cache'", "../" + "shared"])
def test_such_a_trace_would_be_seen(trace: str) -> None:
    assert TRACES.search(trace)


def test_every_target_is_in_the_help() -> None:
    said = targets()
    assert {"run", "test", "faults", "bench", "lock", "clean", "help"} <= set(said)
    assert all(said.values()), said
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    for name, words in said.items():
        assert re.search(rf"^make {name} +{re.escape(words)}$", shown, re.MULTILINE), name


def test_the_two_commands_of_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", readme, re.MULTILINE))
    assert {"run", "test"} <= named
    assert named <= set(targets())


def test_every_target_named_anywhere_exists() -> None:
    for name, text in texts():
        for target in re.findall(r"`make ([a-z][a-z-]*)", text):
            assert target in targets(), f"{name} names make {target}"


def test_every_setting_named_anywhere_exists() -> None:
    known = {CONFIG, *(PREFIX + f.name.upper() for f in fields(Settings))}
    for name, text in texts():
        if not name.startswith("tests/"):      # tests name wrong ones on purpose
            unknown = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]*[A-Z]", text)) - known - {"VIGIL_PROT"}
            assert not unknown, f"{name} names {unknown}"


def test_the_scripts_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
    for script in [ROOT / ".ci" / "run", *sorted((ROOT / "deploy").glob("*.sh"))]:
        shell = "bash" if script.name == "run" else "sh"
        subprocess.run([shell, "-n", str(script)], check=True, timeout=60)


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    for words in ("3. Grant of Patent License", "9. Accepting Warranty", "END OF TERMS AND CONDITIONS"):
        assert words in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])


def test_the_locks_pin_and_hash_everything_and_agree() -> None:
    pins = {}
    for name in ("requirements.lock", "requirements-test.lock"):
        text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert all(re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in lines), name
        pins[name] = {line.split()[0] for line in lines}
    assert pins["requirements.lock"] < pins["requirements-test.lock"]


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    decisions = sorted(f.name for f in (ROOT / "docs" / "adr").glob("*.md") if f.name != "0000-template.md")
    assert len(decisions) >= 3
    assert [name for name in decisions if f"adr/{name}" not in index] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    for name, text in texts():
        if name.endswith(".md"):
            for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
                assert (ROOT / name).parent.joinpath(link).exists(), f"{name} links to {link}"


DECLARATIONS = sorted((ROOT / "data").rglob("*.yaml"))


@pytest.mark.parametrize("file", DECLARATIONS, ids=lambda f: f.stem)
def test_what_a_shipped_model_declares_is_in_its_data(file: Path) -> None:
    declared = yaml.safe_load(file.read_text("utf-8"))
    folder = next(p for p in file.parents if (p / "predictions.parquet").exists())
    wanted = {*declared["features"], *declared.get("protected_attributes", {})}
    for name in ("reference", "predictions"):
        schema = pq.read_schema(folder / f"{name}.parquet")
        assert wanted <= set(schema.names)
        for feature, kind in declared["features"].items():
            textual = "string" in str(schema.field(feature).type)
            assert textual == (kind == "categorical"), f"{feature} is {schema.field(feature).type}"


def test_the_shipped_data_are_whole() -> None:
    rows = {
        f"{f.parent.name}/{f.stem}": pq.read_metadata(f).num_rows for f in sorted((ROOT / "data").rglob("*.parquet"))
    }
    assert rows == {
        "census/reference": 68_785,
        "census/predictions": 208_892,
        "census/outcomes": 208_892,
        "flights/reference": 80_789,
        "flights/predictions": 255_987,
        "flights/outcomes": 249_435,
    }
    assert {f.stem for f in DECLARATIONS} == {"model", "flights-delay", "flights-arrival"}


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_in_ci_a_skip_fails_the_run(tmp_path: Path, ci: str, code: int, workers: str) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    tmp_path.joinpath("pytest.ini").write_text("[pytest]\nmarkers =\n    needs_chromium\n", "utf-8")
    tmp_path.joinpath("test_two.py").write_text(
        "import pytest\n\n@pytest.mark.needs_chromium\ndef test_skipped():\n    assert False\n\n"
        "def test_run():\n    pass\n",
        "utf-8",
    )
    support = f"{ROOT / 'tests' / 'support'}:{ROOT}"
    env = {"PATH": str(tmp_path), "CI": ci, "PYTHONPATH": support}      # no chromium there
    command = [sys.executable, "-m", "pytest", "-ra", "-n", workers, "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "no chromium and no chromedriver here: apt-get install -y" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]
    assert ("in CI a skip fails the run" in done.stdout) == bool(ci)
