"""NannyML's Jensen-Shannon and Kolmogorov-Smirnov of 26 columns in chunks of 20,000, without the fit to the reference.
Arguments: a reference's file, a current one's, runs."""

from __future__ import annotations

import json
import statistics
import sys
import time

import nannyml
import pandas as pd

from bench import workload

COLUMNS = [*workload.NUMERIC, "score", *workload.CATEGORICAL]


def main(reference_file: str, current_file: str, runs: int) -> None:
    reference, current = (pd.read_parquet(f, columns=[*COLUMNS, "timestamp"]) for f in (reference_file, current_file))
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=COLUMNS, treat_as_categorical=["cat_1"], timestamp_column_name="timestamp", chunk_size=20_000,
        continuous_methods=["jensen_shannon", "kolmogorov_smirnov"], categorical_methods=["jensen_shannon"],
    )  # fmt: skip
    calculator.fit(reference)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        calculator.calculate(current)
        seconds.append(time.perf_counter() - began)
    found = round(statistics.median(seconds), 3)
    print(json.dumps({"peer": f"nannyml {nannyml.__version__}", "seconds": found, "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
