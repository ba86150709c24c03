"""Warnings of lost rows in the log ``vigil_client``: rare, and never from a thread that logs rows."""

from __future__ import annotations

import logging

from vigil_client.stats import Stats

logger = logging.getLogger("vigil_client")
logger.addHandler(logging.NullHandler())      # else Python prints what nobody listens to

_QUIET = 60.0       # seconds between two warnings
_TOLD_AT = 3        # attempts at one batch before a warning says that the service is not reached


class Warnings:
    """What was told last, and when more may be told."""

    def __init__(self) -> None:
        self._bad = 0
        self._unreached = ""
        self._next = 0.0

    def unreached(self, reason: str, attempts: int) -> None:
        """A batch was tried so often, and could not be delivered."""
        if attempts >= _TOLD_AT:
            self._unreached = reason

    def reached(self) -> None:
        """The service answered."""
        self._unreached = ""

    def tell(self, stats: Stats, now: float, at_last: bool = False) -> None:
        """Warn where more is lost than was told, at most once a minute; ``at_last`` there is no later."""
        bad = stats.lost + stats.failed_calls
        if (bad == self._bad and not self._unreached) or (now < self._next and not at_last):
            return
        logger.warning("%s", _warning(stats, self._unreached))
        self._bad, self._unreached, self._next = bad, "", now + _QUIET


def _warning(stats: Stats, unreached: str) -> str:
    dropped = ", ".join(f"{why} {n}" for why, n in stats.dropped.items())
    lost = f"{sum(stats.dropped.values())} dropped" + (f" ({dropped})" if dropped else "")
    parts = [f"{stats.rejected} rows rejected", lost]
    if stats.failed_calls:
        parts.append(f"{stats.failed_calls} calls not understood")
    if unreached:
        parts.append(f"{stats.waiting} rows wait, for the service does not take them ({unreached})")
    reasons = "; ".join(f"{reason} ({n})" for reason, n in list(stats.reasons.items())[:3])
    return f"of {stats.logged} rows logged: {', '.join(parts)}. {reasons}"
