"""``python -m bench [--only NAME]``: each benchmark prints one line of JSON, the medians of its runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from bench.drift import drift_window
from bench.replay import replay

BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {"replay": replay, "drift_window": drift_window}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHMARKS), help="run this one alone")
    asked = parser.parse_args()
    for name, run in BENCHMARKS.items():
        if asked.only in (None, name):
            print(json.dumps({"bench": name, **run()}), flush=True)


if __name__ == "__main__":
    main()
