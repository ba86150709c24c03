"""Streaming detectors: ADWIN's speed, the published signals of elec2, and the calibration.

The tables of docs/streams.md are what ``python -m bench.streams [DETECTOR ...]`` prints; all take about half an hour.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from river.drift import ADWIN

from detectors.streams import DETECTORS, DOMAIN, Settings, check_settings, river_settings, step
from detectors.summaries.summary import Floats

VALUES, RUNS = 1_000_000, 5
STEPS = {
    "ADWIN_delta0.002": "adwin",
    "PageHinkley": "page_hinkley",
    "DDM": "ddm",
    "EDDM": "eddm",
    "HDDMA": "hddm_a",
    "HDDMW": "hddm_w",
}
"""The detectors' names in elec2's expected figures, and here."""

Null = Callable[[np.random.Generator, int], Floats]


def adwin() -> dict[str, Any]:
    """ADWIN with River's settings over 1 M values of one stream, by arrays; River's own loop in the same run."""
    values = np.random.default_rng(1).random(VALUES)
    river = river_settings("adwin")
    ours = _seconds(lambda: step(None, values, "adwin", river))
    blocks = _seconds(lambda: step(None, values, "adwin"))
    peer = _seconds(lambda: _loop(values.tolist()))
    return {
        "rows": VALUES,
        "seconds": round(ours, 4),
        "rate": round(VALUES / ours),
        "unit": "values/s",
        "us_per_value": round(ours / VALUES * 1e6, 4),
        "us_per_value_default": round(blocks / VALUES * 1e6, 4),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peer": f"river {version('river')}",
        "peer_seconds": round(peer, 4),
        "ratio": round(peer / ours, 2),
        "limit": "0.16 us a value, goal 0.14; processor time of one core",
        "runs": RUNS,
    }


def _loop(values: list[float]) -> int:
    detector, found = ADWIN(), 0
    for x in values:
        detector.update(x)
        found += detector.drift_detected
    return found


def _seconds(work: Callable[[], object]) -> float:
    """The median of the runs, in processor time, which other work on the machine disturbs least."""
    found = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return statistics.median(found)


def streams(data: str | None) -> dict[str, Any]:
    """The signals on elec2's errors and features, with River's settings, beside the published ones of expected.json.

    ``data`` is the folder with predictions.parquet, outcomes.parquet and expected.json; the data set is no part of the
    repository. Without it nothing is measured, and the line says so.
    """
    if data is None or not (Path(data) / "expected.json").is_file():
        return {"skipped": f"no expected.json in {data}; name elec2's folder: make bench ONLY=streams DATA=FOLDER"}
    expected = json.loads((Path(data) / "expected.json").read_text())
    rows = _joined(Path(data))
    errors = (rows["label"] != rows["prediction"]).astype(np.float64)
    cases = [(STEPS[name], errors, signals) for name, signals in expected["detectors_on_error_stream"].items()]
    cases += [("adwin", rows[name], expected[f"adwin_on_{name}"]) for name in ("transfer", "nswdemand")]
    began = time.perf_counter()
    found = [[s.index for s in step(None, x, name, river_settings(name))[1]] for name, x, _ in cases]
    seconds = time.perf_counter() - began
    return {
        "rows": int(errors.size),
        "seconds": round(seconds, 3),
        "rate": round(len(cases) * errors.size / seconds),
        "unit": "values/s",
        "streams": len(cases),
        "signals": sum(map(len, found)),
        "equal": sum(ours == signals for ours, (_, _, signals) in zip(found, cases, strict=True)),
        "default_signals": {n: len(step(None, rows[n], "adwin")[1]) for n in ("score", "transfer", "nswdemand")},
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peer": "river 0.26.1, its published signals",
        "limit": "every signal at the row where River has it",
        "runs": 1,
    }


def _joined(folder: Path) -> dict[str, Floats]:
    """Predictions with their outcomes, in the order of the predictions' time."""
    predictions = pq.read_table(folder / "predictions.parquet")
    outcomes = pq.read_table(folder / "outcomes.parquet", columns=["prediction_id", "label"])
    rows = predictions.join(outcomes, "prediction_id", join_type="inner").sort_by("timestamp")
    rows = rows.filter(rows["label"].is_valid())
    names = [f.name for f in rows.schema if str(f.type) in ("double", "float", "int64", "int32", "int8")]
    return {name: rows[name].to_numpy().astype(np.float64) for name in names}


