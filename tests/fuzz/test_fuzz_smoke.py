"""The fuzzer of the codecs runs, from its seeds, for a moment of every test run; ``make fuzz`` runs it for longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris has wheels for Linux alone")
FUZZER = Path(__file__).with_name("codec_fuzzer.py")


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FUZZER), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)


def test_no_finding_among_a_thousand_inputs(tmp_path: Path) -> None:
    found = run("json", "ndjson", "arrow", "parquet", "csv", "-runs=1500", "-seed=1", folder=tmp_path)
    assert found.returncode == 0, found.stderr[-3_000:]
    assert "Done 1500 runs" in found.stderr
    assert not list(tmp_path.iterdir()), "a finding is written to the working folder"


def test_a_finding_is_told(tmp_path: Path) -> None:
    """With a codec that breaks on purpose: else nobody would know whether the fuzzer sees anything."""
    broken = f"""
import runpy, sys
import monitor.codecs
def decode(*_): raise KeyError("broken")
monitor.codecs.decode = decode
sys.argv = [{str(FUZZER)!r}, "json", "-runs=10"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    command = [sys.executable, "-c", broken]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
                           env={**os.environ, "PYTHONPATH": str(FUZZER.parents[2])})  # fmt: skip
    assert found.returncode != 0
    assert "KeyError: 'broken'" in found.stdout + found.stderr
    assert list(tmp_path.glob("crash-*"))
