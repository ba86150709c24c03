"""The peers: other tools on the same work, each in an environment of its own under ``.peers/`` (or ``PEERS_FOLDER``).

A script of this package runs in its peer's environment, which has the peer and NumPy, and prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("PEERS_FOLDER", ROOT / ".peers"))
REQUIREMENTS = {
    "evidently": ("evidently==0.7.23", "pandas==2.3.3", "pyarrow"),
    "nannyml": ("nannyml==0.13.1", "statsmodels", "pandas==2.3.3", "pyarrow"),
    "fairlearn": ("fairlearn==0.15.0", "pandas==2.3.3", "pyarrow"),
}
_QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "PYTHONWARNINGS": "ignore"}


def environment(peer: str) -> Path:
    """The Python of a peer's environment, which is made where it is not there yet."""
    folder = FOLDER / peer
    made, python = folder / "made", folder / "bin" / "python"
    wanted = "\n".join(REQUIREMENTS[peer])
    if not made.exists() or made.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *REQUIREMENTS[peer]], check=True, stdout=sys.stderr)
        made.write_text(wanted)
    return python


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Begin ``bench.peers.<script>``, whose name begins with its peer's; ``answer`` waits for it."""
    python = environment(script.split("_")[0])
    command = [str(python), "-m", f"bench.peers.{script}", *(str(a) for a in arguments)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    env = {**os.environ, **_QUIET, **threads, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The last line that a script prints."""
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, process.args))} ended with {process.returncode}")  # type: ignore[arg-type]
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found


def run(script: str, *arguments: object) -> dict[str, Any]:
    """Begin a script and wait for it: ``peer``, ``seconds`` and what else it found."""
    return answer(start(script, *arguments))
