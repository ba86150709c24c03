"""``python -m bench [--only NAME] [--quick] [--rows N] [--peers] [--data DIR] [--write FILE]``: a line of JSON each.

``--peers`` makes the peers' environments in ``.peers/`` and runs them side by side; ``--data`` is the folder of a data
set that is not shipped, for the benchmarks that read one; ``--write`` is the page that a benchmark publishes.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

from bench import peers, workload

BENCHMARKS = {
    "replay": "bench.replay:replay",
    "drift_window": "bench.drift:drift_window",
    "drift_fold": "bench.fold:drift_fold",
    "fairness": "bench.fold:fairness",
    "cbpe": "bench.fold:cbpe",
    "report": "bench.report:report",
    "report_scaling": "bench.report:report_scaling",
    "adwin": "bench.streams:adwin",
    "streams": "bench.streams:streams",
    "alarms": "bench.alarms:alarms",
    "evaluations": "bench.evaluations:evaluations",
    "ingest_arrow": "bench.ingest:ingest_arrow",
    "ingest_columns": "bench.ingest:ingest_columns",
    "ingest_rows": "bench.ingest:ingest_rows",
    "outcomes": "bench.ingest:outcomes",
    "ingest_single": "bench.ingest:ingest_single",
    "ingest_postgres": "bench.ingest:ingest_postgres",
    "client_log": "bench.client:client_log",
}
"""Each benchmark's function. It takes those of ``data``, ``peers``, ``quick``, ``rows`` and ``write`` that it names,
and returns its line, or several."""


SCRIPTS = {
    "drift_fold": ("evidently_drift", "nannyml_drift"),
    "fairness": ("fairlearn_fairness",),
    "cbpe": ("nannyml_cbpe",),
}
"""The peers that do the work of a benchmark, on a million rows of ``bench.workload``; others bring their own."""

_PEER_RUNS = 3


def run(name: str, **asked: Any) -> list[dict[str, Any]]:
    """The lines of one benchmark, whose module is imported only now: as many as it has, or one for each peer."""
    module, function = BENCHMARKS[name].split(":")
    benchmark = getattr(importlib.import_module(module), function)
    wanted = inspect.signature(benchmark).parameters
    found = benchmark(**{key: value for key, value in asked.items() if key in wanted})
    lines = found if isinstance(found, list) else [found]
    if asked.get("peers") and name in SCRIPTS:
        lines = [_beside(line, script) for line in lines for script in SCRIPTS[name]]
    return [{"bench": name, **line} for line in lines]


def _beside(line: dict[str, Any], script: str) -> dict[str, Any]:
    files = workload.write(peers.FOLDER / "data")
    said = peers.run(script, *files, _PEER_RUNS)
    ratio = round(said["seconds"] / line["seconds"], 1)
    return {**line, "peer": said["peer"], "peer_seconds": said["seconds"], "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHMARKS), help="run this one alone")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, where a benchmark is long")
    parser.add_argument("--rows", type=int, help="rows to send, for the benchmarks of ingest")
    parser.add_argument("--peers", action="store_true", help="make the peers' environments and run them beside")
    parser.add_argument("--data", type=Path, help="the folder of a data set that is not shipped")
    parser.add_argument("--write", type=Path, help="the page that the benchmark publishes")
    asked = parser.parse_args()
    options = {name: value for name, value in vars(asked).items() if name != "only"}
    for name in BENCHMARKS:
        if asked.only in (None, name):
            for line in run(name, **options):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
