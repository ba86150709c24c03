"""Evidently's PSI of 26 columns. Arguments: a reference's file, a current one's, runs."""

from __future__ import annotations

import json
import statistics
import sys
import time

import evidently
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from bench import workload

NUMERIC, CATEGORICAL = [*workload.NUMERIC, "score"], list(workload.CATEGORICAL)


def seconds(reference: pd.DataFrame, current: pd.DataFrame) -> float:
    """Of one report, from the frames to the results."""
    began = time.perf_counter()
    columns = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
    sides = [Dataset.from_pandas(frame, data_definition=columns) for frame in (current, reference)]
    Report([DataDriftPreset(method="psi")]).run(*sides).dict()
    return time.perf_counter() - began


def main(reference_file: str, current_file: str, runs: int) -> None:
    reference, current = (pd.read_parquet(f, columns=NUMERIC + CATEGORICAL) for f in (reference_file, current_file))
    seconds(reference.head(2_000), current.head(2_000))
    found = statistics.median(seconds(reference, current) for _ in range(runs))
    print(json.dumps({"peer": f"evidently {evidently.__version__}", "seconds": round(found, 3), "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
