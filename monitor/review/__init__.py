"""Management's figures: gathered from log and state, computed by ``monitor.kpis``, laid out by ``monitor.export``."""

from __future__ import annotations

from monitor.review.exports import Export, management_review, stored
from monitor.review.figures import figures, kpis_for
from monitor.review.gather import ClockChoice

__all__ = ["ClockChoice", "Export", "figures", "kpis_for", "management_review", "stored"]
