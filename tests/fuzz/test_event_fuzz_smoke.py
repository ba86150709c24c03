"""The fuzzer of events runs, from its seeds, for a moment of every test run; ``make fuzz`` runs it for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris has wheels for Linux alone")
FUZZER = Path(__file__).with_name("event_fuzzer.py")


def test_no_finding_among_some_thousand_inputs(tmp_path: Path) -> None:
    command = [sys.executable, str(FUZZER), "-runs=4000", "-seed=1"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr[-3_000:]
    assert "Done 4000 runs" in found.stderr
    assert not list(tmp_path.iterdir()), "a finding is written to the working folder"
