"""``make bench ONLY=alarms``: are the default monitors quiet where nothing happened and awake where something did?

Each line is one kind of stream; ``write`` names the page on which all of them are published.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bench.alarms_fairness import Equal, equal_groups
from bench.alarms_nulls import Null, nulls, tried
from bench.alarms_page import page
from bench.alarms_peers import PeerPower, beside
from bench.alarms_power import SIZES, Found, found
from bench.alarms_trial import Tally

T = TypeVar("T")
LIMIT = "0.1 % of feature-windows in breach, 1 incident in 1,000 windows of the model"


def alarms(quick: bool = False, peers: bool = False, write: Path | None = None) -> list[dict[str, Any]]:
    """The null streams, what is found of drift (with ``peers`` beside them), and equal groups."""
    workers = os.cpu_count() or 1
    quiet, quiet_seconds = _timed(lambda: tried(nulls(quick), workers))
    awake, awake_seconds = _timed(lambda: found(quick, workers))
    alike, alike_seconds = _timed(lambda: equal_groups(quick, workers))
    others = beside(quick, SIZES) if peers else []
    if write is not None:
        write.write_text(page(quiet, awake, others, alike))
    windows = sum(tally.windows for _, tally in quiet)
    return [
        *(_quiet(null, tally, quiet_seconds * tally.windows / windows) for null, tally in quiet),
        *(_awake(case, n, power, others, awake_seconds / len(awake)) for (case, n), power in awake.items()),
        _alike(alike, alike_seconds),
    ]


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _line(case: str, windows: int, n: int, seconds: float, limit: str | None, **found_: Any) -> dict[str, Any]:
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "case": case, "rows": windows * n, "seconds": round(seconds, 2), "rate": round(windows / seconds, 1),
        "unit": "windows/s", "peak_rss_mb": peak // 1024, "peer": None, "peer_seconds": None, "ratio": None,
        "limit": limit, "runs": windows, **found_,
    }  # fmt: skip


def _quiet(null: Null, tally: Tally, seconds: float) -> dict[str, Any]:
    return _line(
        f"no drift, {null.process}", tally.windows, null.n, seconds, LIMIT, window=null.n,
        breached_share=round(tally.share, 6), incidents_per_1000=round(tally.per_thousand, 3),
    )  # fmt: skip


def _awake(case: str, n: int, power: Found, others: list[PeerPower], seconds: float) -> dict[str, Any]:
    windows = sum(len(run) for run in power.default.flagged)
    line = _line(f"drift, {case}", windows, n, seconds, None, window=n, found_share=round(power.default.share, 4),
                 windows_until=power.default.until, found_share_alone=round(power.alone.share, 4))  # fmt: skip
    beside_it = [p for p in others if (p.case, p.n) == (case, n)]
    if beside_it:
        line["peer"] = ", ".join(p.peer for p in beside_it)
        line["peer_seconds"] = round(sum(p.seconds for p in beside_it), 2)
        line["peer_found_share"] = {p.peer: round(p.default.share, 4) for p in beside_it}
        line["peer_found_share_at_0.1_percent"] = {p.peer: round(p.matched.share, 4) for p in beside_it}
    return line


def _alike(found_: dict[tuple[int, int | str], Equal], seconds: float) -> dict[str, Any]:
    windows = sum(e.windows for e in found_.values())
    judged = sum(e.judged for e in found_.values())
    breaches = sum(e.verdicts["breach"] for e in found_.values())
    incidents = sum(e.tally.incidents for e in found_.values())
    return _line(
        "equal groups", windows, 0, seconds, LIMIT, breached_share=round(breaches / judged, 6),
        incidents_per_1000=round(1_000 * incidents / windows, 3),
    )  # fmt: skip
