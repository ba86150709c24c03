"""Events read again, by whoever needs the predictions that they came to and must change nothing of the state."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import create_engine

from monitor.log.port import Segment
from monitor.model import ModelSpec
from monitor.store.models import ModelState
from monitor.store.tables import halves, metadata, refusals
from monitor.worker.exchanges import Taken, take_events


class ScratchEvents:
    """Pairs a model's events anew, segment by segment from the first that is there, in a database of its own."""

    def __init__(self, model: ModelState) -> None:
        self.model = replace(model, counts=dict(model.counts or {}))
        engine = create_engine("sqlite://")
        metadata.create_all(engine, [halves, refusals])
        self._db = engine.connect()

    def take(self, spec: ModelSpec, segment: Segment) -> Taken:
        """What a segment comes to, with the halves of those before it; ``spec``: the declaration of the segment."""
        return take_events(self._db, self.model, spec, [segment])

    def close(self) -> None:
        self._db.close()
        self._db.engine.dispose()
