"""One row a model: how far its log is folded, where its clock stands, and its counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from sqlalchemy import Connection, select, update
from sqlalchemy import insert as sql_insert

from monitor.model import FeatureType
from monitor.store.tables import models

MOST_SEEN = 20      # references whose coming is known: enough for any look back


@dataclass(slots=True)
class ModelState:
    """``clock`` is the latest instant known to the model: event time where ``event_clock`` is set (a replay), else the
    arrival of its data or the last tick. ``last_prediction`` is the latest event time of a prediction. Windows that end
    by ``judged_from`` were there before the reference: they are measured and open nothing. Of windows that start before
    ``measured_from`` rows or summaries were cut: they are measured no more. Of rows up to ``blind_upto`` the protected
    attributes were cut; ``joins_at`` is when something other than the fold last changed what is kept under ids.
    ``seen``: the latest references that came into force: instant, number of the segment, version of the declaration."""

    id: int
    name: str
    cursor: int = 0
    command_cursor: int = 0
    tick_cursor: int = 0
    clock: int = 0
    event_clock: bool = False
    last_prediction: int = 0
    declaration: int = 0
    reference_seq: int = 0
    reference: bytes | None = None
    judged_from: int = 0
    measured_from: int = 0
    blind_upto: int = 0
    joins_at: int = 0
    features: dict[str, FeatureType] | None = None
    counts: dict[str, int] | None = None
    evaluated_at: int | None = None
    seen: list[list[int]] | None = None

    def take_time(self, instant: int, *, replayed: bool) -> None:
        """Move the clock on with data: to the latest event time of a replay (``replayed``), else to their arrival. A
        model that has had live data is live: a backfill into it does not turn its clock back."""
        begun = self.event_clock or self.clock > 0
        self.event_clock = replayed and (self.event_clock or not begun)
        if self.event_clock or not replayed:
            self.clock = max(self.clock, instant)

    def see_reference(self, seq: int, declaration: int, received_at: int) -> None:
        """Note that a reference came into force with a declaration: on arrival, or where a replay's clock stands."""
        at = self.clock if self.event_clock else max(self.clock, received_at)
        self.seen = [*(self.seen or []), [at, seq, declaration]][-MOST_SEEN:]

    def count(self, new: Counter[str]) -> None:
        total = Counter(self.counts or {})
        total.update(new)
        self.counts = dict(total)


_COLUMNS = [f.name for f in fields(ModelState) if f.name != "id"]


def load(db: Connection, name: str) -> ModelState | None:
    row = db.execute(select(models).where(models.c.name == name)).mappings().first()
    return None if row is None else ModelState(**row)


def place(db: Connection, name: str) -> tuple[int, dict[str, FeatureType]]:
    """How far a model is folded, and the features of its reference: what every batch asks for. No more is read."""
    row = db.execute(select(models.c.cursor, models.c.features).where(models.c.name == name)).first()
    return (0, {}) if row is None else (row.cursor, row.features or {})


def create(db: Connection, name: str, number: int) -> ModelState:
    """The state of a model of which nothing is folded yet; ``number`` is its own in the log."""
    db.execute(sql_insert(models).values(id=number, name=name, features={}, counts={}))
    return ModelState(number, name, features={}, counts={})


def insert(db: Connection, state: ModelState) -> None:
    """A state that was made elsewhere."""
    create(db, state.name, state.id)
    save(db, state)


def save(db: Connection, state: ModelState) -> None:
    values = {name: getattr(state, name) for name in _COLUMNS}
    values |= {"features": state.features or {}, "counts": state.counts or {}, "seen": state.seen or []}
    db.execute(update(models).where(models.c.id == state.id).values(**values))


def cursors(db: Connection) -> dict[str, int]:
    """How far each model's data are folded, by name."""
    return {row.name: row.cursor for row in db.execute(select(models.c.name, models.c.cursor))}


def names(db: Connection) -> dict[int, str]:
    rows = db.execute(select(models.c.id, models.c.name).order_by(models.c.name))
    return {row.id: row.name for row in rows}
