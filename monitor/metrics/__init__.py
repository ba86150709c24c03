"""What Prometheus scrapes: figures of the state read at the scrape, and the process's own counters."""

from __future__ import annotations

from monitor.metrics.page import Metrics
from monitor.metrics.process import Instruments

__all__ = ["Instruments", "Metrics"]
