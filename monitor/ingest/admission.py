"""Whether a model may be sent more now: how far its log is ahead of its fold, known without asking at every request."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from monitor.database import reading
from monitor.errors import Overloaded
from monitor.log.sql import SqlLog
from monitor.model import FeatureType
from monitor.store import models

FRESH = 0.1         # seconds for which a figure is taken to be right; what was appended here since is added to it
STALE = 1.0         # and for which it will do while another request reads it anew
RETRY_AFTER = 10
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a model stood: the rows between its fold's ``cursor`` and its log's ``head``."""

    read_at: float
    cursor: int
    head: int
    behind: int
    features: Mapping[str, FeatureType]


class Admission:
    """Lets batches in until ``most`` rows of a model wait to be folded."""

    def __init__(self, log: SqlLog, state: Engine, most: int) -> None:
        self.log = log
        self.state = state
        self.most = most
        self._standing: dict[str, _Standing] = {}
        self._since: Counter[str] = Counter()       # rows appended here since the standing was read
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def peek(self, model: str, *, declared: bool = False) -> Mapping[str, FeatureType] | None:
        """What ``admit`` would return, where that is known without asking the databases. ``declared``: the model's
        declaration names its features, so that those of a reference do not matter."""
        known = self._standing.get(model)
        if known is None or known.behind + self._since[model] > self.most:
            return None
        if not known.features and not declared:         # its reference may have been folded this very moment
            return None
        now = time.monotonic()
        age = now - known.read_at
        if age < FRESH or (age < STALE and self._asked.get(model, 0.0) > known.read_at):
            return known.features
        self._asked[model] = now        # who is told to ask does so for all who come until then
        return None

    def admit(self, model: str) -> Mapping[str, FeatureType]:
        """The features of the model's reference, for a batch that is to be taken now. Raises ``Overloaded`` where the
        fold is further behind than allowed."""
        asked = time.monotonic()
        with self._lock:
            known = self._standing.get(model)
            if known is None or known.read_at < asked:      # else another request has just read it
                known = self._read(model, known)
        behind = known.behind + self._since[model]
        if behind > self.most:
            raise Overloaded(f"{behind} rows wait to be folded", "Send the batch again later", retry_after=RETRY_AFTER)
        return known.features

    def appended(self, model: str, rows: int) -> None:
        """Count what was appended by this process."""
        self._since[model] += rows

    def _read(self, model: str, before: _Standing | None) -> _Standing:
        """Only the segments that came or were folded since the last reading are looked at."""
        self._since[model] = 0
        at = time.monotonic()
        with reading(self.state) as db:
            cursor, features = models.place(db, model)
        if before is None or cursor < before.cursor:        # the first time, or the state is made anew
            before = _Standing(at, cursor, cursor, 0, features)
        new, head = self.log.rows_between(model, max(before.head, cursor))
        folded, _ = self.log.rows_between(model, before.cursor, min(cursor, before.head))
        head = max(head, before.head)
        behind = before.behind + new - folded if head > cursor else 0
        found = _Standing(at, cursor, max(head, cursor), behind, features)
        if len(self._standing) >= _MOST_KNOWN:      # models are few, but anybody may ask for one that is not there
            self._standing.clear()
            self._asked.clear()
        self._standing[model] = found
        return found