# --- The calibration: false alarms on streams where nothing happens, and the delay where something does. ---

NULLS: dict[str, Null] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "errors 1 %": lambda rng, n: (rng.random(n) < 0.01).astype(np.float64),
    "errors 10 %": lambda rng, n: (rng.random(n) < 0.1).astype(np.float64),
    "errors 30 %": lambda rng, n: (rng.random(n) < 0.3).astype(np.float64),
}
SEASONED: dict[str, Null] = {
    "AR(1) 0.5": lambda rng, n: _autocorrelated(rng, n, 0.5),
    "AR(1) 0.9": lambda rng, n: _autocorrelated(rng, n, 0.9),
    "daily season": lambda rng, n: rng.normal(size=n) + np.sin(np.arange(n) * (2 * np.pi / 1_000)),
}
SHIFTS = {"0.5 sd": 0.5, "1 sd": 1.0, "2 sd": 2.0}


def _autocorrelated(rng: np.random.Generator, n: int, phi: float) -> Floats:
    values = rng.normal(scale=np.sqrt(1 - phi * phi), size=n).tolist()
    for i in range(1, n):
        values[i] += phi * values[i - 1]
    return np.array(values)


def _nulls(detector: str) -> dict[str, Null]:
    """The shapes that a detector takes: 0 and 1, numbers from 0 to 1, or any."""
    names = {"real": set(NULLS), "unit": {"uniform"}, "bit": set()}[DOMAIN[detector]]
    return {k: v for k, v in NULLS.items() if k.startswith("errors") or k in names}


def _false_alarms(detector: str, settings: Settings, null: Null, seeds: int, n: int) -> float:
    """Signals in 100,000 values."""
    found = [len(step(None, null(np.random.default_rng(s), n), detector, settings)[1]) for s in range(seeds)]
    return sum(found) / (seeds * n) * 1e5


def _delay(detector: str, settings: Settings, before: Null, after: Null, seeds: int, n: int) -> str:
    """Values from the change to the first signal after it, the median; and in how many runs none came."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(1_000 + seed)
        values = np.concatenate([before(rng, n), after(rng, n)])
        found.append(next((s.index - n for s in step(None, values, detector, settings)[1] if s.index >= n), n))
    missed = sum(d == n for d in found)
    median = "none" if 2 * missed > seeds else f"{statistics.median(found):,.0f}"
    return median + (f" ({missed} of {seeds} missed)" if missed else "")


def _changes(detector: str) -> Iterator[tuple[str, Null, Null]]:
    if DOMAIN[detector] == "real":
        for name, shift in SHIFTS.items():
            yield name, NULLS["normal"], lambda rng, n, shift=shift: rng.normal(shift, size=n)  # type: ignore[misc]
    yield "errors 10 to 20 %", NULLS["errors 10 %"], lambda rng, n: (rng.random(n) < 0.2).astype(np.float64)


def calibrate(detectors: Sequence[str]) -> None:
    """Print the tables of some detectors, as Markdown."""
    print("| detector | settings | stream | false alarms in 100,000 values | values |\n| --- | --- | --- | --- | --- |")
    chosen = [(d, w, s) for d in detectors for w, s in (("River's", river_settings(d)), ("default", check_settings(d)))]
    for detector, whose, settings in chosen:
        seeds, n = (4, 12_500) if detector == "kswin" else (5, 200_000)
        shapes = _nulls(detector) | (SEASONED if detector in ("adwin", "page_hinkley") else {})
        for name, null in shapes.items():
            rate = _false_alarms(detector, settings, null, seeds, n)
            print(f"| {detector} | {whose} | {name} | {rate:.1f} | {seeds * n:,} |", flush=True)
    print("\n| detector | settings | change | values until the signal, median |\n| --- | --- | --- | --- |")
    for detector, whose, settings in chosen:
        seeds, n = (5, 1_500) if detector == "kswin" else (20, 20_000)
        for name, before, after in _changes(detector):
            delay = _delay(detector, settings, before, after, seeds, n)
            print(f"| {detector} | {whose} | {name} | {delay} |", flush=True)


if __name__ == "__main__":
    calibrate(sys.argv[1:] or DETECTORS)
