"""The fuzzer of what model services send runs, from the fixtures, for a moment of every test run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris has wheels for Linux alone")
FUZZER = Path(__file__).with_name("source_fuzzer.py")
FORMATS = ("sagemaker", "databricks", "mlflow", "bentoml", "payload")


def test_no_finding_among_a_thousand_inputs(tmp_path: Path) -> None:
    command = [sys.executable, str(FUZZER), *FORMATS, "-runs=1500", "-seed=1"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert found.returncode == 0, found.stderr[-3_000:]
    assert re.search(r"Done 1[5-9]\d\d runs", found.stderr), "the seeds count too, and there are more than that"
    assert not list(tmp_path.iterdir()), "a finding is written to the working folder"
