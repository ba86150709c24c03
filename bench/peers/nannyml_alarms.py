"""NannyML's univariate drift of every column and window, by its defaults. Arguments: rows of a window, windows."""

from __future__ import annotations

import json
import sys
import time

import nannyml
import numpy as np

from bench.peers.alarms_rows import REFERENCE, cases, frame


def main(n: int, windows: int) -> None:
    began = time.perf_counter()
    reference = frame(REFERENCE, 0)
    calculator = nannyml.UnivariateDriftCalculator(column_names=list(reference.columns), chunk_size=n)
    calculator.fit(reference)
    before = calculator.calculate(reference).to_df()
    found: dict[str, list[list[object]]] = {}
    for case, rows, columns in cases(n * windows):
        after = calculator.calculate(rows).filter(period="analysis").to_df()
        for name in columns:
            method = "jensen_shannon"
            usual = before[(name, method, "value")].to_numpy()[: REFERENCE // n]
            values = after[(name, method, "value")].to_numpy()
            # Deviations of the reference's chunks from their mean: the threshold is 3 of them.
            farther = (values - usual.mean()) / np.std(usual)
            alerts = after[(name, method, "alert")].to_numpy()
            pairs = zip(farther.tolist(), alerts.tolist(), strict=True)
            found.setdefault(case, []).extend([name, method, f, bool(alert)] for f, alert in pairs)
    seconds = round(time.perf_counter() - began, 1)
    print(json.dumps({"peer": f"nannyml {nannyml.__version__}", "seconds": seconds, "found": found}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
