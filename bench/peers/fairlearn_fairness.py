"""Fairlearn's MetricFrame: six metrics by group with differences and ratios, without intervals. Arguments: a
reference's file (not read), a current one's, runs."""

from __future__ import annotations

import json
import statistics
import sys
import time

import fairlearn
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    count,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

METRICS = {
    "accuracy": accuracy_score, "selection_rate": selection_rate, "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate, "false_negative_rate": false_negative_rate, "count": count,
}  # fmt: skip


def seconds(rows: pd.DataFrame) -> float:
    """Of one frame with its aggregates."""
    began = time.perf_counter()
    found = MetricFrame(
        metrics=METRICS, y_true=rows["label"], y_pred=rows["prediction"], sensitive_features=rows[["group"]]
    )
    _ = found.by_group, found.difference(), found.ratio()
    return time.perf_counter() - began


def main(_: str, current_file: str, runs: int) -> None:
    current = pd.read_parquet(current_file, columns=["label", "prediction", "group"])
    seconds(current.head(5_000))
    found = statistics.median(seconds(current) for _ in range(runs))
    print(json.dumps({"peer": f"fairlearn {fairlearn.__version__}", "seconds": round(found, 3), "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
