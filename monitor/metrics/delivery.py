"""What became of notifications, and whether anything stands still, as samples."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from monitor.log import notifications, silences
from monitor.metrics.names import Page
from monitor.senders.watch import PARTS, signs, stalled
from monitor.store.heartbeats import Heartbeat
from monitor.times import from_micros


def add_delivery(page: Page, log: Connection, beat: Heartbeat | None, unrelayed: int, now: int) -> None:
    """``unrelayed``: notices that wait in the state to be taken over into the log."""
    page.add("notices_to_relay", unrelayed)
    tried: Counter[str] = Counter()
    for channel, state, n, attempts in notifications.counts(log):
        page.add("notifications", n, channel, state)
        tried[channel] += attempts
    for channel, attempts in sorted(tried.items()):
        page.add("notification_attempts_total", attempts, channel)
    found = signs(log, beat, now)
    for channel, since in sorted(found.due.items()):
        page.add("notification_oldest_due_seconds", max(0, now - since) / 1e6, channel)
    for part in ("relay", "delivery"):
        if part in found.rounds:
            page.add("notifier_last_round_timestamp_seconds", found.rounds[part] / 1e6, part)
    still = stalled(found, now)
    for part in PARTS:
        page.add("stalled", int(part in still), part)
    on = Counter(s.kind for s in silences.ending_after(log, now) if s.is_on(from_micros(now)))
    for kind in ("silence", "maintenance"):
        page.add("silences_active", on[kind], kind)
