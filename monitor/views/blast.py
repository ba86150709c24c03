"""The blast radius of an incident: how many decisions the model made while it was in breach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from detectors.scope import rfc3339
from incidents.incident import Incident
from monitor.store import summaries
from monitor.store.models import ModelState
from monitor.times import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class Blast:
    """``decisions`` were made in ``[start, end)``, in event time; ``sent`` of them came here, where rows are sampled.
    ``over``: whether the breach has ended."""

    start: datetime
    end: datetime
    decisions: int
    sent: int
    over: bool

    @property
    def text(self) -> str:
        """One line for a reader.

        >>> from datetime import UTC
        >>> monday = datetime(2026, 1, 5, tzinfo=UTC)
        >>> Blast(monday, monday, 12_000, 1_200, over=True).text
        '12,000 decisions were made while it lasted, estimated from the 1,200 that were sent.'
        """
        made, said = ("was", "decision") if self.decisions == 1 else ("were", "decisions")
        when = "while it lasted" if self.over else "since it began"
        estimated = f", estimated from the {self.sent:,} that were sent" if self.sent != self.decisions else ""
        return f"{self.decisions:,} {said} {made} made {when}{estimated}."

    def as_dict(self) -> dict[str, Any]:
        """The radius as the interface writes it."""
        return {
            "start": rfc3339(self.start), "end": rfc3339(self.end), "decisions": self.decisions, "sent": self.sent,
            "over": self.over,
        }  # fmt: skip


def blast(db: Connection, state: ModelState, incident: Incident) -> Blast | None:
    """From the start of the first breached window to that of the first clean one; while it lasts, to the last decision.

    Serving rows alone count, and each stands for as many as its sampling rate says. ``None`` where no window is known.
    """
    if not incident.evidence:
        return None
    first, last = incident.evidence[0], max(incident.evidence, key=lambda e: e.window_end)
    start = min(first.window_start, incident.started_at - (first.window_end - first.window_start))
    over, end = incident.recovered_at is not None or not incident.is_live, last.window_end
    if incident.recovered_at is not None:       # the clean window is no part of the breach
        end = max(end, incident.recovered_at - (end - last.window_start))
    elif not over:
        end = max(end, from_micros(state.last_prediction + 1))
    rows = summaries.received(summaries.bucket_rows(db, state.id, to_micros(start), to_micros(end))["predictions"])
    return Blast(start, end, rows.total, rows.n, over)
