"""What became of the rows, as ``client.stats`` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_REASONS = 20       # distinct ones that are kept
_MOST_TEXT = 300


@dataclass(frozen=True)
class Stats:
    """A moment's counts of one client in one process. At every moment
    ``logged == sent + rejected + sum(dropped.values()) + waiting``.
    """

    logged: int
    """Rows that were given to the client and are meant to be sent."""
    sent: int
    """Rows that the service took."""
    rejected: int
    """Rows that the service refused, one by one or with their batch; ``reasons`` says why."""
    dropped: Mapping[str, int]
    """Rows lost on this side, by why: ``queue_full``, ``gave_up``, ``closed``, ``unreadable``, ``too_many_models``."""
    waiting: int
    """Rows in the queue or under way."""
    sampled_out: int
    """Rows that the sampling rate left out: no part of ``logged``."""
    failed_calls: int
    """Calls of the client that could not be understood, and logged nothing: no part of ``logged``."""
    batches: int
    """Batches that were answered for good."""
    retries: int
    """Requests that had to be sent again."""
    reasons: Mapping[str, int]
    """The first reasons for all that went wrong, and how often each was met."""

    @property
    def lost(self) -> int:
        """Rows that will never be counted by the service."""
        return self.rejected + sum(self.dropped.values())


@dataclass
class Reasons:
    """The first distinct reasons, and how often each was met. Its owner holds the lock."""

    found: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, times: int = 1) -> None:
        """Count a reason; one beyond the first 20 is counted as another.

        >>> reasons = Reasons()
        >>> reasons.add("no answer"); reasons.add("no answer"); reasons.found
        {'no answer': 2}
        """
        reason = reason[:_MOST_TEXT]
        if reason not in self.found and len(self.found) >= MOST_REASONS:
            reason = "another"
        self.found[reason] = self.found.get(reason, 0) + times
