"""The outgoing heartbeat: an address outside is asked as long as evaluation, relay and delivery go on.

Whoever watches that address raises the alarm when it falls silent, for a Vigil that stands still cannot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

import structlog

from monitor.senders.channels.base import Result
from monitor.senders.channels.http import checked_url, post

TIMEOUT = 15.0

logger = structlog.get_logger("vigil.heartbeat")


class Heartbeat:
    """``every`` seconds, where nothing is stalled. ``stalled`` names the parts that are."""

    def __init__(self, url: str, every: float, stalled: Callable[[], Collection[str]]) -> None:
        self.url, self.every, self.stalled = checked_url(url, "VIGIL_HEARTBEAT_URL"), every, stalled
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vigil-heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(timeout=TIMEOUT + 5)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def beat(self) -> Result | None:
        """One heartbeat; ``None`` where something is stalled, or nobody can say: then silence is the message."""
        try:
            stalled = sorted(self.stalled())
        except Exception as error:
            logger.warning("no heartbeat: what is stalled cannot be found out", why=type(error).__name__)
            return None
        if stalled:
            logger.warning("no heartbeat: something is stalled", parts=stalled)
            return None
        result = post(self.url, b"{}", {}, TIMEOUT)
        if not result.ok:
            logger.warning("the heartbeat did not arrive", why=result.detail)
        return result

    def _run(self) -> None:
        while not self._ending.is_set():
            self.beat()
            self._ending.wait(self.every)
