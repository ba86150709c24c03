"""What the console shows beside ``monitor.queries``: health, windows, distributions, causes, false alarms."""

from __future__ import annotations

from monitor.views.alarms import FalseAlarms, false_alarms
from monitor.views.behind import Behind, behind
from monitor.views.blast import Blast, blast
from monitor.views.distributions import Distribution, distribution
from monitor.views.health import Health, health
from monitor.views.windows import Cell, Judged, last_known, series, spans, strip, track_names, window_points

__all__ = [
    "Behind",
    "Blast",
    "Cell",
    "Distribution",
    "FalseAlarms",
    "Health",
    "Judged",
    "behind",
    "blast",
    "distribution",
    "false_alarms",
    "health",
    "last_known",
    "series",
    "spans",
    "strip",
    "track_names",
    "window_points",
]
