"""NannyML's CBPE of AUC, F1, accuracy and average precision in chunks of 20,000, without the fit to the reference.
Arguments: a reference's file, a current one's, runs."""

from __future__ import annotations

import json
import statistics
import sys
import time

import nannyml
import pandas as pd

COLUMNS = ["score", "prediction", "label", "timestamp"]


def main(reference_file: str, current_file: str, runs: int) -> None:
    reference, current = (pd.read_parquet(f, columns=COLUMNS) for f in (reference_file, current_file))
    current = current.drop(columns="label")
    estimator = nannyml.CBPE(
        y_pred_proba="score", y_pred="prediction", y_true="label", timestamp_column_name="timestamp",
        metrics=["roc_auc", "f1", "accuracy", "average_precision"], problem_type="classification_binary",
        chunk_size=20_000,
    )  # fmt: skip
    estimator.fit(reference)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        estimator.estimate(current)
        seconds.append(time.perf_counter() - began)
    found = round(statistics.median(seconds), 3)
    print(json.dumps({"peer": f"nannyml {nannyml.__version__}", "seconds": found, "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
