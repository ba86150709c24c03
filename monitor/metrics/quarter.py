"""The KPIs of the current quarter as samples: wall time's, and of replays the quarter in which their data end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from incidents.commands import Clock
from monitor.kpis.kpi import Kpi
from monitor.kpis.periods import Period, quarter_of
from monitor.metrics.names import Page
from monitor.metrics.snapshot import Snapshot
from monitor.times import from_micros

Review = Callable[[datetime, Period, Clock], Iterable[Kpi]]
"""All KPIs of a period, as of an instant, of what runs on a clock."""

_UNITS = {
    "ratio": "kpi_ratio",
    "seconds": "kpi_seconds",
    "count": "kpi_number",
    "per_model_quarter": "kpi_per_model_quarter",
    "per_model_week": "kpi_per_model_week",
    "per_million": "kpi_per_million_predictions",
}


def quarters(snapshot: Snapshot, declared: Iterable[str], now: datetime) -> dict[Clock, Period]:
    """The quarter of each clock on which a declared model runs."""
    ends = {m.name: m.last_prediction for m in snapshot.models if m.event_clock and m.last_prediction}
    replays = {m.name for m in snapshot.models if m.event_clock}
    found = {}
    if set(declared) - replays:
        found[Clock.WALL] = quarter_of(now)
    if ends:
        found[Clock.EVENT] = quarter_of(from_micros(max(ends.values())))
    return found


def add_kpis(page: Page, clock: Clock, period: Period, kpis: Iterable[Kpi]) -> None:
    """Each KPI and its parts under the name of their unit. What is unknown has no value here, and the reason apart.

    Parts of one model, severity or kind are left out: the export and ``GET /v1/kpis`` have them.
    """
    page.add("kpi_period_start_timestamp_seconds", period.start.timestamp(), clock.value)
    for kpi in kpis:
        page.add("kpi_records", kpi.figure.n, kpi.id, clock.value)
        if kpi.figure.value is None:
            page.add("kpi_unknown", 1, kpi.id, clock.value, kpi.figure.reason_if_null or "")
        else:
            page.add(_UNITS[kpi.unit], kpi.figure.value, kpi.id, "", clock.value)
        for part in kpi.parts:
            if part.of is None and part.figure.value is not None:
                page.add(_UNITS[part.unit], part.figure.value, kpi.id, part.id, clock.value)
