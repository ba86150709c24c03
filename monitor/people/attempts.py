"""How often somebody may try to sign in: after each failure it takes twice as long until the next try counts."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from monitor.clock import Now
from monitor.errors import Overloaded

_LONGEST = timedelta(minutes=5)
_FORGOTTEN = timedelta(hours=1)
_MOST_KNOWN = 10_000


@dataclass(slots=True)
class _Tries:
    failures: int
    until: datetime
    last: datetime


class Attempts:
    """Failures by a name or an address, in memory: a start of the service forgives them. The first ``free`` cost
    nothing. Bounded: where too many are known, those whose last try is longest ago are forgotten."""

    def __init__(self, now: Now, free: int = 0) -> None:
        self.now = now
        self.free = free
        self._known: dict[str, _Tries] = {}
        self._lock = threading.Lock()

    def begin(self, who: str) -> None:
        """Count a try as failed before it is made, so that of many at once one is made. ``Overloaded`` where it comes
        too soon, which says when to come back."""
        with self._lock:
            at = self.now()
            tries = self._known.pop(who, None)
            if tries is None or at - tries.last > _FORGOTTEN:
                tries = _Tries(0, at, at)
            self._known[who] = tries        # last in the order, as the latest
            if at < tries.until:
                seconds = ceil((tries.until - at).total_seconds())
                raise Overloaded(
                    "too many tries to sign in failed", f"Wait {seconds} s, then try again", retry_after=seconds
                )
            tries.failures += 1
            wait = timedelta(seconds=2 ** min(tries.failures - self.free, 20)) if tries.failures > self.free else None
            tries.until = at + min(wait, _LONGEST) if wait else at
            tries.last = at
            while len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]

    def undo(self, who: str) -> None:
        """The last try was no failure after all; those before it were."""
        with self._lock:
            tries = self._known.get(who)
            if tries is not None:
                tries.failures, tries.until = tries.failures - 1, tries.last

    def forget(self, who: str) -> None:
        """Forgive all."""
        with self._lock:
            self._known.pop(who, None)
