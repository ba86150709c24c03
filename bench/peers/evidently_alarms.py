"""Evidently's drift of every column and window, by its default tests. Arguments: rows of a window, windows."""

from __future__ import annotations

import json
import sys
import time

import evidently
from evidently.legacy.calculations.stattests.registry import get_stattest
from evidently.legacy.core import ColumnType

from bench import workload
from bench.peers.alarms_rows import REFERENCE, cases, frame


def main(n: int, windows: int) -> None:
    began = time.perf_counter()
    reference = frame(REFERENCE, 0)
    found: dict[str, list[list[object]]] = {}
    for case, rows, columns in cases(n * windows):
        for name in columns:
            kind = ColumnType.Numerical if name in workload.NUMERIC else ColumnType.Categorical
            before = reference[name].dropna()
            for k in range(len(rows) // n):
                now = rows[name].iloc[k * n : (k + 1) * n].dropna()
                test = get_stattest(before, now, kind, None)
                result = test(before, now, kind, None)
                # The name of the test, its value so that more is farther, and what it says by default.
                farther = -result.drift_score if "p_value" in test.display_name else result.drift_score
                found.setdefault(case, []).append([name, test.display_name, float(farther), bool(result.drifted)])
    seconds = round(time.perf_counter() - began, 1)
    print(json.dumps({"peer": f"evidently {evidently.__version__}", "seconds": seconds, "found": found}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
