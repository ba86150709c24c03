"""What the fold keeps under a prediction_id: entries of predictions, and outcomes; looked up by the batch."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, delete

from monitor.fold.entries import Entries
from monitor.fold.ids import Ids
from monitor.fold.join import Stored
from monitor.fold.rows import Outcomes
from monitor.store.keys.cache import Cache
from monitor.store.keys.runs import Runs
from monitor.store.tables import key_pages, key_rows, key_runs

CACHED = 128 * 2**20        # bytes of pages and pieces that are held unpacked, for all models together
FILTERS = 512 * 2**20       # bytes of filters: those of models that were not folded for longest are read again


class Joins:
    """One model's entries and outcomes. What is added is found at once, and written by ``flush``."""

    def __init__(self, entries: Runs, outcomes: Runs, cursor: int) -> None:
        self._entries = entries
        self._outcomes = outcomes
        self.cursor = cursor        # of the model, when this was what the database has

    def entries(self, db: Connection, ids: Ids) -> Stored[Entries] | None:
        """All stored predictions of these ids, of every version."""
        asked, rows = self._entries.find(db, ids)
        return None if rows is None else Stored(asked, Entries.read(rows))

    def outcomes(self, db: Connection, ids: Ids) -> Stored[Outcomes] | None:
        """The outcomes that hold for these ids."""
        asked, rows = self._outcomes.find(db, ids)
        if rows is None:
            return None
        last = np.flatnonzero(np.diff(asked, append=-1))        # what came later stands in place of what was there
        return Stored(asked[last], Outcomes.read(rows).take(last))

    def add_entries(self, new: Entries) -> None:
        self._entries.add(new.ids, new.columns())

    def add_outcomes(self, new: Outcomes) -> None:
        if len(new):
            self._outcomes.add(new.ids, new.columns())

    def flush(self, db: Connection) -> None:
        self._entries.flush(db)
        self._outcomes.flush(db)

    @property
    def nbytes(self) -> int:
        return self._entries.nbytes + self._outcomes.nbytes


class JoinStore:
    """The joins of all models, held open between transactions: those of a model are read anew where its cursor says
    that another transaction, or another worker, has written since."""

    def __init__(self) -> None:
        self._cache = Cache(CACHED)
        self._open: dict[int, Joins] = {}

    def take(self, db: Connection, model: int, cursor: int) -> Joins:
        """A model's joins, for one transaction: ``settle`` gives them back once it is committed."""
        held = self._open.pop(model, None)
        if held is not None and held.cursor == cursor:
            return held
        entries, outcomes = (Runs.load(db, model, kind, self._cache) for kind in ("entries", "outcomes"))
        return Joins(entries, outcomes, cursor)

    def settle(self, model: int, joins: Joins, cursor: int) -> None:
        joins.cursor = cursor
        self._open[model] = joins
        while len(self._open) > 1 and sum(j.nbytes for j in self._open.values()) > FILTERS:
            del self._open[next(iter(self._open))]


def forget(db: Connection, model: int) -> None:
    """Delete a model's joins, before they are folded anew."""
    for table in (key_rows, key_runs, key_pages):
        db.execute(delete(table).where(table.c.model == model))
