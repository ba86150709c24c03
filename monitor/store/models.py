"""One row a model: how far its log is folded, where its clock stands, and its counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from sqlalchemy import Connection, insert, select, update

from monitor.model import FeatureType
from monitor.store.tables import models


@dataclass(slots=True)
class ModelState:
    """``clock`` is the latest instant known to the model: event time where ``event_clock`` is set (a replay), else the
    arrival of its data or the last tick. ``last_prediction`` is the latest event time of a prediction. Windows that end
    by ``judged_from`` were there before the reference: they are measured and open nothing."""

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
    features: dict[str, FeatureType] | None = None
    counts: dict[str, int] | None = None
    evaluated_at: int | None = None

    def count(self, new: Counter[str]) -> None:
        total = Counter(self.counts or {})
        total.update(new)
        self.counts = dict(total)


_COLUMNS = [f.name for f in fields(ModelState) if f.name != "id"]


def load(db: Connection, name: str) -> ModelState | None:
    row = db.execute(select(models).where(models.c.name == name)).mappings().first()
    return None if row is None else ModelState(**row)


def create(db: Connection, name: str, number: int) -> ModelState:
    """The state of a model of which nothing is folded yet; ``number`` is its own in the log."""
    db.execute(insert(models).values(id=number, name=name, features={}, counts={}))
    return ModelState(number, name, features={}, counts={})


def save(db: Connection, state: ModelState) -> None:
    values = {name: getattr(state, name) for name in _COLUMNS}
    values["features"], values["counts"] = state.features or {}, state.counts or {}
    db.execute(update(models).where(models.c.id == state.id).values(**values))


def names(db: Connection) -> dict[int, str]:
    rows = db.execute(select(models.c.id, models.c.name).order_by(models.c.name))
    return {row.id: row.name for row in rows}
