"""What is done beside the fold, by the clock: erasures as they are asked for, retention every hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from monitor.worker.erasing import Eraser
from monitor.worker.retention import Retention
from monitor.worker.sealing import Stopped

RETENTION_EVERY = timedelta(hours=1)

logger = structlog.get_logger("vigil.retention")


class Housekeeping:
    """One round over all models when it is called. What befalls one model is logged, and the others go on."""

    def __init__(self, retention: Retention) -> None:
        self.retention, self.keeper = retention, retention.keeper
        self._due: datetime | None = None

    def __call__(self) -> None:
        now = self.keeper.worker.now()
        try:
            names = self.keeper.worker.log.models()
            for name in names:
                self._tend(name, lambda name: Eraser(self.keeper, name).run())
            if self._due is None or now >= self._due:
                self._due = now + RETENTION_EVERY
                self._tend("", lambda _: self.retention.drop_days(names))
                for name in names:
                    self._tend(name, self.retention.run)
        except Stopped:
            return
        except Exception:
            logger.exception("the log cannot be read; trying again")

    def stop(self) -> None:
        self.keeper.stop()

    def _tend(self, name: str, act: Callable[[str], object]) -> None:
        try:
            act(name)
        except Stopped:
            raise
        except Exception:
            logger.exception("a model's rows cannot be cut or erased; trying again", model=name)
