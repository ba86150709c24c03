"""The floors of the house: imports point one way, as pyproject.toml says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", str(config)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_every_import_contract_is_kept() -> None:
    done = lint(ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert f"Contracts: {len(contracts)} kept, 0 broken" in done.stdout, done.stdout


def test_a_broken_contract_would_be_seen(tmp_path: Path) -> None:
    upside_down = tmp_path / "contract.toml"
    upside_down.write_text(
        '[tool.importlinter]\nroot_packages = ["detectors", "monitor"]\n'
        '[[tool.importlinter.contracts]]\nname = "upside down"\ntype = "layers"\nlayers = ["detectors", "monitor"]\n',
        "utf-8",
    )
    done = lint(upside_down)
    assert done.returncode != 0
    assert "1 broken" in done.stdout, done.stdout + done.stderr
