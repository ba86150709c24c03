"""What the fold keeps under a prediction_id: entries of predictions, and outcomes; looked up by the batch."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, delete

from monitor.fold.entries import Entries
from monitor.fold.join import Stored
from monitor.fold.rows import Ints, Outcomes
from monitor.store.keys.cache import Cache
from monitor.store.keys.cuts import blinded
from monitor.store.keys.runs import Runs, Search
from monitor.store.models import ModelState
from monitor.store.tables import key_pages, key_rows, key_runs

CACHED = 24 * 2**20        # bytes of pages and pieces that are held unpacked, for all models together
KINDS = ("entries", "outcomes")
FILTERS = 512 * 2**20       # bytes of filters: those of models that were not folded for longest are read again


Place: TypeAlias = tuple[int, int]      # the model's cursor, and when something else last changed its joins


class Joins:
    """One model's entries and outcomes. What is added is found at once, and written by ``flush``."""

    def __init__(self, entries: Runs, outcomes: Runs, place: Place, blind_upto: int) -> None:
        self._entries = entries
        self._outcomes = outcomes
        self.place = place          # of the model, when this was what the database has
        self.blind_upto = blind_upto

    def entries(self, db: Connection, search: Search) -> Stored[Entries] | None:
        """All stored predictions of these ids, of every version."""
        asked, rows = self._entries.find(db, search)
        if rows is None:
            return None
        return Stored(asked, Entries.read(rows, search.ids.hashes[asked]))

    def outcomes(self, db: Connection, search: Search) -> Stored[Outcomes] | None:
        """The outcomes that hold for these ids."""
        asked, rows = self._outcomes.find(db, search)
        if rows is None:
            return None
        last = np.flatnonzero(np.diff(asked, append=-1))        # what came later stands in place of what was there
        return Stored(asked[last], Outcomes.read(rows, search.ids.hashes[asked]).take(last))

    def add_entries(self, new: Entries, seqs: Ints) -> None:
        """``seqs``: the segment of each row, never less than that of a row before; shape (rows,)."""
        if len(new):
            self._entries.add(new.ids, blinded(new.columns().append_column("seq", pa.array(seqs)), self.blind_upto))

    def add_outcomes(self, new: Outcomes, seqs: Ints) -> None:
        if len(new):
            self._outcomes.add(new.ids, new.columns().append_column("seq", pa.array(seqs)))

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

    def take(self, db: Connection, model: ModelState) -> Joins:
        """A model's joins, for one transaction: ``settle`` gives them back once it is committed."""
        held = self._open.pop(model.id, None)
        if held is not None and held.place == _place(model):
            return held
        return self.load(db, model)

    def load(self, db: Connection, model: ModelState) -> Joins:
        """What the database has, whatever is held of it."""
        entries, outcomes = (Runs.load(db, model.id, kind, self._cache) for kind in KINDS)
        return Joins(entries, outcomes, _place(model), model.blind_upto)

    def settle(self, model: ModelState, joins: Joins) -> None:
        joins.place = _place(model)
        self._open[model.id] = joins
        while len(self._open) > 1 and sum(j.nbytes for j in self._open.values()) > FILTERS:
            del self._open[next(iter(self._open))]


def _place(model: ModelState) -> Place:
    return model.cursor, model.joins_at


def forget(db: Connection, model: int) -> None:
    """Delete a model's joins, before they are folded anew."""
    for table in (key_rows, key_runs, key_pages):
        db.execute(delete(table).where(table.c.model == model))
