"""What a replay found, asked of the service as anybody could, and compared with what must come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from monitor.cli.client import Client
from monitor.cli.replay.streams import Recording, Stream

PERFORMANCE = {"binary_classification": ("roc_auc",), "regression": ("mae", "rmse")}
FAIRNESS = ("demographic_parity_difference", "equalized_odds_difference")
COUNTS = ("predictions", "joined", "orphans", "duplicates", "conflicts")
TOLERANCE = {"roc_auc": 0.001, "mae": 0.01, "rmse": 0.01, **dict.fromkeys(FAIRNESS, 0.0005)}
ALL = "all"


@dataclass(frozen=True, slots=True)
class Found:
    """A figure of a model: ``window`` is a year, or ``all`` of the stream; ``of`` an attribute, or the model itself."""

    metric: str
    window: str
    of: str | None
    value: float | None
    interval: tuple[float, float] | None
    n: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class ModelFindings:
    model: str
    first: str
    last: str
    counts: dict[str, int]
    figures: list[Found]
    incidents: list[dict[str, Any]]
    faults: list[str]


def find(client: Client, recording: Recording) -> list[ModelFindings]:
    """Ask for counts, figures by year and incidents of each model, and see whether they are what they must be."""
    return [_of_model(client, recording, stream) for stream in recording.streams]


def _of_model(client: Client, recording: Recording, stream: Stream) -> ModelFindings:
    name = stream.spec.model
    status = client.get(f"/v1/models/{name}")
    counts = {c: int(status["counts"].get(c, 0)) for c in COUNTS}
    times = stream.predictions["timestamp"]
    first, last = pc.min(times).as_py(), pc.max(times).as_py()
    years = range(first.year, last.year + 1)
    windows = {str(y): (y, y + 1) for y in years} | ({ALL: (first.year, last.year + 1)} if len(years) > 1 else {})
    figures = [f for label, (a, b) in windows.items() for f in _report(client, stream, label, a, b)]
    incidents = client.get("/v1/incidents", model=name, limit=1000)["incidents"]
    faults = [
        f"{what}: {counts[what]:,} and not {wanted:,}"
        for what, wanted in stream.expected.items() if counts[what] != wanted
    ] + [fault for f in figures if (fault := _fault(f, recording, stream, len(years) == 1))]  # fmt: skip
    return ModelFindings(name, str(first.date()), str(last.date()), counts, figures, incidents, faults)


def _report(client: Client, stream: Stream, label: str, start: int, end: int) -> list[Found]:
    performance = PERFORMANCE[stream.spec.task]
    window = {"from": f"{start}-01-01T00:00:00Z", "to": f"{end}-01-01T00:00:00Z"}
    wanted = ",".join(performance + FAIRNESS)
    points = client.get(f"/v1/models/{stream.spec.model}/report", metric=wanted, **window)["points"]
    found = []
    for p in points:
        parts = {k: v for k, v in p["scope"].items() if v is not None}
        if parts and set(parts) != {"attribute"}:
            continue
        interval = None if p["interval"] is None else tuple(p["interval"])
        found.append(Found(p["metric"], label, parts.get("attribute"), p["value"], interval, p["n"], p["reason"]))
    return found


def _fault(f: Found, recording: Recording, stream: Stream, one_year: bool) -> str | None:
    counted = stream.expected
    if f.metric == "demographic_parity_difference" and counted["joined"] < counted["predictions"]:
        return None         # the other tools left rows without an outcome out, and a selection needs none
    attributes = stream.spec.protected_attributes
    least = attributes[f.of].min_group if f.of else 0
    wanted = expected_figure(recording.figures, stream.spec.task, f, one_year, least)
    if wanted is None or (f.value is not None and abs(f.value - wanted) <= TOLERANCE[f.metric]):
        return None
    of = f" of {f.of}" if f.of else ""
    return f"{f.metric}{of} in {f.window}: {f.value if f.value is not None else f.reason} and not {wanted:.4f}"


def expected_figure(figures: dict[str, Any], task: str, f: Found, one_year: bool, least: int) -> float | None:
    """What other tools computed for it (``expected.json``); ``None`` where they did not, or where they took in groups
    that are too small to speak of here (``least`` rows).

    >>> f = Found("roc_auc", "2016", None, 0.9021, None, 69126, None)
    >>> expected_figure({"performance": {"2016": {"roc_auc": 0.902}}}, "binary_classification", f, False, 100)
    0.902
    """
    whole = f.window == ALL or one_year
    window = "production_all" if whole else f.window
    kind = "fairness" if f.of else "performance" if task == "binary_classification" else "regression"
    by_window = figures.get(kind, {})
    if f.of and kind in figures:
        found = by_window.get(f.of, {}).get(window, {})
    elif whole and f"{kind}_production_all" in figures:
        found = figures[f"{kind}_production_all"]
        found = found.get(f.of, {}) if f.of else found
    else:
        found = by_window.get(window, {})
    if any(group["n"] < least for group in found.get("by_group", {}).values()):
        return None
    value = found.get(f.metric)
    return None if value is None else float(value)
